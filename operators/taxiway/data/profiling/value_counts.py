"""The value counts of one column: its distinct values, the most frequent of them, and its counts by value and label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.duckdb_table import Column, Table
from taxiway.data.engine.ibis_exprs import hashed, plain_rows, query, renumbered, rows_of
from taxiway.data.profiling.distinct_sketch import HASHES, KEPT, DistinctSample, sample
from taxiway.data.profiling.profile import (
    FREQUENT_KEPT,
    PAIRED_VALUES,
    TEXT_KEPT,
    VALUES_KEPT,
    PairCount,
    ValueCount,
    kept_values,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

COUNTED_TYPES = ("string", "boolean", "integer")
"""The types whose values are listed if there are few of them."""
# DuckDB's estimate of the number of distinct values is off by a few percent; the sample must not be too small because of that.
_MARGIN = 1.3
_WRITTEN_OUT = 1e15


@dataclass(frozen=True)
class Found:
    """The value counts of a column; the fields are those of a `ColumnProfile`."""

    distinct_sample: DistinctSample
    values: tuple[ValueCount, ...] = ()
    values_complete: bool = False
    label_pairs: tuple[PairCount, ...] | None = None


def is_low_cardinality(distinct: int) -> bool:
    """Whether all values of a column are counted.

    Args:
        distinct: The approximate number of distinct values.
    """
    return distinct * _MARGIN <= 2 * KEPT


def values_of(column: Column, table: Table, distinct: int, label: Column | None, frequent: Sequence[float]) -> Found:
    """Count the values of a column.

    Args:
        column: The column.
        table: Its table.
        distinct: The approximate number of distinct values.
        label: The label, to count the rows by value and label; None without a label or if it has many values.
        frequent: The most frequent numbers of a numeric column.

    Raises:
        DataError: A file of the table cannot be read.
    """
    if is_low_cardinality(distinct):
        return _of_few(column, table, label)
    threshold = int(HASHES * _MARGIN * KEPT / distinct)
    among = f"{column.sql} IN (SELECT unnest($1::DOUBLE[]))"
    counts = _frequent_text(column, table) if column.type == "string" else _count_values(list(frequent), among, column, table)
    values, _ = kept_values(counts, complete=False)
    return Found(_sample(column, table, threshold), values)


def _sample(column: Column, table: Table, threshold: int) -> DistinctSample:
    """The sample of all hashes below the threshold, in one scan that keeps little more than `KEPT` values in memory."""
    low = f"SELECT hash, count(*) FROM ({_hashes_query(*renumbered([column]))}) WHERE hash < {threshold:d} GROUP BY hash"
    found = table.plain_rows([column], low)
    return sample([row[0] for row in found], [row[1] for row in found], threshold)


def _of_few(column: Column, table: Table, label: Column | None) -> Found:
    columns = [column] if label is None or label == column else [column, label]
    alike = renumbered(columns)
    found = table.plain_rows(columns, _few_query(alike[0], alike[-1] if label else None))
    listed = column.type in COUNTED_TYPES
    by_hash = _sum_counts((row[0], row[3]) for row in found)
    distinct_sample = sample(list(by_hash), list(by_hash.values()), HASHES)
    if not listed:
        return Found(distinct_sample, values_complete=not found)
    by_text = _sum_counts((_shown(row[1]), row[3]) for row in found)
    pairs = None
    if label is not None and label != column and len(by_text) <= PAIRED_VALUES:
        counts = _sum_counts(((_shown(row[1]), row[2]), row[3]) for row in found if row[2] is not None)
        pairs = tuple(PairCount(value=value, label=text, rows=count) for (value, text), count in sorted(counts.items()))
    return Found(distinct_sample, *kept_values(by_text, complete=len(by_text) <= VALUES_KEPT), pairs)


@cache
def _hashes_query(column: Column) -> str:
    rows = plain_rows([column])
    hashes = hashed(rows, column)
    return query(rows.filter(hashes.notnull()).select(hash=hashes))


@cache
def _few_query(column: Column, label: Column | None) -> str:
    """The rows by hash, value and label; the label may be the column itself."""
    rows: Any = plain_rows(dict.fromkeys([column, label] if label else [column]))
    there = rows.filter(hashed(rows, column).notnull())
    # Other values are only counted, and equal ones have one hash: as doubles, different moments may be equal.
    by = {
        "hash": hashed(there, column),
        "value": there[column.sql] if column.type in COUNTED_TYPES else there[column.sql].isnull(),
    }
    by |= {"label": there[label.sql]} if label else {}
    grouped = there.group_by(**by).aggregate(rows=there.count())
    shown = _text(grouped.value) if column.type in COUNTED_TYPES and column.type != "integer" else grouped.value
    parts = {
        "hash": grouped.hash,
        "shown": shown,
        "label": _text(grouped.label) if label else grouped.hash.isnull().cast("string"),
        "rows": grouped.rows,
    }
    return query(grouped.select(**parts))


def _sum_counts(counted: Iterable[tuple[Any, int]]) -> dict[Any, int]:
    counts: dict[Any, int] = {}
    for value, rows in counted:
        counts[value] = counts.get(value, 0) + rows
    return counts


def _shown(value: Any) -> str:
    """A value as text; an integer of any type without a fraction."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _WRITTEN_OUT
    return str(int(value)) if whole else str(value)


def _text(values: "ir.Value") -> "ir.Value":
    text: Any = values.cast("string")
    kept: ir.Value = text[:TEXT_KEPT]
    return kept


def _frequent_text(column: Column, table: Table) -> dict[str, int]:
    """The most frequent values of a string column, with their exact numbers of rows.

    In a table with very many rows, the values are those of a sample, which limits memory use and may miss a value in fewer than
    0.01% of the rows.
    """
    import ibis

    rows: Any = rows_of(table, [column], sampled=True)
    there = rows.filter(rows[column.sql].notnull())
    grouped = there.group_by(value=there[column.sql]).aggregate(rows=there.count())
    found = table.rows(query(grouped.order_by(ibis.desc("rows"), "value").limit(FREQUENT_KEPT)))
    values = [value for value, count in found if count > 1]
    return _count_values(values, f"{column.sql} IN (SELECT unnest($1::VARCHAR[]))", column, table)


def _count_values(values: list[Any], among: str, column: Column, table: Table) -> dict[str, int]:
    if not values:
        return {}
    shown = f"left({column.sql}, {TEXT_KEPT})" if column.type == "string" else column.sql
    found = table.rows(f"SELECT {shown}, count(*) FROM {table.plain_view([column])} WHERE {among} GROUP BY ALL", [values])
    return _sum_counts((_shown(value), int(count)) for value, count in found)
