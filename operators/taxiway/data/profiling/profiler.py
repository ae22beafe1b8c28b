"""Compute the profile of a table: two scans for all columns together, and one of each column for its values.

The first scan is in `quantiles`, the second here, and the scans of each column are in `value_counts`.
"""

from collections.abc import Sequence
from math import isfinite, isnan, sqrt
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.duckdb_table import Column, Table
from taxiway.data.engine.ibis_exprs import LARGEST, finite, hashed, query, rows_of
from taxiway.data.profiling.profile import ColumnProfile, Lengths, Profile, WithLabel
from taxiway.data.profiling.quantiles import NUMERIC_LIKE, Sampled, sample_numbers
from taxiway.data.profiling.value_counts import LISTED, few, values_of
from taxiway.errors import ConfigError, allowed_values

if TYPE_CHECKING:
    import ibis.expr.types as ir

_WITH_LENGTH = ("string", "list")
_COLUMNS_AT_ONCE = 50
_COUNTS = ("nan", "above", "below", "zeros", "fractional")

Stats = dict[str, Any]


def profile_table(table: Table, label: str | None = None) -> Profile:
    """Profile all columns of a table.

    Args:
        table: The table.
        label: The column that the others are compared with; None for no label.

    Raises:
        ConfigError: There is no column with the name of the label.
        DataError: A file of the table cannot be read.
    """
    names = [column.name for column in table.columns]
    if label is not None and label not in names:
        raise ConfigError(f'the label "{label}" is not a column\n    {allowed_values(label, names)}')
    labelled = table.column(label) if label is not None else None
    samples = sample_numbers(table)
    if labelled is not None and labelled.type == "boolean":
        samples[labelled.sql] = Sampled(shift=0.5, scale=0.5)
    found = _aggregated(table, samples, labelled)
    by = labelled if labelled and labelled.type in LISTED and few(int(found[labelled.sql]["distinct"])) else None
    columns = []
    for column in table.columns:
        stats = found[column.sql]
        values = values_of(
            column, table, int(stats["distinct"]), by, samples[column.sql].frequent if column.sql in samples else ()
        )
        columns.append(
            ColumnProfile(
                name=column.name,
                type=column.type,
                storage=column.storage,
                rows=table.row_count,
                missing=table.row_count - int(stats["present"]),
                **{name: int(stats[name] or 0) for name in _COUNTS if name in stats},
                **(_numbers(stats, samples[column.sql]) if "minimum" in stats and column.sql in samples else {}),
                lengths=_lengths(stats),
                with_label=_with_label(stats, samples[column.sql], samples[labelled.sql])
                if labelled and "both" in stats
                else None,
                frequencies=values.frequencies,
                values=values.values,
                values_complete=values.values_complete,
                label_pairs=values.label_pairs,
            )
        )
    return Profile(rows=table.row_count, columns=tuple(columns), label=label)


def profile_beside(table: Table, label: str | None) -> Profile:
    """Profile a table that may lack the label, as serving data does; see `profile_table`."""
    there = label is not None and any(column.name == label for column in table.columns)
    return profile_table(table, label if there else None)


def _aggregated(table: Table, samples: dict[str, Sampled], label: Column | None) -> dict[str, Stats]:
    """The aggregates of all columns, by the name of the column in the view and of the statistic.

    One scan reads at most `_COLUMNS_AT_ONCE` columns, which limits the size of the query.
    """
    found: dict[str, Stats] = {}
    for at in range(0, len(table.columns), _COLUMNS_AT_ONCE):
        found |= _aggregated_together(table, table.columns[at : at + _COLUMNS_AT_ONCE], samples, label)
    return found


def _aggregated_together(
    table: Table, columns: Sequence[Column], samples: dict[str, Sampled], label: Column | None
) -> dict[str, Stats]:
    beside = [label] if label is not None and label not in columns and label.sql in samples else []
    wide = _with_deviations(rows_of(table, [*columns, *beside]), [*columns, *beside], samples)
    asked: dict[str, dict[str, Any]] = {}
    for column in columns:
        asked[column.sql] = _counts(wide, column)
        if column.sql not in samples:
            continue
        asked[column.sql] |= _power_sums(wide, column.sql)
        if label is not None and column != label and label.sql in samples:
            asked[column.sql] |= _joint_sums(wide, column.sql, label.sql)
    flat = {f"{statistic}_{name}": value for name, values in asked.items() for statistic, value in values.items()}
    row = iter(table.rows(query(wide.aggregate(**flat)))[0])
    return {name: {statistic: next(row) for statistic in values} for name, values in asked.items()}


def _with_deviations(rows: "ir.Table", columns: Sequence[Column], samples: dict[str, Sampled]) -> "ir.Table":
    """The rows with, for each numeric column c0, its finite numbers fc0, their scaled deviations dc0 and the squares qc0.

    Each is a separate step, because every aggregate would compute them again within one step.
    """
    numeric = [column.sql for column in columns if column.type in NUMERIC_LIKE]
    known = {column.sql: samples[column.sql] for column in columns if column.sql in samples}
    kept: Any = rows.mutate(**{f"f{name}": finite(rows[name]) for name in numeric})
    kept = kept.mutate(**{f"d{name}": (_number(kept, name) - at.shift) / at.scale for name, at in known.items()})
    return kept.mutate(**{f"q{name}": kept[f"d{name}"] * kept[f"d{name}"] for name in known})


def _number(rows: "ir.Table", name: str) -> Any:
    """A numeric column's finite numbers, or a boolean as 0 and 1."""
    return rows[f"f{name}"] if f"f{name}" in rows.columns else rows[name].cast("float64")


def _counts(rows: "ir.Table", column: Column) -> Stats:
    values: Any = rows[column.sql]
    counts: Stats = {"present": values.count(), "distinct": hashed(rows, column).approx_nunique()}
    if column.type in _WITH_LENGTH:
        lengths = values.length()
        counts |= {"shortest": lengths.min(), "longest": lengths.max(), "length": lengths.mean()}
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


def _numbers(stats: Stats, sample: Sampled) -> Stats:
    """The moments of all rows, from the sums of powers, and the quantiles, from the sample."""
    count = stats["finite"]
    mean, mean2, mean3, mean4 = (stats[f"sum{power}"] / count for power in (1, 2, 3, 4))
    variance = mean2 - mean * mean
    # Products instead of powers, which raise an error if they overflow. Infinity minus infinity is NaN, which `_if_finite`
    # drops.
    third = mean3 - 3 * mean * mean2 + 2 * mean * mean * mean
    fourth = mean4 - 4 * mean * mean3 + 6 * mean * mean * mean2 - 3 * mean * mean * mean * mean
    # The variance of a constant would be only rounding errors.
    spread = stats["minimum"] != stats["maximum"] and (variance > 0 or isnan(variance))
    return {
        "minimum": stats["minimum"],
        "maximum": stats["maximum"],
        "mean": sample.shift + sample.scale * mean if spread else float(stats["minimum"]),
        "std": _if_finite(sample.scale * sqrt(variance)) if spread else 0.0,
        "skewness": _ratio(third, variance * sqrt(variance)) if spread else 0.0,
        "kurtosis": _ratio(fourth, variance * variance, 3.0) if spread else 0.0,
        # The extremes are those of all rows, also if the quantiles are those of a sample.
        "quantiles": (float(stats["minimum"]), *sample.quantiles[1:-1], float(stats["maximum"])),
    }


def _ratio(moment: float, scale: float, less: float = 0.0) -> float | None:
    return _if_finite(moment / scale - less) if scale else None


def _if_finite(number: float) -> float | None:
    return number if isfinite(number) else None


def _lengths(stats: Stats) -> Lengths | None:
    if stats.get("longest") is None:
        return None
    return Lengths(minimum=stats["shortest"], maximum=stats["longest"], mean=stats["length"])


def _with_label(stats: Stats, center: Sampled, label: Sampled) -> WithLabel | None:
    rows = stats["both"]
    if not rows:
        return None
    value, other = stats["sum_value"] / rows, stats["sum_label"] / rows
    return WithLabel(
        rows=rows,
        mean_value=center.shift + center.scale * value,
        mean_label=label.shift + label.scale * other,
        m2_value=max(0.0, stats["sum_value2"] - rows * value**2) * center.scale**2,
        m2_label=max(0.0, stats["sum_label2"] - rows * other**2) * label.scale**2,
        comoment=(stats["sum_both"] - rows * value * other) * center.scale * label.scale,
    )
