"""Register a fitted model in MLflow as a version, once."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import UntrustedModelError
from taxiway.records.digests import digest_of_folder
from taxiway.registry.load import own_models
from taxiway.registry.signature import as_records, signature_of
from taxiway.registry.trust import (
    NATIVE_TYPES,
    THRESHOLD,
    TRUSTED_TYPES,
    check_parameters,
    untrusted_types,
)
from taxiway.registry.version_tags import files_in
from taxiway.store import temp_folder
from taxiway.tracking import tags
from taxiway.training.libraries import packages_of

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from taxiway.models.row_model import RowModel

_log = logging.getLogger(__name__)
_REQUIREMENTS = ("mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops", "taxiway")
_MODEL_FILE = "model.skops"  # where MLflow puts what it saves with skops
_CODE_FILE = "own_code.txt"  # for people: nothing runs it
EXAMPLE_ROWS = 3
"""The number of rows in a model's input example."""


@dataclass(frozen=True)
class ModelToSave:
    """A fitted model, ready to be registered.

    Attributes:
        model: The fitted pipeline with its raw columns.
        example: A few rows as the source has them, for the model's input example.
        key: The digest of the candidate's key: a retry with the same key finds the registered version.
        tags: The tags of the model version.
        params: The parameters that are logged with the model.
    """

    model: "RowModel"
    example: "pd.DataFrame"
    key: str
    tags: dict[str, str]
    params: dict[str, str]


def find_version(client: "MlflowClient", model: str, key: str) -> int | None:
    """The version that was registered with this candidate key; None if there is none, or if its files are deleted."""
    found = client.search_model_versions(f"name='{model}' and tags.`{tags.CANDIDATE}`='{key}'")
    return next((number for number, version in _in_order(found) if _has_files(client, version)), None)


def _in_order(versions: "Iterable[ModelVersion]") -> "list[tuple[int, ModelVersion]]":
    return sorted(((int(version.version), version) for version in versions), key=lambda numbered: numbered[0])


def _has_files(client: "MlflowClient", version: "ModelVersion") -> bool:
    from mlflow.exceptions import MlflowException

    model_id = str(version.source).removeprefix("models:/")
    try:
        client.get_logged_model(model_id)  # a deleted one still lists its files
        files = client.list_logged_model_artifacts(model_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        files = []
    if not files:
        _log.warning(
            "the files of %s version %s are deleted from MLflow; the version is not used again", version.name, version.version
        )
    return bool(files)


def register(client: "MlflowClient", run_id: str, model: str, to_save: ModelToSave) -> tuple[int, str | None]:
    """Save a model and register it as a version of `model`.

    Returns:
        The version, and the digest of its files as they were written; for a candidate that is registered already, the existing version
        and the digest in its tag.

    Raises:
        UntrustedModelError: The fitted model needs types that Taxiway does not load, or has parameters that are not harmless.
    """
    # The version is written last, with its key: a process that is killed before leaves no version.
    from mlflow.entities import LoggedModelOutput

    known = find_version(client, model, to_save.key)
    if known is not None:
        return known, files_in(client.get_model_version(model, str(known)).tags)
    trusted = check_savable(to_save.model)
    experiment = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(
        experiment, name=model.replace(".", "_"), source_run_id=run_id, tags=to_save.tags, params=to_save.params
    )
    with temp_folder("model") as folder:
        path = folder / "model"
        _save(to_save, path, trusted, run_id=run_id, model_id=logged.model_id)
        files, size = digest_of_folder(path), (path / _MODEL_FILE).stat().st_size
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    _ensure_registered_model(client, model)
    created = client.create_model_version(
        model,
        source=f"models:/{logged.model_id}",
        run_id=run_id,
        model_id=logged.model_id,
        tags={**to_save.tags, tags.CANDIDATE: to_save.key, tags.FILES: files, tags.MODEL_BYTES: str(size)},
        await_creation_for=0,  # over HTTP the version exists at once; waiting would only log
    )
    return int(created.version), files


def _save(to_save: ModelToSave, path: Path, trusted: list[str], *, run_id: str, model_id: str) -> None:
    import mlflow.sklearn
    from mlflow.models import Model

    threshold = to_save.model.threshold
    metadata = {THRESHOLD: threshold} if threshold is not None else None
    mlflow.sklearn.save_model(
        to_save.model,
        str(path),
        mlflow_model=Model(run_id=run_id, model_id=model_id, metadata=metadata),
        signature=signature_of(to_save.model.columns, to_save.model.classes),
        input_example=as_records(to_save.example.head(EXAMPLE_ROWS)),
        # Listed here, because MLflow needs eight seconds to infer them by importing everything.
        pip_requirements=[f"{name}=={installed(name)}" for name in (*_REQUIREMENTS, *packages_of(trusted))],
        serialization_format="skops",
        skops_trusted_types=trusted,
        pyfunc_predict_fn="predict",
    )
    for own in own_models(to_save.model):
        assert own.saved is not None
        (path / _CODE_FILE).write_text(own.saved["text"], encoding="utf-8")


def check_savable(model: Any, name: str = "the fitted model") -> list[str]:
    """Check that a model can be saved as data and loaded again; returns the types that must be trusted for it.

    Args:
        model: The model, or a part of it, fitted or not.
        name: What it is, for the error.

    Raises:
        UntrustedModelError: It needs types that Taxiway does not load, or has parameters that are not harmless.
    """
    import skops.io

    check_parameters(model, name)
    with temp_folder("model") as folder:
        path = folder / "model.skops"
        skops.io.dump(model, path)
        needed = untrusted_types(path)
    beyond = sorted(set(needed) - TRUSTED_TYPES - NATIVE_TYPES)
    if beyond:
        raise UntrustedModelError(
            f"{name} needs types that Taxiway does not trust: {', '.join(beyond)}; nothing was registered; use other types"
        )
    return needed


def _ensure_registered_model(client: "MlflowClient", model: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
