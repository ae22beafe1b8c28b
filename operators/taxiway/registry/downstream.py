"""The pipelines that read predictions of a model: a tag of the registered model for each pipeline, and not for each run."""

from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MAX_CHARACTERS = 2000
"""Of the names in a promotion, whose record is a tag of an MLflow run, of at most 8,000 characters in PostgreSQL."""


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


def named_downstream(client: "MlflowClient", model: str) -> tuple[tuple[str, ...], int]:
    """The first of the pipelines that have read predictions of a model, and the number of the others; takes one request."""
    names = downstream_pipelines(client, model)
    ends = accumulate(len(name) for name in names)
    named = sum(end <= _MAX_CHARACTERS for end in ends)
    return names[:named], len(names) - named


def _tags_of(client: "MlflowClient", model: str) -> dict[str, str] | None:
    """The tags of a registered model; None if it does not exist."""
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_registered_model(model).tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
