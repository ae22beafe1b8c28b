"""Hashes of rows that depend on the values, but not on the types that a file or pandas has given to the columns.

The hashes are recorded, and sets of rows are compared with earlier ones by them, so the hash of a value must never change.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from taxiway.features.cells import is_boolean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Integers = NDArray[np.int64]

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400
_SECOND_NS = 10**9
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": _SECOND_NS}
_NO_TIME = -(2**63)
"""The integer of a missing time in NumPy."""
_EXACT = 2**53  # beyond it, a float may stand for several integers
_WORD = 32
_MIX = 0x9E3779B97F4A7C15


def row_hashes(rows: "pd.DataFrame") -> "Hashes":
    """A hash of each row, the same for any order of the columns, and for equal values of different types.

    The integer 1, 1.0, the decimal 1.00 and true are equal, as are a date and its midnight, and the same moment in two time zones. A
    missing value has the hash of a missing number, of a missing time, or of an empty text, whichever the values of its column are; if
    the whole column is missing, its type decides.

    Args:
        rows: The rows.

    Returns:
        Numbers of 64 bits (rows).
    """
    import numpy as np

    mixed = np.zeros(len(rows), dtype=np.uint64)
    for position, name in enumerate(rows.columns):
        salt = np.uint64(int.from_bytes(blake2b(str(name).encode(), digest_size=8).digest()) | 1)
        mixed += (_column_hashes(rows.iloc[:, position]) ^ salt) * salt
    return mixed


def _column_hashes(column: "pd.Series[Any]") -> "Hashes":
    import numpy as np
    import pandas as pd
    from pandas.api import types

    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        # A missing value has the code -1, which is the position of None.
        by_code: Hashes = _object_hashes(pd.Series([*column.cat.categories, None], dtype="object"))[column.cat.codes]
        return by_code
    if isinstance(kind, pd.ArrowDtype):
        return _column_hashes(column.array.__arrow_array__().to_pandas(integer_object_nulls=True))
    if types.is_datetime64_any_dtype(kind):
        in_utc = column if column.dt.tz is None else column.dt.tz_convert(None)
        return _moment_hashes(*_seconds_of(in_utc.to_numpy()))
    if types.is_integer_dtype(kind) and not column.hasnans:
        return _integer_hashes(column.to_numpy(dtype="uint64" if types.is_unsigned_integer_dtype(kind) else "int64"))
    if types.is_bool_dtype(kind) or types.is_float_dtype(kind):
        return _float_hashes(column.to_numpy(dtype="float64", na_value=np.nan))
    if isinstance(kind, pd.StringDtype):
        return pd.util.hash_array(column.to_numpy(dtype="object", na_value=""))
    return _object_hashes(column.astype("object"))


def _object_hashes(column: "pd.Series[Any]") -> "Hashes":
    """The hashes of a column of objects, which may be of several types."""
    import numpy as np
    import pandas as pd
    from pandas.api import types

    if types.infer_dtype(column, skipna=True) in ("string", "empty"):
        return pd.util.hash_array(column.to_numpy(dtype="object", na_value=""))
    missing = column.isna().to_numpy()
    present = column[~missing]
    try:
        codes, found = pd.factorize(present)
        values = found.tolist()
    except TypeError:  # lists and dictionaries have no hash
        codes, values = np.arange(len(present)), present.tolist()
    kinds = np.array([_kind_of(value) for value in values])
    hashes = np.zeros(len(values), dtype=np.uint64)
    for kind, hashes_of in _HASHES.items():
        if (at := np.flatnonzero(kinds == kind)).size:
            hashes[at] = hashes_of([values[i] for i in at])
    of_rows = np.full(len(column), _missing_hash(set(kinds.tolist())), dtype=np.uint64)
    of_rows[~missing] = hashes[codes]
    return of_rows


def _kind_of(value: Any) -> str:
    if isinstance(value, Decimal | Real) or is_boolean(value):  # those of NumPy are no numbers of Python
        return "number"
    return "moment" if isinstance(value, date) else "text"


def _missing_hash(kinds: set[str]) -> int:
    """The hash of a missing value beside values of these kinds: the one that a column of NumPy's type has, or that of an empty text."""
    import numpy as np
    import pandas as pd

    if kinds == {"number"}:
        return int(_float_hashes(np.array([np.nan]))[0])
    if kinds == {"moment"}:
        return int(_moment_hashes(np.array([_NO_TIME]), np.array([0]))[0])
    return int(pd.util.hash_array(np.array([""], dtype="object"))[0])


def _float_hashes(values: "NDArray[np.float64]") -> "Hashes":
    import pandas as pd

    return pd.util.hash_array(values + 0.0)  # -0.0 is 0.0


def _integer_hashes(values: "NDArray[Any]") -> "Hashes":
    """The hashes of integers of 64 bits: those of floats, except for integers that no float stands for."""
    import numpy as np

    hashes = _float_hashes(values.astype("float64"))
    if not values.size or (int(values.min()) >= -_EXACT and int(values.max()) <= _EXACT):
        return hashes
    return np.where(_have_floats(values), hashes, _word_hashes(values >> _WORD, values & (2**_WORD - 1)))


def _have_floats(values: "NDArray[Any]") -> "NDArray[np.bool_]":
    """Whether a float stands for each of these integers."""
    import numpy as np

    floats = values.astype("float64")
    in_range = floats < 2.0 ** (64 if values.dtype.kind == "u" else 63)
    found: NDArray[np.bool_] = in_range & (np.where(in_range, floats, 0.0).astype(values.dtype) == values)
    return found


def _word_hashes(high: "NDArray[Any]", low: "NDArray[Any]") -> "Hashes":
    """The hashes of pairs of integers, each of which a float stands for."""
    import numpy as np

    return _float_hashes(high.astype("float64")) + _float_hashes(low.astype("float64")) * np.uint64(_MIX)


def _number_hashes(values: Sequence[Any]) -> "Hashes":
    """The hashes of numbers of Python, among them decimals and integers of any size."""
    import numpy as np
    import pandas as pd

    floats = [_as_float(value) for value in values]
    hashes = _float_hashes(np.array([0.0 if number is None else number for number in floats]))
    for at in (at for at, number in enumerate(floats) if number is None):
        value = values[at]
        if _is_whole(value) and -(2**63) <= int(value) < 2**64:
            high, low = divmod(int(value), 2**_WORD)
            hashes[at] = _word_hashes(np.array([high]), np.array([low]))[0]
        else:
            hashes[at] = pd.util.hash_array(np.array([_number_text(value)], dtype="object"))[0]
    return hashes


def _as_float(value: Any) -> float | None:
    """The float that stands for a number, of a fraction the one that is written like it; None if there is none."""
    if not isinstance(value, Decimal | Integral):
        return float(value)
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return number if isinstance(value, Decimal) and not value.is_finite() else None
    if isinstance(value, Decimal) and (abs(number) <= _EXACT or not _is_whole(value)):
        return number if Decimal(repr(number)) == value or Decimal(number) == value else None
    return number if int(number) == int(value) else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) or bool(value == value.to_integral_value())


def _number_text(value: Any) -> str:
    """The digits of a number that no float stands for."""
    return str(int(value)) if _is_whole(value) else f"{value:f}".rstrip("0")


def _seconds_of(times: "NDArray[Any]") -> "tuple[Integers, Integers]":
    """The seconds since 1970 of times of NumPy's type, and the nanoseconds after them."""
    import numpy as np

    counts = times.astype("int64")
    per_second = _PER_SECOND[np.datetime_data(times.dtype)[0]]
    seconds, rest = np.divmod(counts, per_second)
    missing = counts == _NO_TIME
    return np.where(missing, _NO_TIME, seconds), np.where(missing, 0, rest * (_SECOND_NS // per_second))


def _seconds_of_moment(moment: date) -> tuple[int, int]:
    """The seconds since 1970 of a date or time, which is in UTC if it has no zone, and the nanoseconds after them."""
    seconds = (moment.toordinal() - _EPOCH_DAY) * _DAY_SECONDS
    if not isinstance(moment, datetime):
        return seconds, 0
    offset = moment.utcoffset()
    seconds += moment.hour * 3600 + moment.minute * 60 + moment.second
    rest = moment.microsecond * 1000 + getattr(moment, "nanosecond", 0)
    return seconds - (0 if offset is None else int(offset.total_seconds())), rest


def _moment_hashes(seconds: "Integers", rest: "Integers") -> "Hashes":
    """The hashes of moments: those of the nanoseconds since 1970, if 64 bits hold them (from 1677 to 2262)."""
    import numpy as np
    import pandas as pd

    missing = seconds == _NO_TIME
    nanoseconds = np.where(missing, _NO_TIME, seconds * _SECOND_NS + rest)
    hashes = pd.util.hash_array(nanoseconds)
    far = ~missing & ((nanoseconds // _SECOND_NS != seconds) | (nanoseconds == _NO_TIME))
    return np.where(far, _word_hashes(seconds, rest), hashes) if far.any() else hashes


def _hashes_of_moments(values: Sequence[date]) -> "Hashes":
    import numpy as np

    seconds, rest = np.array([_seconds_of_moment(value) for value in values], dtype="int64").T
    return _moment_hashes(seconds, rest)


def _text_hashes(values: Sequence[Any]) -> "Hashes":
    import numpy as np
    import pandas as pd

    texts = np.empty(len(values), dtype="object")
    texts[:] = [_text_of(value) for value in values]
    return pd.util.hash_array(texts)


_HASHES: Mapping[str, Callable[[Sequence[Any]], "Hashes"]] = {
    "number": _number_hashes,
    "moment": _hashes_of_moments,
    "text": _text_hashes,
}


def _text_of(value: Any) -> str:
    """The text of a value that is no number and no moment; of lists and structs the same for equal items of any types."""
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """A value as JSON has it: numbers as floats, so that 1 and 1.0 are the same; NaN is missing."""
    import pandas as pd

    if isinstance(value, str):
        return value
    if type(value) is float:
        return None if math.isnan(value) else value + 0.0
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    is_array = getattr(value, "ndim", 0) > 0
    if is_array and value.dtype.kind == "M":
        pairs = zip(*(part.tolist() for part in _seconds_of(value)), strict=True)
        return [None if seconds == _NO_TIME else f"{seconds}.{rest:09}" for seconds, rest in pairs]
    if is_array or isinstance(value, list | tuple):
        return [_plain(each) for each in (value.tolist() if is_array else value)]
    if pd.isna(value):
        return None
    kind = _kind_of(value)
    if kind == "number":
        number = _as_float(value)
        return _number_text(value) if number is None else number + 0.0
    if kind == "moment":
        seconds, rest = _seconds_of_moment(value)
        return f"{seconds}.{rest:09}"
    return str(value)
