"""Ibis expressions for profiles, which are compiled to SQL and run by `duckdb_table`."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from taxiway.data.engine.duckdb_table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

LARGEST = 1e100
"""Numbers beyond this count as infinite, because their squares would overflow."""
ROWS_SAMPLED = 500_000
"""If a table has more rows, estimates use a sample of about so many rows."""
_TYPES = {"boolean": "boolean", "integer": "int64", "string": "string", "list": "array<string>", "other": "binary"}


def rows_of(table: Table, columns: Iterable[Column], *, sampled: bool = False) -> "ir.Table":
    """A view `plain_...` of a table as an Ibis table.

    Args:
        table: The table.
        columns: The columns to include beside `row_number`.
        sampled: Whether to sample about `ROWS_SAMPLED` rows, by a hash of their number, if there are more.
    """
    wanted = tuple(columns)
    return one_of(plain_rows(wanted, table.plain_view(wanted)), sampled_one_of(table) if sampled else 1)


def sampled_one_of(table: Table) -> int:
    """Of how many rows a sample of about `ROWS_SAMPLED` has one; 1 if it has all."""
    return max(1, -(-table.row_count // ROWS_SAMPLED))


def one_of(rows: "ir.Table", every: int) -> "ir.Table":
    """One of so many rows, by a hash of their number."""
    return rows.filter(_hash_function()(rows.row_number) % every == 0) if every > 1 else rows


def renumbered(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Columns as c0, c1 and so on, equal if one query fits them: to compile an Ibis expression costs more than most queries take."""
    return tuple(Column("", f"c{at}", c.type, c.storage if c.is_wide else "") for at, c in enumerate(columns))


def plain_rows(columns: Iterable[Column], view: str = "plain", constants: Iterable[str] = ()) -> "ir.Table":
    """Some columns as an Ibis table of this name; see `Table.plain_view` and `Table.plain_query`."""
    import ibis

    wanted = tuple(columns)
    types = {column.sql: "decimal(38, 0)" if column.is_wide else _TYPES.get(column.type, "float64") for column in wanted}
    types |= {f"h{column.sql[1:]}": "uint64" for column in wanted}
    types |= dict.fromkeys(constants, "float64")
    return ibis.table(types | {"row_number": "int64"}, name=view)


def stand_for_all(table: Table) -> bool:
    """Whether `rows_of(sampled=True)` samples the rows of this table."""
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


def hashed(rows: "ir.Table", column: Column) -> "ir.IntegerColumn":
    """The hash of each value of a column, null without a value or for NaN; the same for equal values of all types."""
    return cast("ir.IntegerColumn", rows[f"h{column.sql[1:]}"])


def finite(values: "ir.Column") -> "ir.FloatingColumn":
    """The finite numbers, at most `LARGEST` in size; null for all other values."""
    import ibis

    numbers = values.cast("float64")
    kept: Any = ibis.ifelse(numbers.between(-LARGEST, LARGEST), numbers, ibis.null("float64"))
    found: ir.FloatingColumn = kept
    return found
