"""The pipelines that read predictions of a model: a tag of the registered model for each pipeline, and not for each run."""

from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient


def note_downstream(client: "MlflowClient", model: str, pipeline: str, at: datetime) -> None:
    """Note that a pipeline reads predictions of a model. A model that this MLflow server does not have is left out.

    Args:
        client: The MLflow client.
        model: The registered model.
        pipeline: The pipeline.
        at: The present time; that of the first note stays.
    """
    found = _tags_of(client, model)
    if found is not None and f"{tags.DOWNSTREAM_PREFIX}{pipeline}" not in found:
        client.set_registered_model_tag(model, f"{tags.DOWNSTREAM_PREFIX}{pipeline}", at.isoformat())


def downstream_pipelines(client: "MlflowClient", model: str) -> tuple[str, ...]:
    """The pipelines that have read predictions of a model, by name; takes one request."""
    found = _tags_of(client, model) or {}
    names = (name.removeprefix(tags.DOWNSTREAM_PREFIX) for name in found if name.startswith(tags.DOWNSTREAM_PREFIX))
    return tuple(sorted(names))


def _tags_of(client: "MlflowClient", model: str) -> dict[str, str] | None:
    """The tags of a registered model; None if it does not exist."""
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_registered_model(model).tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
