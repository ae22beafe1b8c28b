"""The gateway's lookups in the MLflow registry: the champion of a model, a version, and a version's files. All of them are blocking calls."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.credentials import without_credentials
from taxiway.errors import ModelRefusedError, RequestError, TransientError, UntrustedModelError
from taxiway.messages import clipped
from taxiway.registry.aliases import CHAMPION, aliases_of
from taxiway.registry.version_tags import classes_from_tags, threshold_from_tags
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_MAX_ERROR_CHARS = 500


@dataclass(frozen=True)
class RegisteredVersion:
    """A model version, as the registry knows it.

    Attributes:
        model: The registered model.
        version: Its version.
        identity: Where its files are and when it was created; it changes if the model is deleted and registered again.
        verdict: The status of the model gate's verdict; None without one.
        trained_by_taxiway: Whether a pipeline of Taxiway trained it, so that it should have a verdict.
        classes: Its classes as text, in the order of its probabilities; empty for a regression, and if they are not known.
        threshold: The probability at or above which it predicts the second of two classes; None for 0.5.
        files_digest: The digest of its files in the ledger; None if the ledger has none.
        forced_promotion: When, by whom and why it was made champion although it had not passed its gates; None if it had.
    """

    model: str
    version: int
    identity: str
    verdict: str | None = None
    trained_by_taxiway: bool = False
    classes: Sequence[str] = ()
    threshold: float | None = None
    files_digest: str | None = None
    forced_promotion: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # from JSON, it is a list


def champion_version(tracking_uri: str, model: str) -> RegisteredVersion | None:
    """The version with the alias `champion`; None if there is none.

    Raises:
        RequestError: 404 if there is no such model.
        TransientError: The registry does not answer.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri)
    with translate_errors(f"no model {model} is registered at {tracking_uri}; use the name of a registered model"):
        try:
            return _registered_version(client.get_model_version_by_alias(model, CHAMPION))
        except MlflowException as error:
            if not _is_not_found(error):
                raise
        # Raises an error if the model does not exist. The alias may have been set since the first request.
        version = aliases_of(client, model).get(CHAMPION)
    return None if version is None else version_of(tracking_uri, model, int(version))


def version_of(tracking_uri: str, model: str, version: int) -> RegisteredVersion:
    """A model version.

    Raises:
        RequestError: 404 if it does not exist.
        TransientError: The registry does not answer.
    """
    from mlflow import MlflowClient

    with translate_errors(f"{model} has no version {version} at {tracking_uri}"):
        return _registered_version(MlflowClient(tracking_uri).get_model_version(model, str(version)))


def download_version(tracking_uri: str, version: RegisteredVersion, folder: Path) -> Path:
    """Download a version's files into `folder`, which is created; returns the folder inside it that holds them.

    Raises:
        RequestError: 404 if the version does not exist any more.
        ModelRefusedError: The files are not those that were registered, or not those that the ledger names.
        TransientError: The files cannot be downloaded now.
    """
    from mlflow import MlflowClient

    from taxiway.registry.load import download_version as download

    client, name = MlflowClient(tracking_uri), f"{version.model} version {version.version}"
    folder.mkdir()
    with translate_errors(f"{name} does not exist any more"):
        registered = client.get_model_version(version.model, str(version.version))
    try:
        return download(client, registered, folder, version.files_digest)
    except UntrustedModelError as error:
        raise ModelRefusedError(str(error)) from error
    except Exception as error:  # of any file system or HTTP library, as the files may be anywhere
        why = clipped(without_credentials(f"{type(error).__name__}: {error}"), _MAX_ERROR_CHARS)
        raise TransientError(f"the files of {name} cannot be downloaded: {why}") from error


def _registered_version(version: "ModelVersion") -> RegisteredVersion:
    return RegisteredVersion(
        model=version.name,
        version=int(version.version),
        identity=f"{version.source} {version.creation_timestamp}",
        verdict=version.tags.get(tags.VERDICT),
        trained_by_taxiway=tags.CANDIDATE in version.tags,
        classes=classes_from_tags(version.tags),
        threshold=threshold_from_tags(version.tags),
    )


@contextmanager
def translate_errors(not_found_message: str) -> Iterator[None]:
    """Raise errors of the MLflow client as RequestError (404) if something does not exist, else as TransientError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if _is_not_found(error):
            raise RequestError(404, not_found_message) from error
        why = clipped(without_credentials(str(error)), _MAX_ERROR_CHARS)
        raise TransientError(f"the request to the MLflow registry failed: {why}") from error


def _is_not_found(error: Exception) -> bool:
    """Whether MLflow itself says that something does not exist. A 404 of a proxy in front of it is not a RestException."""
    from mlflow.exceptions import RestException

    code = getattr(error, "error_code", "")
    return code == "INVALID_PARAMETER_VALUE" or (isinstance(error, RestException) and code == "RESOURCE_DOES_NOT_EXIST")
