"""The weights of the training rows: a column of them, or what a function of the team's own returns."""

from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import read_rows
from taxiway.errors import ConfigError, DataError, TaxiwayError
from taxiway.messages import clipped, error_text
from taxiway.records import Span
from taxiway.spec.python_refs import look_up_function, names_function, same_process, short_name
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_KEY = "model.weight"
_MAX_ERROR = 500
_NUMBERS = "biufO"
"""The kinds of NumPy's types that may hold numbers; times and texts would be converted to some."""


def weights_of(weight: str, spans: tuple[Span, ...], store: Store) -> "Floats":
    """The weights of training rows.

    Args:
        weight: The column with the weights, or the function that returns them.
        spans: The training spans.
        store: Where their rows are.

    Raises:
        ConfigError: There is no such function, it raised an error, or did not return weights.
        DataError: A weight of the column is missing, negative or no finite number, or all are 0.
    """
    if names_function(weight):
        return _call_function(weight, read_rows(spans, store))
    return _read_column(read_rows(spans, store, [weight])[weight])


def weight_function(path: str) -> Any:
    """The function of `model.weight`.

    Args:
        path: `FILE.py:function` or `package.module:function`.

    Raises:
        ConfigError: The function does not exist, or cannot be called with one argument.
    """
    return look_up_function(path, _KEY, ("rows",), "a function of one argument, the training rows")


def _read_column(column: "pd.Series[Any]") -> "Floats":
    import pandas as pd

    weights: Floats = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if problem := _problem_with(weights):
        raise DataError(f"the weight {column.name} is {problem}; {_ALLOWED}", key=_KEY, got=str(column.name))
    return weights


def _call_function(path: str, rows: "pd.DataFrame") -> "Floats":
    """The weights that a function returns for some rows."""
    function, name, given = weight_function(path), short_name(path), rows.copy()
    try:
        with same_process():
            returned = function(given)
    except (MemoryError, TaxiwayError):
        raise
    except (Exception, SystemExit) as error:  # a team's code may raise anything
        raise ConfigError(f"{_KEY}: {name} raised {clipped(error_text(error), _MAX_ERROR)}", key=_KEY) from error
    if change := _find_change(rows, given):
        raise ConfigError(
            f"{_KEY}: {name} changed {change} of the rows that it got, so its weights may belong to other rows; work on a copy, rows.copy()",
            key=_KEY,
        )
    weights = _as_numbers(returned, rows, name)
    if problem := _problem_with(weights):
        raise ConfigError(f"{_KEY}: {name} returned weights that are {problem}; {_ALLOWED}", key=_KEY)
    return weights


def _find_change(rows: "pd.DataFrame", given: "pd.DataFrame") -> str | None:
    """What a function changed in the rows that it got; None if it only added columns."""
    if not given.index.equals(rows.index):
        return "the order or the number"
    changed = [str(name) for name in rows.columns if name not in given.columns or not rows[name].equals(given[name])]
    return f"the column {changed[0]}" if changed else None


_ALLOWED = "allowed: for each row one number from 0, with a sum from 1e-100 to 1e100"


def _as_numbers(returned: Any, rows: "pd.DataFrame", name: str) -> "Floats":
    import numpy as np
    import pandas as pd

    try:
        found = np.asarray(returned)
        is_text = found.dtype.kind == "O" and any(isinstance(value, str | bytes) for value in found.ravel())
        numbers: Floats = np.asarray(returned if found.dtype.kind in _NUMBERS and not is_text else "no number", dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{_KEY}: {name} returned a {type(returned).__name__} that holds no numbers; {_ALLOWED}", key=_KEY
        ) from error
    if returned is None or numbers.shape != (len(rows),):
        got = "None" if returned is None else f"an array of the shape {numbers.shape}"
        raise ConfigError(f"{_KEY}: {name} returned {got} for {len(rows):,} training rows; {_ALLOWED}", key=_KEY)
    if isinstance(returned, pd.Series) and not returned.index.equals(rows.index):
        raise ConfigError(
            f"{_KEY}: {name} returned a Series whose index is not that of the rows; return the weights in the order of the rows, for example "
            "with reindex(rows.index)",
            key=_KEY,
        )
    return numbers


def _problem_with(weights: "Floats") -> str | None:
    """What estimators cannot calculate with, in words: also weights so small or large that sums of their squares are lost."""
    import numpy as np

    wrong = int((~np.isfinite(weights) | (weights < 0)).sum())
    if wrong:
        return f"missing, negative or no finite number in {wrong:,} of {len(weights):,} training rows"
    largest = weights.max(initial=0)
    return None if largest < 1e100 and weights.sum() >= 1e-100 else f"at most {largest:.3g}"
