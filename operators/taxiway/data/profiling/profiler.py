"""Compute the profile of a table: two scans for all columns together, and one of each column for its values.

The first scan is in `quantiles`, the second in `aggregates`, and the scans of each column are in `value_counts`.
"""

from math import isfinite, isnan, sqrt

from taxiway.data.engine.duckdb_table import Table
from taxiway.data.profiling.aggregates import Stats, aggregated
from taxiway.data.profiling.profile import ColumnProfile, Lengths, Profile, WithLabel
from taxiway.data.profiling.quantiles import Sampled, sample_numbers
from taxiway.data.profiling.value_counts import LISTED, few, values_of
from taxiway.errors import ConfigError, allowed_values

_COUNTS = ("nan", "above", "below", "zeros", "fractional")


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
    found = aggregated(table, samples, labelled)
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
