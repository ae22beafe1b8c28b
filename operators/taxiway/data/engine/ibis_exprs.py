"""The rows of a table as Ibis expressions, and the query that an expression stands for: what the profile is written in.

Ibis is the language only. Queries are run by `table`, on DuckDB.
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from taxiway.data.engine.duckdb_table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

LARGEST = 1e100
"""Numbers beyond this count as infinite: the squares of what is beyond overflow."""
ROWS_SAMPLED = 500_000
"""Of more rows than these, about so many stand for all where a figure may have an error."""
_EXACT_IN_DOUBLES = 1 << 53
_TYPES = {"boolean": "boolean", "integer": "int64", "string": "string", "list": "array<string>", "other": "binary"}


def rows_of(table: Table, columns: Iterable[Column] | None = None, *, sampled: bool = False) -> "ir.Table":
    """The view `plain` of a table: its `columns` (all without them), and `place`, the row's number in its file.

    A query takes the longer to write the more columns there are: ask for those that it is about.
    `sampled`: at most about `ROWS_SAMPLED` of the rows, chosen by a hash of their place; all where there are no more.
    """
    import ibis

    wanted = table.columns if columns is None else columns
    types = {column.sql: _TYPES.get(column.type, "float64") for column in wanted}
    rows = ibis.table(types | {"place": "int64"}, name="plain")
    every = -(-table.row_count // ROWS_SAMPLED)
    return rows.filter(_hash_function()(rows.place) % every == 0) if sampled and every > 1 else rows


def stand_for_all(table: Table) -> bool:
    """Whether some of the rows stand for all, where `rows_of` is asked for a sample."""
    return table.row_count > ROWS_SAMPLED


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
    """DuckDB's 64-bit hash of each value, the same for a whole number whatever its type is. It is that of one version of DuckDB."""
    import ibis

    made = _hash_function()
    if not values.type().is_integer():
        return cast("ir.IntegerColumn", made(values))
    whole: Any = values
    number = whole.cast("float64")
    return cast("ir.IntegerColumn", ibis.ifelse(whole.abs() <= _EXACT_IN_DOUBLES, made(number), made(whole)))


def finite(values: "ir.Column") -> "ir.FloatingColumn":
    """The numbers that are neither NaN nor infinite nor beyond `LARGEST`, null elsewhere."""
    import ibis

    numbers = values.cast("float64")
    kept: Any = ibis.ifelse(numbers.between(-LARGEST, LARGEST), numbers, ibis.null("float64"))
    found: ir.FloatingColumn = kept
    return found
