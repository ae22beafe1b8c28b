"""What goes wrong, as types: errors that a retry may heal, errors that it cannot, and how they speak.

Every message says what was got, what is allowed and what to do next.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class TaxiwayError(Exception):
    """The base of every error that Taxiway raises on purpose."""


class TerminalError(TaxiwayError):
    """Trying again cannot help: the data, the configuration or a decision has to change. Fails an Airflow task at once."""


class FitFailed(TerminalError):
    """An estimator could not be fitted with these parameters on these rows; trying again would not help."""


class TransientError(TaxiwayError):
    """Trying again may help: something outside did not answer. Airflow's retries apply."""


class ConfigError(TerminalError):
    """What a person wrote (a pipeline file, a schema, an argument) cannot be obeyed as it stands."""


class BadData(TerminalError):
    """Data that cannot be read as a table, or that has no rows."""


class CorruptArtifact(TerminalError):
    """Stored bytes that do not have the digest under which they were stored."""


class UntrustedModel(TerminalError):
    """A saved model that asks for types or code outside Taxiway's own allow-list; it was not loaded."""


def allowed_values(got: str, allowed: Iterable[str]) -> str:
    """The sentence that lists what is allowed, with the nearest right word first in mind.

    >>> allowed_values("auc", ["roc_auc", "accuracy"])
    'allowed: accuracy, roc_auc   (did you mean "roc_auc"?)'
    """
    names = sorted(allowed)
    nearest = get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f'   (did you mean "{nearest[0]}"?)' if nearest else ""
    return f"allowed: {', '.join(names)}{hint}"
