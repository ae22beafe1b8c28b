"""The gateway's lookups in the MLflow registry: the champion of a model, and whether a version exists."""

from taxiway.errors import RequestError, TransientError
from taxiway.registry.aliases import CHAMPION, aliases_of


def champion_of(tracking_uri: str, model: str) -> int:
    """The version with the alias `champion`; 0 if there is none. Blocks for one HTTP request.

    Raises:
        RequestError: 404 if there is no such model.
        TransientError: The registry does not answer.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        return aliases_of(MlflowClient(tracking_uri), model).get(CHAMPION, 0)
    except MlflowException as error:
        raise _translated(
            error, f"no model {model} is registered at {tracking_uri}; allowed: the name of a registered model"
        ) from error


def require_version(tracking_uri: str, model: str, version: int) -> None:
    """Check that a model version exists.

    Raises:
        RequestError: 404 if it does not.
        TransientError: The registry does not answer.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        MlflowClient(tracking_uri).get_model_version(model, str(version))
    except MlflowException as error:
        raise _translated(error, f"{model} has no version {version} at {tracking_uri}") from error


def _translated(error: Exception, missing: str) -> Exception:
    if getattr(error, "error_code", "") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        return RequestError(404, missing)
    return TransientError(f"the MLflow registry does not answer: {error}")
