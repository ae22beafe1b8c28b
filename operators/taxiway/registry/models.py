"""Models in MLflow: registers a fitted scikit-learn pipeline as a version, once; checks a version's files before loading it."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import UntrustedModelError
from taxiway.records.digests import digest_of_folder
from taxiway.registry.signature import as_records, signature_of
from taxiway.registry.trust import (
    NATIVE_TYPES,
    THRESHOLD,
    TRUSTED_TYPES,
    check_model,
    check_parameters,
    described_in,
    needs_native_types,
    untrusted_types,
)
from taxiway.store import temp_folder
from taxiway.tracking import tags
from taxiway.training.libraries import packages_of
from taxiway.training.safe_parameters import objects_in

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.pyfunc import PyFuncModel

    from taxiway.models.own_model import OwnModel
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


def register(client: "MlflowClient", run_id: str, model: str, to_save: ModelToSave) -> int:
    """Save a model and register it as a version of `model`.

    Returns:
        The version; the existing one if this candidate is registered already.

    Raises:
        UntrustedModelError: The fitted model needs types that Taxiway does not load, or has parameters that are not harmless.
    """
    # The version is written last, with its key: a process that is killed before leaves no version.
    from mlflow.entities import LoggedModelOutput

    known = find_version(client, model, to_save.key)
    if known is not None:
        return known
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
    return int(created.version)


def classes_of(client: "MlflowClient", model: str, version: int) -> tuple[str, ...]:
    """The classes of a model version as text, in the order of its probabilities; empty for a regression."""
    return classes_in(client.get_model_version(model, str(version)).tags)


def classes_in(version_tags: Mapping[str, str]) -> tuple[str, ...]:
    """The classes in the tags of a model version; empty for a regression, and for a version of somebody else."""
    try:
        return tuple(map(str, json.loads(version_tags.get(tags.CLASSES, "[]"))))
    except (ValueError, TypeError):  # not written by Taxiway
        return ()


def threshold_in(version_tags: Mapping[str, str]) -> float | None:
    """The decision threshold in the tags of a model version; None for 0.5, and for a version of somebody else."""
    try:
        threshold = float(version_tags.get(tags.THRESHOLD, "nan"))
    except ValueError:
        return None
    return threshold if 0 < threshold < 1 else None


def size_of(client: "MlflowClient", model: str, version: int) -> int | None:
    """The size of the file with the model in bytes; None if it was registered by an older Taxiway, or by somebody else."""
    size = client.get_model_version(model, str(version)).tags.get(tags.MODEL_BYTES, "")
    return int(size) if size.isdecimal() else None


def load_trusted(tracking_uri: str, model: str, version: int, *, code: Path | None = None) -> "PyFuncModel":
    """Download a registered version, check its files against Taxiway's own allow-list, and load it.

    Args:
        tracking_uri: The MLflow server.
        model: The registered model.
        version: Its version.
        code: The folder of trusted code, for models of a team's own class; see `taxiway.models.own_model`.

    Raises:
        UntrustedModelError: The check failed; no method of the model has been called.
        ModelLoadError: The team's code cannot load it.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    with temp_folder("model") as folder:
        return load_folder(download_version(client, client.get_model_version(model, str(version)), folder), code)


def load_folder(folder: Path, code: Path | None = None) -> "PyFuncModel":
    """Check the files of a saved model against Taxiway's own allow-list, load it, and check its parameters.

    Args:
        folder: The files.
        code: The folder of trusted code; see `load_trusted`.

    Raises:
        UntrustedModelError: A check failed; no method of the model has been called.
        ModelLoadError: The team's code cannot load it.
    """
    import mlflow.pyfunc

    check_model(folder)
    loaded: PyFuncModel = mlflow.pyfunc.load_model(str(folder))
    model = loaded.get_raw_model()
    check_parameters(model, str(folder))
    for own in own_models(model):
        own.bind(code)
    return loaded


def own_models(model: Any) -> "list[OwnModel]":
    """The models of a team's own class in a model, at any depth."""
    from taxiway.models.own_model import OwnModel

    return [part for part in objects_in(model) if isinstance(part, OwnModel)]


def download_version(client: "MlflowClient", version: "ModelVersion", folder: Path) -> Path:
    """Download the files of a version into `folder`, and check that they are those that were registered.

    Returns:
        The folder inside it that holds them.

    Raises:
        UntrustedModelError: They are others; or the registry has no digest of them, and they need types that are trusted only with one.
    """
    from mlflow.artifacts import download_artifacts

    uri = _artifact_uri(client, version)
    files = Path(download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=client.tracking_uri))
    registered, name = version.tags.get(tags.FILES), f"{version.name} version {version.version}"
    if registered is None:
        if needs_native_types(files):
            raise UntrustedModelError(
                f"{name} needs types that are trusted only with a digest of the files, and the registry has none; train the model again"
            )
    elif digest_of_folder(files) != registered:
        raise UntrustedModelError(
            f"the files of {name} are not those that were registered: their digest is {digest_of_folder(files)}, the tag {tags.FILES} is "
            f"{registered}. They were not loaded; roll back to another version, or train the model again"
        )
    else:
        _require_tags_of_files(version, files, name)
    return files


def _require_tags_of_files(version: "ModelVersion", files: Path, name: str) -> None:
    """Check that the tags with the classes and the decision threshold, which everybody reads, say what the model itself does.

    Raises:
        UntrustedModelError: They do not.
    """
    classes, threshold = described_in(files)
    tagged = classes_in(version.tags) if tags.CLASSES in version.tags else classes
    if (tagged, threshold_in(version.tags)) != (classes, threshold):
        raise UntrustedModelError(
            f"the tags {tags.CLASSES} and {tags.THRESHOLD} of {name} are {version.tags.get(tags.CLASSES)} and "
            f"{version.tags.get(tags.THRESHOLD)}, but its files have the classes {json.dumps(classes)} and the threshold {threshold}; it was "
            "not loaded. Restore the tags, or train the model again"
        )


def _artifact_uri(client: "MlflowClient", version: "ModelVersion") -> str:
    """The URL of a model version's files; a source such as `models:/m-...` is looked up."""
    source = str(version.source)
    if source.startswith("models:/m-"):
        return str(client.get_logged_model(source.removeprefix("models:/")).artifact_location)
    return source


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
