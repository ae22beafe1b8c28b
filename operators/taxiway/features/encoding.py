"""The shape in which raw rows reach a model, in training and serving alike.

Every row that a model is fitted to, or predicts for, passes through `raw_frame`, and every prediction through `predict_rows`. So
the answer to a row depends on that row and the model alone, never on the rows that share its call.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError, SignatureError

if TYPE_CHECKING:
    import pandas as pd

# BLAS adds up the products of a row in another order when it has few rows, or a remainder of few rows, to work on: the answers
# of a linear model then differ in their last bits. Multiples of 16 leave no remainder to any of its kernels.
_ROWS_AT_ONCE = 16
_QUOTED = 40
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class ModelColumns:
    """The raw columns that a model takes, in the order of its signature: `numeric` ones as numbers, `categorical` ones as text."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.numeric + self.categorical


def signature_columns(model: Any) -> ModelColumns:
    """The columns of `model` (a pyfunc model) by its signature.

    Raises SignatureError if it has none, or has a type in it that `train` does not write: rows could then be typed by their values
    only, and the values of one row would change the types of another.
    """
    metadata = getattr(model, "metadata", None)
    inputs = metadata.get_input_schema() if metadata else None
    if inputs is None or inputs.is_tensor_spec() or not inputs.has_input_names():
        raise SignatureError("the model has no signature with named columns; save it with one, as `train` does")
    kinds = {name: str(getattr(column.type, "name", column.type)) for name, column in inputs.input_dict().items()}
    for name, kind in kinds.items():
        if kind not in ("double", "string"):
            raise SignatureError(
                f"the model's signature has {name} as {kind}; allowed: double for numbers, string for categories",
                key=name,
                got=kind,
                allowed=("double", "string"),
            )
    numeric = tuple(name for name, kind in kinds.items() if kind == "double")
    return ModelColumns(numeric, tuple(name for name in kinds if name not in numeric))


def raw_frame(
    rows: "pd.DataFrame | Mapping[str, Sequence[Any]]", numeric: Sequence[str], categorical: Sequence[str]
) -> "pd.DataFrame":
    """The model's raw columns, of the types that its signature has: numbers as float64, categories as text or None.

    Args:
        rows: The rows as columns: of a table that was read from a file, or lists of the cells of requests as JSON gives them.
            Both become the same cells. Columns that the model does not take are left out.
        numeric: The names of the columns of numbers. Booleans are 0 and 1, text is read as a number, missing values are NaN.
        categorical: The names of the columns of categories, see `category_text`. Missing values are None.

    Raises:
        DataError: A cell is not what its column needs.
    """
    import pandas as pd

    columns: dict[str, Any] = {name: _numbers(name, rows[name]) for name in numeric}
    columns |= {name: _categories(name, rows[name]) for name in categorical}
    return pd.DataFrame(columns)


def predict_rows(predict: "Callable[[pd.DataFrame], Any]", frame: "pd.DataFrame") -> Any:
    """What `predict` answers to the rows of `frame`, the same bits for a row however many others share the call.

    The last row is repeated until there is a multiple of 16 rows, and the answers to the repetitions are left out. Raises
    ValueError if `predict` does not give one answer for each row.
    """
    import numpy as np

    rows = len(frame)
    repeated = -rows % _ROWS_AT_ONCE
    padded = frame if not repeated else frame.iloc[np.minimum(np.arange(rows + repeated), rows - 1)]
    answers = predict(padded.reset_index(drop=True))
    if len(answers) != rows + repeated:
        raise ValueError(f"it gave {len(answers) - repeated} answers for {rows} rows")
    return answers[:rows]


def category_text(value: Any) -> str:
    """A category's or a label's value as text: the same for an integer, for the float or decimal that a file holds it as, and
    for what a request has of it as JSON; a date or time as ISO 8601 writes it.

    Examples:
        >>> [category_text(value) for value in (1, 1.0, "1", True, 1.5, date(2013, 6, 1))]
        ['1', '1', '1', 'True', '1.5', '2013-06-01']
    """
    if isinstance(value, Decimal) and value.is_finite():
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _numbers(name: str, values: Any) -> Any:
    import numpy as np

    if isinstance(getattr(values, "dtype", None), np.dtype) and values.dtype.kind in "biuf":
        return np.asarray(values, dtype="float64")
    cells, gone = _cells(values)
    numbers = [
        np.nan if missing else _number(name, row, cell) for row, (cell, missing) in enumerate(zip(cells, gone, strict=True))
    ]
    return np.array(numbers, dtype="float64")


def _number(name: str, row: int, cell: Any) -> float:
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell):  # Python would read 1_0, and inf, too
        raise _unfit(name, row, cell, "a number, or null")
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise _unfit(name, row, cell, "a number, or null") from None


def _categories(name: str, values: Any) -> "pd.Series[Any]":
    import pandas as pd

    cells, gone = _cells(values)
    texts = [
        None if missing else _category(name, row, cell) for row, (cell, missing) in enumerate(zip(cells, gone, strict=True))
    ]
    return pd.Series(texts, dtype="object")  # of other types pandas would make text, and NaN of None


def _category(name: str, row: int, cell: Any) -> str:
    if hasattr(cell, "__len__") and not isinstance(cell, str):
        raise _unfit(name, row, cell, "a text, a number, true, false or null")
    return category_text(cell)


def _cells(values: Any) -> "tuple[pd.Series[Any], pd.Series[Any]]":
    """The cells one by one, whatever type the column had, and which of them are missing."""
    import pandas as pd

    cells = pd.Series(values, dtype="object")
    return cells, cells.isna()


def _unfit(name: str, row: int, cell: Any, allowed: str) -> DataError:
    got = repr(cell) if len(repr(cell)) <= _QUOTED else f"{repr(cell)[:_QUOTED]}..."
    return DataError(f"row {row} has {got} in column {name}; allowed: {allowed}", key=name, got=got, allowed=(allowed,))
