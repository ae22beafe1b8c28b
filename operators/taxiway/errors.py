"""All of Taxiway's errors, in one tree: those that a retry may heal, and those that it cannot.

A message says what was got, what is allowed and what to do next. The same facts are attributes, so that a page or a program need
not parse the message. An exception outside this tree is a bug, and is shown with its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class TaxiwayError(Exception):
    """The base of every error that Taxiway raises on purpose.

    Args:
        message: What went wrong, what is allowed, and what to do next.
        key: The key, parameter or column that the error is about, such as `gate.thresholds.roc_auc`.
        got: The value that was found there.
        allowed: The values that would be right.
        file: The file in which the mistake is.
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
        super().__init__(message)
        self.key = key
        self.got = got
        self.allowed = tuple(allowed)
        self.file = file
        self.line = line


class TerminalError(TaxiwayError):
    """Trying again cannot help: the data, the configuration or a decision has to change. Fails an Airflow task at once."""


class TransientError(TaxiwayError):
    """Trying again may help: something outside did not answer. Airflow's retries apply."""


class ConfigError(TerminalError):
    """What a person wrote (a pipeline file, a schema, an argument) cannot be obeyed as it stands."""


class DataError(TerminalError):
    """Data that cannot be read as a table, or that has no rows."""


class FitError(TerminalError):
    """An estimator could not be fitted with these parameters on these rows."""


class NotStoredError(TerminalError):
    """The store holds no object or record of this digest."""


class UnreadableRecordError(TerminalError):
    """A stored record of a version that this Taxiway does not know."""


class CorruptArtifactError(TerminalError):
    """Stored bytes that do not have the digest under which they were stored."""


class UntrustedModelError(TerminalError):
    """A saved model that asks for types or code outside Taxiway's own allow-list; it was not loaded."""


class SignatureError(TerminalError):
    """A model whose signature does not say, for each of its columns, whether it holds numbers or categories."""


class RequestError(TerminalError):
    """A request that the gateway refuses; `status` is the HTTP status of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class WrongAnswersError(TerminalError):
    """A gateway's log has answers that are not those of the model version that is named beside them."""


class ModelLoadError(TerminalError):
    """A worker process could not load its model."""


class ModelUnavailableError(TaxiwayError):
    """A model version could not be loaded, or its workers keep dying."""


class WorkerLostError(ModelUnavailableError):
    """Workers that the gateway cannot start again are gone."""


class StackStartError(TaxiwayError):
    """A service of the embedded stack did not come up, or ended."""


class StopRequestedError(TaxiwayError):
    """The stack was asked to stop while its services were starting."""


def allowed_values(got: str, allowed: Iterable[str]) -> str:
    """The message that lists what is allowed, with the nearest right word first in mind.

    Examples:
        >>> allowed_values("auc", ["roc_auc", "accuracy"])
        'allowed: accuracy, roc_auc   (did you mean "roc_auc"?)'
    """
    names = sorted(allowed)
    nearest = get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f'   (did you mean "{nearest[0]}"?)' if nearest else ""
    return f"allowed: {', '.join(names)}{hint}"
