"""The names of spans: periods such as `2013-04`, or numbers."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from taxiway.spec.source.periods import NAMES, Every

_NUMBER = ("12", re.compile(r"\d+"))


def name_form(every: Every | None) -> tuple[str, re.Pattern[str]]:
    """An example and the form of the names of periods; of numbers if `every` is None."""
    return _NUMBER if every is None else NAMES[every]


def _name_text(value: Any) -> Any:
    """A span's name as text: YAML reads 2013-04-01 as a date, and 2013 as a number."""
    if isinstance(value, datetime):
        return value.isoformat()[:13]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


SpanName = Annotated[str, BeforeValidator(_name_text)]
