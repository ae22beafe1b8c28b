"""The values of a category column of a known type, however a file, a frame or a request writes them."""

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from numbers import Real
from typing import Any

NUMBER = re.compile(r"(?=.{1,1000}$)\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII | re.DOTALL)
"""A number as text: not 1_0 or inf, which Python would read too. It takes linear time, and longer text none."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)
_YEAR_0 = "0000"  # pandas reads it, and Python has no such year
_EXACT = 2**53  # beyond it, a float may stand for several integers
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


class UnfitError(ValueError):
    """A value is not of the type of its column; the message says what is allowed."""


def typed(cell: Any, kind: str) -> Any:
    """A value of a column as its type has it.

    Args:
        cell: The value, not missing: from a table, or from JSON.
        kind: The type: `boolean`, `integer`, `number`, `string`, `date` or `datetime`.

    Raises:
        UnfitError: The value is not of this type.

    Examples:
        >>> [typed(cell, "boolean") for cell in (True, "true", "False", 1)]
        [True, True, False, True]
        >>> [typed(cell, "integer") for cell in (7, 7.0, "7", Decimal("7.00"))]
        [7, 7, 7, 7]
    """
    return _READ[kind](cell)


def boolean(cell: Any) -> bool | None:
    """A boolean, also as text in any case or as 0 or 1; None if it is neither."""
    return _BOOLEANS.get(str(cell).strip().casefold())


def shortest(value: Any) -> float:
    """A float of NumPy with less than 64 bits as JSON has it: 0.1, not 0.10000000149011612. A whole number keeps all its digits."""
    number = float(value)
    return number if number.is_integer() else float(str(value))


def moment_text(moment: date) -> str:
    """A date or time in ISO 8601; a time with a zone in UTC, so that it has the same text from every zone."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        with suppress(ValueError, OverflowError):  # at the ends of Python's years
            moment = moment.astimezone(UTC)
    return moment.isoformat()


def _boolean(cell: Any) -> bool:
    found = boolean(cell)
    if found is None:
        raise UnfitError("true or false")
    return found


def _integer(cell: Any) -> int:
    number = _number(cell, "an integer")
    if isinstance(number, Decimal):
        if not number.is_finite() or number != number.to_integral_value():
            raise UnfitError("an integer")
        return int(number)  # its operators would round beyond 28 digits
    if not isinstance(number, int) and not math.isfinite(number):  # an int may be beyond the range of floats
        raise UnfitError("an integer")
    if isinstance(number, float) and abs(number) > _EXACT:
        raise UnfitError(
            "an integer with all its digits, which a float does not have; pandas keeps them in columns of the type Int64"
        )
    if number != number // 1:
        raise UnfitError("an integer")
    return int(number)


def _number(cell: Any, allowed: str = "a number") -> Any:
    """A number: an int if it is one or its text has only digits, else a float or Decimal."""
    if isinstance(cell, str) and NUMBER.fullmatch(cell):
        return int(cell) if cell.strip().lstrip("+-").isdigit() else float(cell)
    if isinstance(cell, Real | Decimal) and not is_boolean(cell):
        return cell
    raise UnfitError(allowed)


def is_boolean(cell: Any) -> bool:
    """Whether a value is a boolean of Python or NumPy."""
    return isinstance(cell, bool) or type(cell).__name__ in ("bool", "bool_")


def _string(cell: Any) -> str:
    if not isinstance(cell, str):
        raise UnfitError('a text, such as "007" (pandas makes 7 of it, unless the column is read with the type string)')
    return cell


def _date(cell: Any) -> date:
    moment = _datetime(cell, "a date in ISO 8601, such as 2013-06-01")
    if moment.time() != time(0):
        raise UnfitError("a date without a time of day")
    return moment.date()


def _datetime(cell: Any, allowed: str = "a date and time in ISO 8601, such as 2013-06-01T12:00:00") -> datetime:
    import pandas as pd

    try:
        if isinstance(cell, str) and _ISO.fullmatch(cell) and not cell.startswith(_YEAR_0):
            return pd.Timestamp(cell)
        if isinstance(cell, date):
            return cell if isinstance(cell, datetime) else datetime.combine(cell, time(0))
    except ValueError:
        pass
    raise UnfitError(allowed)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "string": _string,
    "date": _date,
    "datetime": _datetime,
}
