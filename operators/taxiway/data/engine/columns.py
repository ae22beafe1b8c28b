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
_EXACT_IN_DOUBLES = 1 << 53
_EXACT_MICROSECONDS = _EXACT_IN_DOUBLES // 1_000_000
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
    moment = _in_microseconds(column)
    seconds = f"epoch({moment})::DOUBLE"
    far = f"abs({seconds}) >= {_EXACT_MICROSECONDS}"
    return (
        f"CASE WHEN NOT isinf({moment}) THEN CASE WHEN {far} THEN floor(epoch_us({moment}) // 1000000) ELSE {seconds} END "
        f"WHEN {moment} > DATE '1970-01-01' THEN 'inf'::DOUBLE WHEN {moment} IS NOT NULL THEN '-inf'::DOUBLE END"
    )


def _in_microseconds(column: Column) -> str:
    """The column as a type that DuckDB's functions know: they know no nanoseconds with a time zone."""
    return f"{column.sql}::TIMESTAMPTZ" if column.storage == "TIMESTAMPTZ_NS" else column.sql


def hash_of_value_sql(column: Column) -> str:
    """DuckDB's 64-bit hash of the value, null without one; the same for equal numbers and moments of all types.

    It may change with DuckDB's version.
    """
    name, plain = column.sql, plain_sql(column)
    if column.type == "integer":
        whole = f"WHEN {name} BETWEEN -{_EXACT_IN_DOUBLES} AND {_EXACT_IN_DOUBLES} THEN hash({name}::DOUBLE)"
        wide = f"WHEN {name} BETWEEN {-(1 << 63)} AND {(1 << 63) - 1} THEN hash({name}::BIGINT) ELSE hash({name}::VARCHAR)"
        return f"CASE WHEN {name} IS NULL THEN NULL {whole} {wide if column.is_wide else f'ELSE hash({name}::BIGINT)'} END"
    if column.storage.startswith("DECIMAL"):
        exact = f"TRY_CAST({name}::DOUBLE AS {column.storage}) = {name}"
        return f"CASE WHEN {name} IS NULL THEN NULL WHEN {exact} THEN hash({plain}) ELSE hash({name}::VARCHAR) END"
    if column.type == "number":
        return f"CASE WHEN NOT isnan({name}) THEN hash({plain}) END"
    if column.type == "datetime":
        moment = _in_microseconds(column)
        micros = f"abs(epoch_us({moment})) <= {_EXACT_IN_DOUBLES}"
        if column.storage.endswith("_NS"):
            return (
                f"CASE WHEN {name} IS NULL THEN NULL WHEN epoch_ns({name}) % 1000 <> 0 THEN hash(epoch_ns({name})) "
                f"WHEN {micros} THEN hash({plain}) ELSE hash(epoch_us({moment})) END"
            )
        finite = f"WHEN isinf({moment}) OR {micros} THEN hash({plain}) ELSE hash(epoch_us({moment}))"
        return f"CASE WHEN {name} IS NULL THEN NULL {finite} END"
    return f"CASE WHEN {name} IS NOT NULL THEN hash({plain}) END"


def type_of(storage: str) -> str:
    """The type in a schema of a DuckDB type, or `other` for nested and binary values."""
    return next((name for name, expression in _TYPES if expression.fullmatch(storage)), "other")
