"""The form of the raw rows that a model gets, the same in training and in serving.

All rows that a model is fitted on or predicts for pass through `raw_frame`, and all predictions through `predict_rows`. The
prediction for a row therefore depends only on that row and the model, not on the other rows of the call.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import LIST_OF
from taxiway.errors import DataError
from taxiway.features.cells import NUMBER, UnfitError, boolean, is_boolean, moment_text, shortest, typed
from taxiway.features.columns import FeatureColumns
from taxiway.features.list_cells import list_text
from taxiway.records import FeatureSet

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# BLAS sums the products of a row in another order if there are few rows, or few rows left over, so the predictions of a linear
# model differ in their last bits. With multiples of 16 rows, none of its kernels has rows left over.
_ROWS_AT_ONCE = 16
_QUOTED = 40
MAX_NUMBER = 3.4e38
"""The largest number of a column: about that of 32-bit floats."""
_SMALL_FLOATS = ("float16", "float32")
_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = _EPOCH.toordinal()
_DAY_SECONDS = 86_400
_NOT_BOOLEAN = ("integer", "number")
_NO_TYPES: Mapping[str, str] = {}
_INTEGERS = frozenset((type(None), int))
_BOOLEANS = frozenset((type(None), bool))
_PLAIN_NUMBERS = frozenset((type(None), int, float))
_TEXTS = frozenset((type(None), str))
_JSON_TYPES = frozenset((type(None), bool, int, float, str, list))


def raw_frame(
    rows: "pd.DataFrame | Mapping[str, Sequence[Any]]",
    numeric: Sequence[str],
    categorical: Sequence[str],
    types: Mapping[str, str] = _NO_TYPES,
    *,
    lenient: bool = False,
) -> "pd.DataFrame":
    """The raw columns of a model: float64 for numbers, text or None for categories and lists.

    Args:
        rows: The rows by column, from a table or as lists of JSON values from requests; both give the same result. Other columns
            are left out.
        numeric: The columns of numbers. Booleans become 0 and 1, text is parsed, dates and times become seconds since 1970 in UTC,
            missing values become NaN, and infinity is refused.
        categorical: The columns of categories and of free text, see `category_text`, and of lists, see `list_text`. Missing values
            become None.
        types: The types of columns at the source, as in the model's signature. A value must be of its type: `true` and `"true"` are
            the same boolean, 7.0 is an integer and 7.5 is none, a number is not a text, and a boolean is not a number. Columns that are not in it may have any values,
            but not lists.
        lenient: Whether values that do not have the type of their column are used instead of raising an error: a category becomes
            its text, which no model knows, and any number counts as a number; infinity, and anything that is not a date or a list, become missing values.

    Raises:
        DataError: A value does not have the type of its column.
    """
    import pandas as pd

    numbers, texts = raw_columns(rows, numeric, categorical, types, lenient=lenient)
    # With another type, pandas would change None to NaN.
    return pd.DataFrame({**numbers, **{name: pd.Series(cells, dtype="object") for name, cells in texts.items()}})


def raw_columns(
    rows: "pd.DataFrame | Mapping[str, Sequence[Any]]",
    numeric: Sequence[str],
    categorical: Sequence[str],
    types: Mapping[str, str] = _NO_TYPES,
    *,
    lenient: bool = False,
) -> "tuple[dict[str, Floats], dict[str, list[str | None]]]":
    """The columns of `raw_frame`, which costs more than these for few rows: float64 for numbers, and text or None for categories."""
    numbers = {name: _numbers(name, rows[name], types.get(name), lenient=lenient) for name in numeric}
    return numbers, {name: _categories(name, rows[name], types.get(name), lenient=lenient) for name in categorical}


def frame_of(features: FeatureSet, rows: "pd.DataFrame") -> "pd.DataFrame":
    """The raw columns of a model of a feature set, from rows that were read from its source; see `raw_frame`."""
    columns = FeatureColumns.of(features)
    return raw_frame(rows, columns.as_numbers, columns.as_text, features.types)


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
    return _of_rows(predict(padded.reset_index(drop=True)), rows, repeated)


def predict_features(predict: "Callable[[Floats], Any]", features: "Floats") -> Any:
    """The same as `predict_rows` for the features (rows, columns) that an estimator takes."""
    import numpy as np

    rows = len(features)
    repeated = -rows % _ROWS_AT_ONCE
    padded = features if not repeated else np.concatenate([features, np.repeat(features[-1:], repeated, axis=0)])
    return _of_rows(predict(padded), rows, repeated)


def _of_rows(answers: Any, rows: int, repeated: int) -> Any:
    if len(answers) != rows + repeated:
        raise ValueError(f"predict returned {len(answers) - repeated} predictions for {rows} rows")
    return answers[:rows]


def category_text(value: Any) -> str:
    """The text of a category or label: the same for an integer, a whole float or decimal, and its JSON value.

    Dates and times are in ISO 8601, and times with a zone in UTC.

    Examples:
        >>> [category_text(value) for value in (1, 1.0, "1", True, 1.5, date(2013, 6, 1))]
        ['1', '1', '1', 'True', '1.5', '2013-06-01']
    """
    if isinstance(value, Decimal) and value.is_finite():
        value = int(value) if value == value.to_integral_value() else float(value)
    if type(value).__name__ in _SMALL_FLOATS:
        value = shortest(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return moment_text(value) if isinstance(value, date) else str(value)


def _numbers(name: str, values: Any, kind: str | None, *, lenient: bool) -> Any:
    """The numbers of a column, NaN for missing ones. What no 32-bit float holds is an error: some estimators refuse it, without its column."""
    import numpy as np

    numbers = _floats(name, values, kind, lenient=lenient)
    sizes = np.abs(numbers)
    too_large = sizes > MAX_NUMBER
    if lenient:
        return np.where(too_large, np.nan, numbers) if too_large.any() else numbers
    _require_none(too_large, name, numbers, "a number from -3.4e38 to 3.4e38, or null")
    if kind == "integer" and not _has_types(values, _INTEGERS):
        _require_none(sizes % 1 > 0, name, numbers, "an integer, or null")
    elif kind == "boolean" and not _has_types(values, _BOOLEANS):
        _require_none((numbers != 0) & (numbers != 1) & (sizes >= 0), name, numbers, "true, false or null")
    return numbers


def _has_types(values: Any, types: frozenset[type]) -> bool:
    """Whether the values of a request have only these types. This costs less than a comparison of few numbers."""
    return type(values) is list and types.issuperset(map(type, values))


def _require_none(unfit: Any, name: str, numbers: "Floats", allowed: str) -> None:
    """Raise DataError for the first number that is `unfit`."""
    if unfit.any():
        row = int(unfit.argmax())
        raise _unfit_error(name, row, float(numbers[row]), allowed)


def _floats(name: str, values: Any, kind: str | None, *, lenient: bool) -> Any:
    import numpy as np

    is_date = kind in ("date", "datetime")
    if type(values) is list and not is_date and _PLAIN_NUMBERS.issuperset(map(type, values)):
        with suppress(OverflowError):  # an integer with hundreds of digits, which is reported below
            return np.array(values, dtype="float64")
    if isinstance(getattr(values, "dtype", None), np.dtype):
        if values.dtype.kind in ("iuf" if kind in _NOT_BOOLEAN else "biuf") and not is_date:
            return np.asarray(values, dtype="float64")
        if values.dtype.kind == "M":
            seconds = _seconds_of(np.asarray(values))
            if kind != "date" or not (seconds % _DAY_SECONDS > 0).any():
                return seconds
    cells, missing_cells = _cells(values)
    numbers = [
        np.nan
        if missing
        else _seconds(name, row, cell, str(kind), lenient=lenient)
        if is_date
        else _number(name, row, cell, kind, lenient=lenient)
        for row, (cell, missing) in enumerate(zip(cells, missing_cells, strict=True))
    ]
    return np.array(numbers, dtype="float64")


def _seconds_of(times: Any) -> Any:
    """The seconds since 1970 of times of NumPy's type; NaN for missing ones."""
    import numpy as np

    micros = times.astype("datetime64[us]")
    return np.where(np.isnat(micros), np.nan, micros.astype("int64") / 1e6)


def _seconds(name: str, row: int, cell: Any, kind: str, *, lenient: bool) -> float:
    """The seconds since 1970 of a date or time, which is in UTC if it has no zone."""
    try:
        moment = typed(cell, kind)
    except UnfitError as unfit:
        if lenient:
            return math.nan
        raise _unfit_error(name, row, cell, f"{unfit}, or null") from None
    if hasattr(moment, "to_pydatetime"):  # of pandas, which may have nanoseconds
        moment = moment.to_pydatetime(warn=False)
    if not isinstance(moment, datetime):
        return float((moment.toordinal() - _EPOCH_DAY) * _DAY_SECONDS)
    return float((moment - (_EPOCH if moment.tzinfo is None else _EPOCH.replace(tzinfo=UTC))).total_seconds())


def _number(name: str, row: int, cell: Any, kind: str | None, *, lenient: bool) -> float:
    if kind in _NOT_BOOLEAN and is_boolean(cell) and not lenient:
        raise _unfit_error(name, row, cell, f"{'an integer' if kind == 'integer' else 'a number'}, or null")
    if isinstance(cell, str) and not NUMBER.fullmatch(cell):
        if kind == "boolean" and (found := boolean(cell)) is not None:
            return float(found)
        raise _unfit_error(name, row, cell, "a number, or null")
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise _unfit_error(name, row, cell, "a number, or null") from None


def _categories(name: str, values: Any, kind: str | None, *, lenient: bool) -> list[str | None]:
    if type(values) is list and kind in (None, "string") and _TEXTS.issuperset(map(type, values)):
        return list(values)
    cells, missing_cells = _cells(values)
    # A text is its own category: without a call for each of these, a frame is made three times as fast.
    own = str if kind in (None, "string") else None
    return [
        None if missing else cell if type(cell) is own else _category_or_missing(name, row, cell, kind, lenient=lenient)
        for row, (cell, missing) in enumerate(zip(cells, missing_cells, strict=True))
    ]


def _category_or_missing(name: str, row: int, cell: Any, kind: str | None, *, lenient: bool) -> str | None:
    if kind is not None and kind.startswith(LIST_OF):
        return _list_as_text(name, row, cell, kind.removeprefix(LIST_OF), lenient=lenient)
    if hasattr(cell, "__len__") and not isinstance(cell, str):
        raise _unfit_error(name, row, cell, "a text, a number, true, false or null")
    try:
        return category_text(cell if kind is None else typed(cell, kind))
    except UnfitError as unfit:
        if lenient:
            return category_text(cell)
        raise _unfit_error(name, row, cell, f"{unfit}, or null") from None


def _list_as_text(name: str, row: int, cell: Any, kind: str, *, lenient: bool) -> str | None:
    try:
        return list_text(cell, kind, category_text, lenient=lenient)
    except UnfitError as unfit:
        if lenient:
            return None
        raise _unfit_error(name, row, cell, f"{unfit}, or null") from None


def _cells(values: Any) -> tuple[list[Any], list[bool]]:
    """The values as objects, whatever the type of the column, and which of them are missing."""
    import pandas as pd

    if type(values) is list and all(
        type(cell) in _JSON_TYPES for cell in values
    ):  # for a few cells, pandas costs 50 times as much
        return values, [cell is None or cell != cell for cell in values]
    kind = getattr(values, "dtype", None)
    if isinstance(kind, pd.ArrowDtype) and isinstance(kind.type, type) and issubclass(kind.type, list):
        values = values.array.__arrow_array__().to_pylist()  # pandas would round large integers beside a missing one
    if str(kind) in _SMALL_FLOATS:  # pandas would make floats with more digits of them
        values = [shortest(cell) for cell in pd.Series(values).to_numpy()]
    cells = pd.Series(values, dtype="object")
    return cells.tolist(), cells.isna().tolist()


def _unfit_error(name: str, row: int, cell: Any, allowed: str) -> DataError:
    whole = str(bool(cell)).lower() if is_boolean(cell) else repr(cell)
    got = whole if len(whole) <= _QUOTED else f"{whole[:_QUOTED]}..."
    return DataError(f"row {row}: column {name} is {got}; allowed: {allowed}", key=name, got=got, allowed=(allowed,))
