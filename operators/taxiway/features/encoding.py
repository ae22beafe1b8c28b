"""The form of the raw rows that a model gets, the same in training and in serving.

All rows that a model is fitted on or predicts for pass through `raw_frame`, and all predictions through `predict_rows`. The
prediction for a row therefore depends only on that row and the model, not on the other rows of the call.
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

# BLAS sums the products of a row in another order if there are few rows, or few rows left over, so the predictions of a linear
# model differ in their last bits. With multiples of 16 rows, none of its kernels has rows left over.
_ROWS_AT_ONCE = 16
_QUOTED = 40
_LONGEST_NUMBER = 1000  # characters; a longer text would take its time to parse
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)  # takes linear time


@dataclass(frozen=True)
class ModelColumns:
    """The raw columns that a model takes, in the order of its signature.

    Attributes:
        numeric: The columns of numbers.
        categorical: The columns of categories, as text.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The numeric columns, then the categorical ones."""
        return self.numeric + self.categorical


def signature_columns(model: Any) -> ModelColumns:
    """The columns in the signature of a pyfunc model.

    Raises:
        SignatureError: There is no signature with named columns, or it has a type other than double and string. Types would then be
            inferred from the values, and one row could change the types of another.
    """
    metadata = getattr(model, "metadata", None)
    inputs = metadata.get_input_schema() if metadata else None
    if inputs is None or inputs.is_tensor_spec() or not inputs.has_input_names():
        raise SignatureError(
            "the model has no signature with named columns; log it with a signature of double and string columns"
        )
    kinds = {name: str(getattr(column.type, "name", column.type)) for name, column in inputs.input_dict().items()}
    for name, kind in kinds.items():
        if kind not in ("double", "string"):
            raise SignatureError(
                f"the type of {name} in the model's signature is {kind}; allowed: double for numbers, string for categories",
                key=name,
                got=kind,
                allowed=("double", "string"),
            )
    numeric = tuple(name for name, kind in kinds.items() if kind == "double")
    return ModelColumns(numeric, tuple(name for name in kinds if name not in numeric))


def raw_frame(
    rows: "pd.DataFrame | Mapping[str, Sequence[Any]]", numeric: Sequence[str], categorical: Sequence[str]
) -> "pd.DataFrame":
    """The raw columns of a model, with the types of its signature: float64 for numbers, text or None for categories.

    Args:
        rows: The rows by column, from a table or as lists of JSON values from requests; both give the same result. Other columns
            are left out.
        numeric: The columns of numbers. Booleans become 0 and 1, text is parsed, missing values become NaN.
        categorical: The columns of categories; see `category_text`. Missing values become None.

    Raises:
        DataError: A value does not have the type of its column.
    """
    import pandas as pd

    columns: dict[str, Any] = {name: _numbers(name, rows[name]) for name in numeric}
    columns |= {name: _categories(name, rows[name]) for name in categorical}
    return pd.DataFrame(columns)


def predict_rows(predict: "Callable[[pd.DataFrame], Any]", frame: "pd.DataFrame") -> Any:
    """The predictions for the rows of `frame`, bit for bit independent of the number of rows in the call.

    The last row is repeated up to a multiple of 16 rows, and the predictions for the repeated rows are dropped.

    Args:
        predict: The predict function of a model.
        frame: The rows, from `raw_frame`.

    Raises:
        ValueError: `predict` does not return one prediction for each row.
    """
    import numpy as np

    rows = len(frame)
    repeated = -rows % _ROWS_AT_ONCE
    padded = frame if not repeated else frame.iloc[np.minimum(np.arange(rows + repeated), rows - 1)]
    answers = predict(padded.reset_index(drop=True))
    if len(answers) != rows + repeated:
        raise ValueError(f"predict returned {len(answers) - repeated} predictions for {rows} rows")
    return answers[:rows]


def category_text(value: Any) -> str:
    """The text of a category or label: the same for an integer, a whole float or decimal, and its JSON value; ISO 8601 for dates.

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
    cells, missing_cells = _cells(values)
    numbers = [
        np.nan if missing else _number(name, row, cell)
        for row, (cell, missing) in enumerate(zip(cells, missing_cells, strict=True))
    ]
    return np.array(numbers, dtype="float64")


def _number(name: str, row: int, cell: Any) -> float:
    # Python would read 1_0, and inf, too.
    if isinstance(cell, str) and (len(cell) > _LONGEST_NUMBER or not _NUMBER.fullmatch(cell)):
        raise _unfit(name, row, cell, "a number, or null")
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise _unfit(name, row, cell, "a number, or null") from None


def _categories(name: str, values: Any) -> "pd.Series[Any]":
    import pandas as pd

    cells, missing_cells = _cells(values)
    texts = [
        None if missing else _category(name, row, cell)
        for row, (cell, missing) in enumerate(zip(cells, missing_cells, strict=True))
    ]
    return pd.Series(texts, dtype="object")  # with another type, pandas would change None to NaN


def _category(name: str, row: int, cell: Any) -> str:
    if hasattr(cell, "__len__") and not isinstance(cell, str):
        raise _unfit(name, row, cell, "a text, a number, true, false or null")
    return category_text(cell)


def _cells(values: Any) -> "tuple[pd.Series[Any], pd.Series[Any]]":
    """The values as objects, whatever the type of the column, and which of them are missing."""
    import pandas as pd

    cells = pd.Series(values, dtype="object")
    return cells, cells.isna()


def _unfit(name: str, row: int, cell: Any, allowed: str) -> DataError:
    got = repr(cell) if len(repr(cell)) <= _QUOTED else f"{repr(cell)[:_QUOTED]}..."
    return DataError(f"row {row}: column {name} is {got}; allowed: {allowed}", key=name, got=got, allowed=(allowed,))
