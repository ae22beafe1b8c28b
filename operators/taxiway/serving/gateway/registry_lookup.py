"""What the gateway asks of MLflow's registry: who is champion, and whether a version exists."""

from taxiway.errors import RequestError, TransientError
from taxiway.registry.aliases import CHAMPION, aliases_of


def champion_of(tracking_uri: str, model: str) -> int:
    """The version under the alias `champion`, 0 if there is none. Blocks for one HTTP call.

    Raises RequestError (404) if there is no such model, TransientError if the registry does not answer.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        return aliases_of(MlflowClient(tracking_uri), model).get(CHAMPION, 0)
    except MlflowException as error:
        raise _translated(
            error, f"no model {model} is registered at {tracking_uri}; allowed: a registered model's name"
        ) from error


def require_version(tracking_uri: str, model: str, version: int) -> None:
    """Raise RequestError (404) if `model` has no such version, TransientError if the registry does not answer."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        MlflowClient(tracking_uri).get_model_version(model, str(version))
    except MlflowException as error:
        raise _translated(error, f"{model} has no version {version} at {tracking_uri}") from error


def _translated(error: Exception, missing: str) -> Exception:
    if getattr(error, "error_code", "") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        return RequestError(404, missing)
    return TransientError(f"MLflow's registry did not answer: {error}")
