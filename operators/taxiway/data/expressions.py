"""The rows of a table as Ibis expressions, and the query that an expression stands for: what the profile is written in.

Ibis is the language only. Queries are run by `table`, on DuckDB.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from taxiway.data.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

LARGEST = 1e100
"""Numbers beyond this count as infinite: the squares of what is beyond overflow."""
ROWS_SAMPLED = 500_000
"""Of more rows than these, about so many stand for all where a figure may have an error."""
_TYPES = {"boolean": "boolean", "integer": "int64", "string": "string", "list": "array<string>", "other": "binary"}


def rows_of(table: Table, *, sampled: bool = False) -> "ir.Table":
    """The view `plain` of a table: its columns, and `place`, the row's number in its file.

    `sampled`: at most about `ROWS_SAMPLED` of the rows, chosen by a hash of their place; all where there are no more.
    """
    import ibis

    columns = {column.sql: _TYPES.get(column.type, "float64") for column in table.columns}
    rows = ibis.table(columns | {"place": "int64"}, name="plain")
    every = -(-table.row_count // ROWS_SAMPLED)
    return rows.filter(hashed(rows.place) % every == 0) if sampled and every > 1 else rows


def query(expression: "ir.Table") -> str:
    """The SQL of an expression."""
    import ibis

    return str(ibis.to_sql(expression, dialect="duckdb"))


@cache
def _hash_function() -> "Callable[..., Any]":
    import ibis
    import ibis.expr.datatypes as dt

    def hash(value) -> dt.uint64: ...  # type: ignore[no-untyped-def]

    made: Callable[..., Any] = ibis.udf.scalar.builtin(hash)
    return made


def hashed(values: "ir.Column") -> "ir.IntegerColumn":
    """DuckDB's 64-bit hash of each value. Its numbers are those of one version of DuckDB."""
    found: ir.IntegerColumn = _hash_function()(values)
    return found


def finite(values: "ir.Column") -> "ir.FloatingColumn":
    """The numbers that are neither NaN nor infinite nor beyond `LARGEST`, null elsewhere."""
    import ibis

    numbers = values.cast("float64")
    kept: Any = ibis.ifelse(numbers.between(-LARGEST, LARGEST), numbers, ibis.null("float64"))
    found: ir.FloatingColumn = kept
    return found
