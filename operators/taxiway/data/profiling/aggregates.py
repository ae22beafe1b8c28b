"""The second scan of a profile: the counts, extremes and sums of all columns together."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.duckdb_table import Column, Table
from taxiway.data.engine.ibis_exprs import LARGEST, finite, hashed, plain_rows, query, renumbered
from taxiway.data.profiling.quantiles import NUMERIC_LIKE, NumericSample

if TYPE_CHECKING:
    import ibis.expr.types as ir

_WITH_LENGTH = ("string", "list")
_COLUMNS_AT_ONCE = 50

Stats = dict[str, Any]


def aggregated(table: Table, samples: dict[str, NumericSample], label: Column | None) -> dict[str, Stats]:
    """The aggregates of all columns, by the name of the column in the view and of the statistic.

    One scan reads at most `_COLUMNS_AT_ONCE` columns, which limits the size of the query.

    Args:
        table: The table.
        samples: The shift and the scale of each column that has numbers, by its name in the view.
        label: The column that the others are compared with; None for no label.

    Raises:
        DataError: A file of the table cannot be read.
    """
    found: dict[str, Stats] = {}
    for first in range(0, len(table.columns), _COLUMNS_AT_ONCE):
        found |= _aggregated_together(table, table.columns[first : first + _COLUMNS_AT_ONCE], samples, label)
    return found


def _aggregated_together(
    table: Table, columns: tuple[Column, ...], samples: dict[str, NumericSample], label: Column | None
) -> dict[str, Stats]:
    other = label if label is not None and label.sql in samples else None
    read = columns if other is None or other in columns else (*columns, other)
    alike = renumbered(read)
    known = {same.sql: samples[column.sql] for column, same in zip(read, alike, strict=True) if column.sql in samples}
    scan = _scan(alike, tuple(known), len(columns), None if other is None else read.index(other))
    constants = {f"shift_{name}": at.shift for name, at in known.items()} | {
        f"scale_{name}": at.scale for name, at in known.items()
    }
    row = iter(table.plain_rows(read, scan[0], constants)[0])
    return {column.sql: {name: next(row) for name in names} for column, names in zip(columns, scan[1], strict=True)}


@lru_cache(maxsize=64)
def _scan(
    columns: tuple[Column, ...], known: tuple[str, ...], counted: int, label_at: int | None
) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """The query of a scan, and the names of the statistics of each column in its result.

    Args:
        columns: The columns that are read.
        known: Those that have numbers, whose shift and scale are constants of the query.
        counted: How many of the columns have statistics, the first ones.
        label_at: Which of the columns is the label that the others are compared with; None for no label.
    """
    wide = _with_deviations(columns, known)
    label = None if label_at is None else columns[label_at]
    asked: list[Stats] = []
    for column in columns[:counted]:
        asked.append(_counts(wide, column))
        if column.sql in known:
            asked[-1] |= _power_sums(wide, column.sql)
            if label is not None and column != label:
                asked[-1] |= _joint_sums(wide, column.sql, label.sql)
    flat = {f"{name}_{at}": value for at, stats in enumerate(asked) for name, value in stats.items()}
    return query(wide.aggregate(**flat)), tuple(map(tuple, asked))


def _with_deviations(columns: tuple[Column, ...], known: tuple[str, ...]) -> "ir.Table":
    """The rows with, for each numeric column c0, its finite numbers fc0, their scaled deviations dc0 and the squares qc0.

    Each is a separate step, because every aggregate would compute them again within one step.
    """
    rows = plain_rows(columns, constants=[f"{constant}_{name}" for constant in ("shift", "scale") for name in known])
    numeric = [column.sql for column in columns if column.type in NUMERIC_LIKE]
    kept: Any = rows.mutate(**{f"f{name}": finite(rows[name]) for name in numeric})
    kept = kept.mutate(**{f"d{name}": (_number(kept, name) - kept[f"shift_{name}"]) / kept[f"scale_{name}"] for name in known})
    return kept.mutate(**{f"q{name}": kept[f"d{name}"] * kept[f"d{name}"] for name in known})


def _number(rows: "ir.Table", name: str) -> Any:
    """A numeric column's finite numbers, or a boolean as 0 and 1."""
    return rows[f"f{name}"] if f"f{name}" in rows.columns else rows[name].cast("float64")


def _counts(rows: "ir.Table", column: Column) -> Stats:
    values: Any = rows[column.sql]
    counts: Stats = {"non_null": values.count(), "approx_distinct": hashed(rows, column).approx_nunique()}
    if column.type in _WITH_LENGTH:
        lengths = values.length()
        counts |= {"shortest": lengths.min(), "longest": lengths.max(), "mean_length": lengths.mean()}
    if column.type in NUMERIC_LIKE:
        numbers: Any = rows[f"f{column.sql}"]
        exact = values if column.type == "integer" else numbers
        counts |= {"minimum": exact.min(), "maximum": exact.max()}
    if column.type in ("integer", "number"):
        counts["zeros"] = (values == 0).sum()
    if column.type == "number":
        counts |= {
            "fractional": (numbers % 1 != 0).sum(),  # floor() would be a cast to 64 bits, which 1e19 overflows
            "nan": values.isnan().sum(),
        }
    if column.type in ("number", "date", "datetime"):
        counts |= {"above": ((values > LARGEST) & ~values.isnan()).sum(), "below": (values < -LARGEST).sum()}
    return counts


def _power_sums(rows: "ir.Table", name: str) -> Stats:
    deviation: Any = rows[f"d{name}"]
    square: Any = rows[f"q{name}"]
    return {
        "finite": deviation.count(),
        "sum1": deviation.sum(),
        "sum2": square.sum(),
        "sum3": (square * deviation).sum(),
        "sum4": (square * square).sum(),
    }


def _joint_sums(rows: "ir.Table", name: str, label_name: str) -> Stats:
    """Sums over the rows with both values: a null in one makes each term null, which is much faster than a filter."""
    value, value2, label, label2 = (rows[at] for at in (f"d{name}", f"q{name}", f"d{label_name}", f"q{label_name}"))
    return {
        "both": (value * label).count(),
        "sum_value": (value + 0 * label).sum(),
        "sum_label": (label + 0 * value).sum(),
        "sum_value2": (value2 + 0 * label).sum(),
        "sum_label2": (label2 + 0 * value).sum(),
        "sum_both": (value * label).sum(),
    }
