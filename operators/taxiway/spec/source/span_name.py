"""The names of spans: periods such as `2013-04`, or numbers."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from taxiway.spec.source.periods import NAMES, Every

_NUMBER = ("12", re.compile(r"\d+"))


def name_form(every: Every | None) -> tuple[str, re.Pattern[str]]:
    """An example and the form of the names of periods; of numbers if `every` is None."""
    return _NUMBER if every is None else NAMES[every]


def span_name(text: str) -> str:
    """The name of a span as sources have it: a number without leading zeros, also if those of the files have some."""
    return str(int(text)) if re.fullmatch(r"[0-9]+", text) else text


def _name_text(value: Any) -> Any:
    """A span's name as text: YAML reads 2013-04-01 as a date, and 2013 as a number."""
    if isinstance(value, datetime):
        in_utc = value.astimezone(UTC) if value.tzinfo is not None else value
        return in_utc.isoformat()[:13]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return span_name(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


SpanName = Annotated[str, BeforeValidator(_name_text)]
