"""The values of a column of lists as text, however a file, a frame or a request writes them."""

import json
import math
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from taxiway.features.cells import UnfitError, typed

_ALLOWED = {"string": "texts", "integer": "integers", "boolean": "true or false", "number": "numbers"}
_PLAIN = "biufO"  # NumPy's kinds of which `tolist` keeps what a value is


def list_text(cell: Any, kind: str, text_of: Any, *, lenient: bool = False) -> str:
    """A list as one JSON text, the same for each way of writing it: `["vegan","quick"]`, or `[1.5,null]` for a list of numbers.

    Args:
        cell: The list, not missing: of Python, NumPy, pandas or JSON. An item may be missing.
        kind: The type of its items: `string`, `integer`, `boolean` or `number`.
        text_of: The function that writes an item of another type than `number` as text.
        lenient: Whether an item that does not have its type becomes its text, or a missing number, instead of raising an error.

    Raises:
        UnfitError: It is not a list, or an item is not of its type.
    """
    items = _items(cell, kind)
    if kind == "number":
        return _numbers_text(items, lenient=lenient)
    texts = [_item(at, item, kind, text_of, lenient=lenient) for at, item in enumerate(items)]
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def _items(cell: Any, kind: str) -> Sequence[Any]:
    if getattr(cell, "ndim", None) == 1 and hasattr(cell, "tolist"):
        return list(cell.tolist() if getattr(cell.dtype, "kind", "") in _PLAIN else cell)
    if not isinstance(cell, list | tuple):
        raise UnfitError(f"a list of {_ALLOWED[kind]}")
    return cell


def _item(position: int, item: Any, kind: str, text_of: Any, *, lenient: bool) -> str | None:
    if kind == "string" and type(item) is str:
        return item
    if _is_missing(item):
        return None
    try:
        return str(text_of(typed(item, kind)))
    except UnfitError as unfit:
        if lenient:
            return str(text_of(item))
        raise _unfit_item(position, item, f"a list of {_ALLOWED[kind]}", str(unfit)) from None


def _numbers_text(items: Sequence[Any], *, lenient: bool) -> str:
    numbers = [_number(at, item, lenient=lenient) for at, item in enumerate(items)]
    return to_json(numbers).decode()


def _number(position: int, item: Any, *, lenient: bool) -> float | None:
    if type(item) is float and math.isfinite(item):
        return item
    if _is_missing(item):
        return None
    try:
        number = float(typed(item, "number"))
    except (UnfitError, OverflowError):
        number = math.inf
    if math.isfinite(number):
        return number
    if lenient:
        return None
    raise _unfit_item(position, item, "a list of numbers", "a finite number")


def _is_missing(item: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_scalar(item) and bool(pd.isna(item))


def _unfit_item(position: int, item: Any, a_list: str, unfit: str) -> UnfitError:
    got = "a list" if hasattr(item, "__len__") and not isinstance(item, str | dict) else type(item).__name__
    return UnfitError(f"{a_list}; item {position} is a value of the type {got}, and must be {unfit}")
