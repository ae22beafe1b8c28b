"""What the tags of a model version say about its model: the classes, the decision threshold and the size."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient


def classes_from_tags(version_tags: Mapping[str, str]) -> tuple[str, ...]:
    """The classes in the tags of a model version as text, in the order of its probabilities.

    Empty for a regression, and for a version of somebody else.
    """
    try:
        return tuple(map(str, json.loads(version_tags.get(tags.CLASSES, "[]"))))
    except (ValueError, TypeError):  # not written by Taxiway
        return ()


def threshold_from_tags(version_tags: Mapping[str, str]) -> float | None:
    """The decision threshold in the tags of a model version; None for 0.5, and for a version of somebody else."""
    try:
        threshold = float(version_tags.get(tags.THRESHOLD, "nan"))
    except ValueError:
        return None
    return threshold if 0 < threshold < 1 else None


def size_in(version_tags: Mapping[str, str]) -> int | None:
    """The size of the file with the model in bytes; None if it was registered by an older Taxiway, or by somebody else."""
    size = version_tags.get(tags.MODEL_BYTES, "")
    return int(size) if size.isdecimal() else None


def files_in(version_tags: Mapping[str, str]) -> str | None:
    """The digest of a model version's files; None if it was registered by an older Taxiway, or by somebody else."""
    return version_tags.get(tags.FILES) or None


def tags_of(client: "MlflowClient", model: str, version: int) -> dict[str, str] | None:
    """The tags of a model version; None if there is no such version, as after somebody has deleted it in MLflow."""
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_model_version(model, str(version)).tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def is_deleted(client: "MlflowClient", model: str, version: int) -> bool:
    """Whether there is no such version, as after somebody has deleted it in MLflow."""
    return tags_of(client, model, version) is None


def files_of(client: "MlflowClient", model: str, version: int) -> str | None:
    """The digest of the files of a version, by its tags."""
    return files_in(client.get_model_version(model, str(version)).tags)
