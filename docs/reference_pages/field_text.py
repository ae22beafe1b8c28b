"""The type and the default of a key, as the tables write them."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from taxiway.spec.metrics import GateMetricName, MetricName
from taxiway.spec.sweep import Between


def type_text(field: FieldInfo) -> str:
    """The type of a key with its limits: `number, at least 0`."""
    limits = [word for entry in field.metadata for word in _limit(entry)]
    return ", ".join([_type_name(field.annotation), *limits])


def _limit(entry: Any) -> Iterator[str]:
    words = {"ge": "at least", "le": "at most", "gt": "above", "lt": "below", "min_length": "entries: at least"}
    for name, word in words.items():
        if getattr(entry, name, None) is not None:
            yield f"{word} {getattr(entry, name):g}"
    if getattr(entry, "pattern", None):
        yield f"`{entry.pattern}`"


def _type_name(annotation: Any) -> str:
    plain = {
        str: "text",
        int: "integer",
        float: "number",
        timedelta: "duration",
        Any: "any value",
        bool: "`true` or `false`",
        date: "date",
    }
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel | StrEnum):
        return "keys below" if issubclass(annotation, BaseModel) else _type_name(Literal[tuple(annotation)])
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin is Annotated:
        return _type_name(args[0])
    if Between in (annotation, *get_args(annotation)):
        return "list of values or `{low, high, log}`"
    if origin in (Union, UnionType):
        names = dict.fromkeys(_type_name(arg) for arg in args if arg is not NoneType)
        return " or ".join(name for name in names if not (name == "integer" and "number" in names))
    if origin is tuple:
        return _list_name(args[0])
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping of {'metric' if args[0] in (MetricName, GateMetricName) else 'name'} to {_type_name(args[1])}"
    raise SystemExit(f"no text for the type {annotation}; add one to {__file__}")


def _list_name(entry: Any) -> str:
    if get_origin(entry) is Literal or (isinstance(entry, type) and issubclass(entry, BaseModel)):
        return f"list of {_type_name(entry)}"
    if Mapping in map(get_origin, get_args(entry)):
        return "mapping of values, or list of steps"
    return "list of values" if entry is Any else "list of names"


def default_text(field: FieldInfo) -> str:
    """The default of a key: `required`, `none`, or its value."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "the defaults below"
    if isinstance(value, timedelta):
        return f"`{value.days}d`"
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ("", (), {}):
        return "empty"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{value}`"
