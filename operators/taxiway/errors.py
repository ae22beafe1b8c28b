"""The exceptions of Taxiway.

A message says what was found, what is allowed and what to do next; the same facts are attributes. It never contains the user and
password of a URL. Any other exception is a bug and is shown with its traceback.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from taxiway.credentials import without_credentials

_SHOWN_FILES = 5


class TaxiwayError(Exception):
    """The base of all exceptions that Taxiway raises.

    Args:
        message: What went wrong, what is allowed, and what to do next.
        key: The key, parameter or column that the error is about, such as `gate.thresholds.roc_auc`.
        got: The value that was found there.
        allowed: The allowed values.
        file: The file with the mistake.
        line: Its line in that file, from 1.
    """

    def __init__(
        self,
        message: str = "",
        *,
        key: str | None = None,
        got: object = None,
        allowed: Iterable[str] = (),
        file: Path | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(without_credentials(message))
        self.key = key
        self.got = got
        self.allowed = tuple(allowed)
        self.file = file
        self.line = line


class TerminalError(TaxiwayError):
    """An error that a retry cannot fix: the data or the configuration must change. It fails an Airflow task without retries."""


class TransientError(TaxiwayError):
    """An error that a retry may fix, such as a service that does not answer. Airflow's retries apply."""


class ConfigError(TerminalError):
    """A pipeline file, a schema or an argument is not valid."""


class NoRequestsError(TerminalError):
    """There are no requests to look at: the log has none of the model on these days, or there is no champion yet."""


class DataError(TerminalError):
    """Data cannot be read, has no rows, or does not fit its use."""


class ChampionUnscorableError(DataError):
    """The champion cannot be evaluated on the rows of a candidate."""


class FitError(TerminalError):
    """An estimator could not be fitted."""


class NotStoredError(TerminalError):
    """The store has no object or record with this digest."""


class UnreadableRecordError(TerminalError):
    """A stored record has a version that this version of Taxiway cannot read."""


class CorruptArtifactError(TerminalError):
    """A stored file does not have the digest in its name."""


class UntrustedModelError(TerminalError):
    """A saved model needs types or code outside Taxiway's allow-list, and was not loaded."""


class SignatureError(TerminalError):
    """A model's signature does not have a type double or string for each column."""


class RequestError(TerminalError):
    """The gateway rejects a request.

    Args:
        status: The HTTP status of the response.
        message: What is wrong with the request.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Be sent between processes, which by default works only for exceptions with one argument."""
        return type(self), (self.status, self.message)


class LimitError(RequestError):
    """A caller of the gateway exceeds its rate or its rows of the day.

    Args:
        message: Which limit.
        retry_after_s: After how many seconds a request may succeed.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(429, message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        """Be sent between processes."""
        return type(self), (self.message, self.retry_after_s)


class WrongAnswersError(TerminalError):
    """Logged predictions of a gateway differ from those of the model version that they are logged for."""


class ModelLoadError(TerminalError):
    """A worker process cannot load its model, and a retry would not change that."""


class ModelUnavailableError(TaxiwayError):
    """A model version could not be loaded, or its workers keep failing.

    Args:
        message: What is wrong.
        retry_after_s: After how many seconds it is tried again; None if that is not known.
    """

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RestartDelayedError(ModelUnavailableError):
    """One worker process after another has ended soon after its start, so the next one is started later."""


class ModelRefusedError(ModelUnavailableError):
    """Loading a model version fails permanently: it was deleted, is not trusted, or its loader rejects it."""


class WorkerDiedError(TaxiwayError):
    """A worker died during a predict call. The next call starts it again, so a retry may succeed."""


class WorkerLostError(ModelUnavailableError):
    """Workers are lost, and the gateway cannot restart them."""


class StackStartError(TaxiwayError):
    """A part of the embedded stack did not start, or ended or hung too often."""


def allowed_values(got: str, allowed: Iterable[str]) -> str:
    """A message with the allowed values, and the one that is most similar to what was found.

    Args:
        got: The value that is not allowed.
        allowed: The allowed values.

    Examples:
        >>> allowed_values("auc", ["roc_auc", "accuracy"])
        'allowed: accuracy, roc_auc   (did you mean "roc_auc"?)'
    """
    names = sorted(allowed)
    nearest = get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f'   (did you mean "{nearest[0]}"?)' if nearest else ""
    return f"allowed: {', '.join(names)}{hint}"


def similar_names(wanted: str, found: Sequence[str]) -> str:
    """The names that were found instead of one, and the one that is most similar to it.

    Args:
        wanted: The name that is not among them.
        found: The names.

    Examples:
        >>> similar_names("id", ["ids", "late"])
        'ids, late; is ids the one that is meant?'
    """
    nearest = get_close_matches(wanted, found, n=1, cutoff=0.5)
    hint = f"; is {nearest[0]} the one that is meant?" if nearest else ""
    return f"{', '.join(found) or 'no columns'}{hint}"


def similar_files(folder: Path, name: str, extension: str, *, exclude: Path | None = None) -> str:
    """A message about the files of a folder that lacks one: the file with the most similar name, else up to five files.

    Args:
        folder: The folder.
        name: The name of the file that does not exist.
        extension: The extension of the files to name, such as `.yaml`. If the name has a longer one, such as `.pipeline.yaml`, and
            there are files with that, only these are named.
        exclude: A file that is not meant; None for none.

    Returns:
        `did you mean "late.pipeline.yaml"?`, or `files in that folder: a.yaml, b.yaml`.
    """
    names: list[str] = []
    for ending in ("".join(Path(name).suffixes) or extension, extension):
        names = names or sorted(file.name for file in folder.glob(f"*{ending}") if file != exclude)
    by_stem = {found.partition(".")[0]: found for found in names}
    nearest = get_close_matches(name.partition(".")[0], by_stem, n=1)
    if nearest:
        return f'did you mean "{by_stem[nearest[0]]}"?'
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return f"files in that folder: {', '.join(names[:_SHOWN_FILES]) or 'none'}{more}"
