"""Load registered models: their files are checked before anything is loaded, and the model before it is used."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import UntrustedModelError
from taxiway.records.digests import digest_of_folder
from taxiway.registry.trust import check_model, check_parameters, described_in, needs_native_types
from taxiway.registry.version_tags import classes_from_tags, threshold_from_tags
from taxiway.store import temp_folder
from taxiway.tracking import tags
from taxiway.training.safe_parameters import objects_in

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.pyfunc import PyFuncModel

    from taxiway.models.own_model import OwnModel

_NOTE = "registered_model_meta"


def load_trusted(
    tracking_uri: str, model: str, version: int, *, code: Path | None = None, files: str | None = None
) -> "PyFuncModel":
    """Download a registered version, check its files against Taxiway's own allow-list, and load it.

    Args:
        tracking_uri: The MLflow server.
        model: The registered model.
        version: Its version.
        code: The folder of trusted code, for models of a team's own class; see `taxiway.models.own_model`.
        files: The digest that its files must have, by a record that MLflow cannot change; None if there is none.

    Raises:
        UntrustedModelError: The check failed; no method of the model has been called.
        ModelLoadError: The team's code cannot load it.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    with temp_folder("model") as folder:
        registered = client.get_model_version(model, str(version))
        return load_folder(download_version(client, registered, folder, files), code)


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


def download_version(client: "MlflowClient", version: "ModelVersion", folder: Path, promoted: str | None = None) -> Path:
    """Download the files of a version into `folder`, and check that they are those that were registered.

    Args:
        client: The MLflow client.
        version: The version.
        folder: Where to download them to.
        promoted: The digest of the files in the ledger, which is signed; None if it has none.

    Returns:
        The folder inside it that holds them.

    Raises:
        UntrustedModelError: They are others, or others than those that were promoted; or the registry has no digest of them, and they need types that are trusted only with one.
    """
    from mlflow.artifacts import download_artifacts

    uri = _artifact_uri(client, version)
    files = Path(download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=client.tracking_uri))
    _remove_note(files)
    registered, name = version.tags.get(tags.FILES), f"{version.name} version {version.version}"
    digest = digest_of_folder(files)
    if promoted is not None and digest != promoted:
        raise UntrustedModelError(
            f"the files of {name} are not those that were trained: their digest is {digest}, by the ledger or the record of the candidate it is {promoted}. Somebody has "
            "changed them in MLflow; restore them, or roll back"
        )
    if registered is None:
        if needs_native_types(files):
            raise UntrustedModelError(
                f"{name} needs types that are trusted only with a digest of the files, and the registry has none; train the model again"
            )
    elif digest != registered:
        raise UntrustedModelError(
            f"the files of {name} are not those that were registered: their digest is {digest}, the tag {tags.FILES} is "
            f"{registered}. They were not loaded; roll back to another version, or train the model again"
        )
    else:
        _require_tags_of_files(version, files, name)
    return files


def _remove_note(files: Path) -> None:
    """Remove the file that MLflow adds to a model where it is kept when somebody loads the version there: its name and number."""
    import yaml

    note = files / _NOTE
    try:
        content = yaml.safe_load(note.read_bytes()) if note.is_file() else None
    except (yaml.YAMLError, UnicodeDecodeError):
        return  # then it is not MLflow's, and the digest of the files will show it
    if isinstance(content, dict) and content.keys() == {"model_name", "model_version"}:
        note.unlink()


def _require_tags_of_files(version: "ModelVersion", files: Path, name: str) -> None:
    """Check that the tags with the classes and the decision threshold, which everybody reads, say what the model itself does.

    Raises:
        UntrustedModelError: They do not.
    """
    classes, threshold = described_in(files)
    tagged = classes_from_tags(version.tags) if tags.CLASSES in version.tags else classes
    if (tagged, threshold_from_tags(version.tags)) != (classes, threshold):
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
