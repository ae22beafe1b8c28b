"""Aliases of registered models: champion (served), challenger (shadowed), previous (where a rollback leads)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
_MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def version_at(client: "MlflowClient", model: str, alias: str) -> int:
    """The version that `alias` of `model` points to; 0 where there is no such alias or model."""
    from mlflow.exceptions import MlflowException

    try:
        return int(client.get_model_version_by_alias(model, alias).version)
    except MlflowException as error:
        if error.error_code in _MISSING:
            return 0
        raise


def point(client: "MlflowClient", model: str, alias: str, version: int) -> None:
    """Make `alias` point to `version`; version 0 removes the alias."""
    if version:
        client.set_registered_model_alias(model, alias, str(version))
    else:
        client.delete_registered_model_alias(model, alias)
