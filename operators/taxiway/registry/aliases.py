"""Aliases of registered models: champion (served), challenger (in the shadow), previous (the target of a rollback)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
_MISSING = "RESOURCE_DOES_NOT_EXIST"


def aliases_of(client: "MlflowClient", model: str) -> dict[str, int]:
    """The version of each alias of a registered model.

    Raises:
        MlflowException: RESOURCE_DOES_NOT_EXIST if there is no such model.
    """
    return {alias: int(version) for alias, version in client.get_registered_model(model).aliases.items()}


def version_at(client: "MlflowClient", model: str, alias: str) -> int | None:
    """The version that an alias points to; None if there is no such alias or model."""
    from mlflow.exceptions import MlflowException

    try:
        return aliases_of(client, model).get(alias)
    except MlflowException as error:
        if error.error_code == _MISSING:
            return None
        raise


def point(client: "MlflowClient", model: str, alias: str, version: int | None) -> None:
    """Set an alias to a version; None removes the alias."""
    if version is not None:
        client.set_registered_model_alias(model, alias, str(version))
    else:
        client.delete_registered_model_alias(model, alias)
