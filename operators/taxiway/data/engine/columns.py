"""The columns of Parquet files: their types, and the SQL of the view `plain`."""

import re
from dataclasses import dataclass

_TYPES = (
    ("boolean", re.compile(r"BOOLEAN")),
    ("integer", re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")),
    ("number", re.compile(r"FLOAT|DOUBLE|DECIMAL\(.*\)")),
    ("string", re.compile(r"VARCHAR|ENUM\(.*\)")),
    ("date", re.compile(r"DATE")),
    ("datetime", re.compile(r"TIMESTAMP[^\[]*")),
    ("list", re.compile(r".*\[[0-9]*\]")),
)
EXACT_IN_DOUBLES = 1 << 53
"""Doubles express all integers up to this size."""
WIDE_INTEGERS = ("HUGEINT", "UHUGEINT", "UBIGINT")
"""DuckDB's types of integers that may not fit into 64 bits with a sign."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name in the file.
        sql: Its name in the views.
        type: Its type in a schema, or `other` for nested and binary values.
        storage: Its DuckDB type.
    """

    name: str
    sql: str
    type: str
    storage: str

    @property
    def is_wide(self) -> bool:
        """Whether it has integers that may not fit into 64 bits with a sign."""
        return self.storage in WIDE_INTEGERS


def plain_sql(column: Column) -> str:
    """The SQL of a column in the view `plain`."""
    if column.type in ("date", "datetime"):
        return _seconds(column)
    if column.type == "number" or column.storage == "UHUGEINT":
        return f"{column.sql}::DOUBLE"
    if column.is_wide:
        return f"{column.sql}::HUGEINT"
    casts = {"integer": "BIGINT", "string": "VARCHAR"}
    return f"{column.sql}::{casts[column.type]}" if column.type in casts else column.sql


def _seconds(column: Column) -> str:
    """Seconds since 1970; whole ones where a double cannot hold microseconds, in which the last of a year would be the next year."""
    if column.type == "date":
        moment, finite = column.sql, f"isfinite({column.sql}) THEN ({column.sql} - DATE '1970-01-01') * 86400.0::DOUBLE"
        far = ""
    else:
        moment = moment_sql(column)
        finite = f"{_is_exact(moment)} THEN epoch({moment})::DOUBLE"
        far = f"WHEN isfinite({moment}) THEN floor(epoch_us({moment}) // 1000000)::DOUBLE "
    infinite = f"WHEN {moment} > DATE '1970-01-01' THEN 'inf'::DOUBLE WHEN {moment} IS NOT NULL THEN '-inf'::DOUBLE"
    return f"CASE WHEN {finite} {far}{infinite} END"


def _is_exact(moment: str) -> str:
    return f"epoch_us({moment}) BETWEEN -{EXACT_IN_DOUBLES} AND {EXACT_IN_DOUBLES}"


def moment_sql(column: Column) -> str:
    """A column of dates or times as a type that DuckDB's functions know: they know no nanoseconds with a time zone."""
    return f"{column.sql}::TIMESTAMPTZ" if column.storage == "TIMESTAMPTZ_NS" else column.sql


def micros_sql(column: Column) -> str:
    """The microsecond since 1970 in which a date or time is, rounded down; null for an infinite one, and one beyond 64 bits."""
    name = column.sql
    if column.type == "date":
        return f"epoch_us(TRY_CAST({name} AS TIMESTAMP))"
    if column.storage.endswith("_NS"):  # DuckDB would round up before 1970
        return f"(epoch_ns({name}) // 1000 - (epoch_ns({name}) % 1000 < 0)::INTEGER)"
    return f"epoch_us({name})"


def hash_of_value_sql(column: Column) -> str:
    """DuckDB's 64-bit hash of the value, null without one; the same for equal numbers and moments of all types.

    It may change with DuckDB's version.
    """
    name, plain = column.sql, plain_sql(column)
    if column.type == "integer":
        if column.storage not in ("BIGINT", *WIDE_INTEGERS):
            return f"CASE WHEN {name} IS NOT NULL THEN hash({name}::DOUBLE) END"
        whole = f"WHEN {name} BETWEEN -{EXACT_IN_DOUBLES} AND {EXACT_IN_DOUBLES} THEN hash({name}::DOUBLE)"
        wide = f"WHEN {name} BETWEEN {-(1 << 63)} AND {(1 << 63) - 1} THEN hash({name}::BIGINT)" if column.is_wide else ""
        rest = f"WHEN {name} IS NOT NULL THEN hash({name}::{'VARCHAR' if column.is_wide else 'BIGINT'})"
        return f"CASE {whole} {wide} {rest} END"
    if column.type == "number" and column.storage.startswith("DECIMAL"):
        exact = f"TRY_CAST({name}::DOUBLE AS {column.storage}) = {name}"
        return f"CASE WHEN {name} IS NULL THEN NULL WHEN {exact} THEN hash({plain}) ELSE hash({name}::VARCHAR) END"
    if column.type == "number":
        return f"CASE WHEN NOT isnan({name}) THEN hash({plain}) END"
    if column.type == "datetime":
        moment = moment_sql(column)
        nanos = f"WHEN epoch_ns({name}) % 1000 <> 0 THEN hash(epoch_ns({name})) " if column.storage.endswith("_NS") else ""
        exact = f"WHEN {_is_exact(moment)} OR isinf({moment}) THEN hash({plain})"
        return f"CASE {nanos}{exact} WHEN {name} IS NOT NULL THEN hash(epoch_us({moment})) END"
    return f"CASE WHEN {name} IS NOT NULL THEN hash({plain}) END"


def item_type_of(storage: str) -> str | None:
    """The type in a schema of the items of a DuckDB type of lists, or `other`; None if it is not a list."""
    return type_of(storage[: storage.rindex("[")]) if type_of(storage) == "list" else None


def type_of(storage: str) -> str:
    """The type in a schema of a DuckDB type, or `other` for nested and binary values."""
    return next((name for name, expression in _TYPES if expression.fullmatch(storage)), "other")


def present_sql(column: Column, view: str = "") -> str:
    """SQL that is true for the rows with a value in a column; NaN is none."""
    name = f"{view}.{column.sql}" if view else column.sql
    return f"{name} IS NOT NULL" + (f" AND NOT isnan({name})" if column.storage in ("FLOAT", "DOUBLE") else "")
