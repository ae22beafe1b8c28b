"""Compute the profile of a table: two scans over all columns, and then scans of single columns that count their values.

The first scan is in `quantiles`, the second in `aggregates`, and the scans of single columns are in `value_counts`.
"""

from collections.abc import Mapping
from math import isfinite, isnan, sqrt

from taxiway.data.engine.duckdb_table import Column, Table
from taxiway.data.profiling.aggregates import Stats, aggregated
from taxiway.data.profiling.profile import ColumnProfile, Lengths, Profile, WithLabel
from taxiway.data.profiling.quantiles import NumericSample, sample_numeric_columns
from taxiway.data.profiling.value_counts import COUNTED_TYPES, is_low_cardinality, values_of
from taxiway.errors import ConfigError, allowed_values

_COUNTS = (
    "nan",
    "above",
    "below",
    "zeros",
    "fractional",
)  # above and below: infinity, and numbers beyond 1e100 in either direction


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
    label_column = table.column(label) if label is not None else None
    samples = sample_numeric_columns(table)
    if label_column is not None and label_column.type == "boolean":
        samples[label_column.sql] = NumericSample(shift=0.5, scale=0.5)
    stats_by_column = aggregated(table, samples, label_column)
    pair_label = label_column if label_column is not None and _is_counted(label_column, stats_by_column) else None
    columns = []
    for column in table.columns:
        stats = stats_by_column[column.sql]
        values = values_of(
            column,
            table,
            int(stats["approx_distinct"]),
            pair_label,
            samples[column.sql].frequent if column.sql in samples else (),
        )
        columns.append(
            ColumnProfile(
                name=column.name,
                type=column.type,
                storage=column.storage,
                rows=table.row_count,
                missing=table.row_count - int(stats["non_null"]),
                **{name: int(stats[name] or 0) for name in _COUNTS if name in stats},
                **(_numeric_stats(stats, samples[column.sql]) if "minimum" in stats and column.sql in samples else {}),
                lengths=_lengths(stats),
                with_label=_with_label(stats, samples[column.sql], samples[label_column.sql])
                if label_column and "both" in stats
                else None,
                distinct_sample=values.distinct_sample,
                values=values.values,
                values_complete=values.values_complete,
                label_pairs=values.label_pairs,
            )
        )
    return Profile(rows=table.row_count, columns=tuple(columns), label=label)


def _is_counted(label: Column, stats_by_column: Mapping[str, Stats]) -> bool:
    """Whether the rows are counted by value and label: the label has few values, and those of its type are counted."""
    return label.type in COUNTED_TYPES and is_low_cardinality(int(stats_by_column[label.sql]["approx_distinct"]))


def profile_with_optional_label(table: Table, label: str | None) -> Profile:
    """Profile a table that may lack the label, as serving data does; see `profile_table`."""
    has_label = label is not None and any(column.name == label for column in table.columns)
    return profile_table(table, label if has_label else None)


def _numeric_stats(stats: Stats, sample: NumericSample) -> Stats:
    """The moments of all rows, from the sums of powers, and the quantiles, from the sample."""
    count = stats["finite"]
    mean, mean2, mean3, mean4 = (stats[f"sum{power}"] / count for power in (1, 2, 3, 4))
    variance = mean2 - mean * mean
    # Products instead of powers, which raise an error if they overflow. Infinity minus infinity is NaN, which `_if_finite`
    # drops.
    third = mean3 - 3 * mean * mean2 + 2 * mean * mean * mean
    fourth = mean4 - 4 * mean * mean3 + 6 * mean * mean * mean2 - 3 * mean * mean * mean * mean
    # The variance of a constant would be only rounding errors.
    varies = stats["minimum"] != stats["maximum"] and (variance > 0 or isnan(variance))
    return {
        "minimum": stats["minimum"],
        "maximum": stats["maximum"],
        "mean": sample.shift + sample.scale * mean if varies else float(stats["minimum"]),
        "std": _if_finite(sample.scale * sqrt(variance)) if varies else 0.0,
        "skewness": _ratio(third, variance * sqrt(variance)) if varies else 0.0,
        "kurtosis": _ratio(fourth, variance * variance, 3.0) if varies else 0.0,
        # The extremes are those of all rows, even if the quantiles are those of a sample.
        "quantiles": (float(stats["minimum"]), *sample.quantiles[1:-1], float(stats["maximum"])),
    }


def _ratio(moment: float, scale: float, offset: float = 0.0) -> float | None:
    return _if_finite(moment / scale - offset) if scale else None


def _if_finite(number: float) -> float | None:
    return number if isfinite(number) else None


def _lengths(stats: Stats) -> Lengths | None:
    if stats.get("longest") is None:
        return None
    return Lengths(minimum=stats["shortest"], maximum=stats["longest"], mean=stats["mean_length"])


def _with_label(stats: Stats, sample: NumericSample, label_sample: NumericSample) -> WithLabel | None:
    rows = stats["both"]
    if not rows:
        return None
    value, other = stats["sum_value"] / rows, stats["sum_label"] / rows
    return WithLabel(
        rows=rows,
        mean_value=sample.shift + sample.scale * value,
        mean_label=label_sample.shift + label_sample.scale * other,
        m2_value=max(0.0, stats["sum_value2"] - rows * value**2) * sample.scale**2,
        m2_label=max(0.0, stats["sum_label2"] - rows * other**2) * label_sample.scale**2,
        comoment=(stats["sum_both"] - rows * value * other) * sample.scale * label_sample.scale,
    )
