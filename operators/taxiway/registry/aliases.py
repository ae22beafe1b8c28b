"""Aliases of registered models: champion (served), challenger (shadowed), previous (where a rollback leads)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
_MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def version_at(client: "MlflowClient", model: str, alias: str) -> int | None:
    """The version that `alias` of `model` points to; None if there is no such alias or model."""
    from mlflow.exceptions import MlflowException

    try:
        return int(client.get_model_version_by_alias(model, alias).version)
    except MlflowException as error:
        if error.error_code in _MISSING:
            return None
        raise


def point(client: "MlflowClient", model: str, alias: str, version: int | None) -> None:
    """Make `alias` point to `version`; None removes the alias."""
    if version is not None:
        client.set_registered_model_alias(model, alias, str(version))
    else:
        client.delete_registered_model_alias(model, alias)
