"""What the section `source` says of where rows come from: files, a query, or a function of the team's own."""

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from taxiway.spec.base import Duration, Format, Section
from taxiway.spec.periods import Every, begin_of

BOUNDS = ("{begin}", "{end}")
_EXAMPLE = "SELECT * FROM flights WHERE departed >= {begin} AND departed < {end}"
_KINDS = ("spans", "sql", "function")
# Which keys go with which of the three; a key that another one needs is named with it.
_BELONG = {"format": ("spans",), "connection": ("sql",), "version": ("sql",)}
_OF_PERIODS = ("every", "first", "delay")
_FUNCTION = re.compile(r"[^:]+:[A-Za-z_]\w*")


def _span_name(value: Any) -> Any:
    """A span's name as text: YAML reads 2013-04-01 as a date, and 2013 as a number."""
    if isinstance(value, datetime):
        return value.isoformat()[:13]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _bounded(value: Any) -> Any:
    """A query that names both ends of a period, outside of quotes."""
    if not isinstance(value, str):
        return value
    missing = [bound for bound in BOUNDS if bound not in value]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}; allowed: a query of one period's rows, such as {_EXAMPLE}")
    quoted = [bound for bound in BOUNDS if f"'{bound}" in value or f"{bound}'" in value]
    if quoted:
        raise ValueError(f"{quoted[0]} stands in quotes; allowed: without them, since it is bound as a time, not pasted")
    return value


Query = Annotated[str, BeforeValidator(_bounded)]
SpanName = Annotated[str, BeforeValidator(_span_name)]


class Origin(Section):
    """Where rows come from: `spans`, `sql` or `function`, exactly one of them."""

    spans: str | None = None
    format: Format | None = None
    sql: Query | None = None
    connection: str | None = None
    version: Query | None = None
    function: str | None = None
    every: Every | None = None
    first: SpanName | None = None
    delay: Duration = Field(default=timedelta())

    @property
    def text(self) -> str:
        """What people know it by: the pattern, the connection and its query, or the function."""
        if self.sql is not None:
            return f"{self.connection}: {' '.join(self.sql.split())}"
        if self.function is not None:
            file, _, name = self.function.rpartition(":")
            return f"{Path(file).name}:{name}"
        return str(self.spans)

    @model_validator(mode="after")
    def _one_of_three(self) -> "Origin":
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{' and '.join(given) if given else 'none'} of spans, sql and function is given; allowed: exactly one, files by "
                "spans: PATTERN, a query by sql: and connection:, or a Python function by function: FILE.py:NAME"
            )
        kind = given[0]
        belonging = {**_BELONG, **dict.fromkeys(_OF_PERIODS, ("sql", "function"))}
        for key, kinds in belonging.items():
            # Not what was set: a pipeline that was written out and read again sets every key.
            if kind not in kinds and getattr(self, key):
                raise ValueError(f"{key} goes with {' or '.join(kinds)}, and here is {kind}; leave {key} out")
        return self

    @model_validator(mode="after")
    def _periods_are_told(self) -> "Origin":
        if self.spans is not None:
            return self
        kind = "sql" if self.sql is not None else "function"
        for key in ("every", "first", *(("connection",) if kind == "sql" else ())):
            if getattr(self, key) is None:
                raise ValueError(f"{kind} needs {key}: {_NEEDED[key]}")
        if self.every is not None and self.first is not None:
            begin_of(self.first, self.every)
        if self.function is not None and not _FUNCTION.fullmatch(self.function):
            raise ValueError(
                f'function is "{self.function}"; allowed: FILE.py:function beside this file, or package.module:function'
            )
        return self


_NEEDED = {
    "every": "how long the period of a span is: hour, day, week, month or year",
    "first": "the name of the first period, such as 2013-04, or 2013-04-01 for a day",
    "connection": "the Airflow connection of the database",
}
