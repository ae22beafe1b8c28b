"""Merge the profiles of spans into the profile of all their rows, without reading the rows again.

Row counts, extremes and moments are exact. The row counts of frequent values are lower bounds if a part does not list all its values
(`values_exact`). Quantiles are computed from the parts' quantiles, weighted by rows; the rank error is at most 1%. They are still
values of the data, so a value that many rows have keeps its share.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.distinct_sketch import merge_samples
from taxiway.data.profiling.profile import (
    PAIRED_VALUES,
    QUANTILE_COUNT,
    ColumnProfile,
    Lengths,
    PairCount,
    Profile,
    WithLabel,
    kept_values,
)
from taxiway.records import Span
from taxiway.store.store import Store

_NUMERIC = {"integer", "number"}
_MOMENTS = {"date", "datetime"}
# The types whose values also have the type.
_ALSO = {"number": _NUMERIC, "datetime": _MOMENTS}
# A sum of weights may be a rounding error below the rank that it reaches.
_EPSILON = 1e-12


class Moments(NamedTuple):
    """The moments of a numeric column.

    Attributes:
        mean: The mean; None without finite numbers.
        std: The population standard deviation; None without finite numbers, or if it overflows.
        skewness: The third standardized moment; None without finite numbers, or if it overflows.
        kurtosis: The excess kurtosis; None without finite numbers, or if it overflows.
    """

    mean: float | None = None
    std: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None


def profile_whole_span(parts: Sequence[Span], store: Store, label: str | None) -> Profile:
    """Profile a span that a split divides into parts.

    Args:
        parts: The parts, or the span itself.
        store: Where their rows are, and where their profiles are kept.
        label: The label, which the other columns are compared with; None for no label.

    Raises:
        DataError: The rows of a part cannot be read.
    """
    profiles = [profile_span(part, store, label) for part in parts]
    return profiles[0] if len(profiles) == 1 else merge_profiles(profiles)


def merge_profiles(profiles: Sequence[Profile]) -> Profile:
    """Merge profiles.

    Args:
        profiles: The profiles, in any order.

    Returns:
        The profile of all rows; without columns if there are no profiles. The rows of a profile that lacks a column count as
        missing. The columns are in the order of the profiles if it is the same in all, else in the order of their names. If the
        profiles have different labels, nothing about the label is merged.
    """
    parts = [profile for profile in profiles if profile.columns]
    if len(parts) == 1:
        return parts[0]
    orders = {tuple(column.name for column in profile.columns) for profile in parts}
    names = orders.pop() if len(orders) == 1 else tuple(sorted({name for order in orders for name in order}))
    columns = []
    for name in names:
        found = [(profile.column(name), profile.rows) for profile in parts]
        present_in = [column for column, _ in found if column is not None]
        rows_without_column = sum(rows for column, rows in found if column is None)
        columns.append(_merge_columns(present_in, rows_without_column))
    rows, labels = sum(profile.rows for profile in parts), {profile.label for profile in parts}
    if len(labels) == 1:
        return Profile(rows=rows, columns=tuple(columns), label=labels.pop())
    # Statistics that compare a column with different labels cannot be merged.
    without_label = [column.model_copy(update={"with_label": None, "label_pairs": None}) for column in columns]
    return Profile(rows=rows, columns=tuple(without_label))


def _merge_columns(parts: list[ColumnProfile], rows_without_column: int) -> ColumnProfile:
    # A column without values may have any type in its file, so its type is ignored if another part has values.
    with_values = [part for part in parts if part.present] or parts
    kind = _common_type({part.type for part in with_values})
    same_type = [part for part in with_values if kind == part.type or part.type in _ALSO.get(kind, ())]
    counts: dict[str, int] = {}
    for part in same_type:
        for value, count in part.values:
            counts[value] = counts.get(value, 0) + count
    values, complete = kept_values(counts, complete=all(part.values_complete for part in same_type))
    moments = merge_moments(same_type)
    return ColumnProfile(
        name=parts[0].name,
        type=kind,
        storage=" or ".join(sorted({word for part in with_values for word in part.storage.split(" or ")})),
        rows=sum(part.rows for part in parts) + rows_without_column,
        missing=sum(part.missing for part in parts) + rows_without_column,
        nan=sum(part.nan for part in parts),
        above=sum(part.above for part in parts),
        below=sum(part.below for part in parts),
        zeros=sum(part.zeros for part in same_type),
        fractional=sum(part.fractional for part in same_type),
        minimum=min((part.minimum for part in same_type if part.minimum is not None), default=None),
        maximum=max((part.maximum for part in same_type if part.maximum is not None), default=None),
        mean=moments.mean,
        std=moments.std,
        skewness=moments.skewness,
        kurtosis=moments.kurtosis,
        quantiles=merge_quantiles([(part.quantiles, part.finite) for part in same_type if part.quantiles]),
        lengths=_lengths(same_type),
        distinct_sample=merge_samples([part.distinct_sample for part in with_values]),  # of the same rows as `present`
        values=values,
        values_complete=complete and bool(same_type),
        values_exact=complete or (len(same_type) == 1 and same_type[0].values_exact),
        with_label=_merge_label_comoments([part.with_label for part in same_type if part.with_label is not None]),
        label_pairs=_merge_label_pairs(same_type),
    )


def _common_type(types: set[str]) -> str:
    """The common type of a column with these types in its parts; `other` if there is none."""
    if len(types) == 1:
        return next(iter(types))
    return next((kind for kind, also in _ALSO.items() if types <= also), "other")


def merge_moments(parts: list[ColumnProfile]) -> Moments:
    """Merge the moments of a numeric column (Chan, Golub and LeVeque 1979; Pebay 2008), for any number of parts at once.

    Args:
        parts: The column in each part.

    Returns:
        The moments of all rows. One that overflowed, here or in a part, is None.
    """
    known = [(part.finite, part.mean, part) for part in parts if part.mean is not None]
    finite = sum(rows for rows, *_ in known)
    if not finite:
        return Moments()
    # Centered on one of the means, because a mean far from 0 would lose its digits. Scaled by the largest deviation, because
    # the powers of very small and very large deviations would underflow and overflow.
    origin = known[0][1]
    unit = max(max(abs(mean - origin), part.std or 0.0) for _, mean, part in known)
    if not unit:
        return Moments(origin, 0.0, 0.0, 0.0)
    center = math.fsum(rows / finite * ((mean - origin) / unit) for rows, mean, _ in known)
    second = third = fourth = 0.0
    for rows, mean, part in known:
        share, away = rows / finite, (mean - origin) / unit - center
        m2, m3, m4 = _central(part, unit)
        second += share * (m2 + away**2)
        third += share * (m3 + 3 * away * m2 + away**3)
        fourth += share * (m4 + 4 * away * m3 + 6 * away**2 * m2 + away**4)
    std = math.sqrt(second)
    return Moments(
        origin + center * unit,
        _finite_or_none(std * unit),
        _finite_or_none(third / std**3),
        _finite_or_none(fourth / std**4 - 3),
    )


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _central(part: ColumnProfile, unit: float) -> tuple[float, float, float]:
    """The second, third and fourth central moments in units of `unit`; NaN for a moment that overflowed."""
    if part.std == 0:
        return 0.0, 0.0, 0.0
    std, skewness, kurtosis = (math.nan if value is None else value for value in (part.std, part.skewness, part.kurtosis))
    spread = std / unit
    return spread**2, skewness * spread**3, (kurtosis + 3) * spread**4


def _lengths(parts: list[ColumnProfile]) -> Lengths | None:
    known = [(part.lengths, part.present) for part in parts if part.lengths is not None]
    if not known:
        return None
    rows = sum(present for _, present in known)
    return Lengths(
        minimum=min(lengths.minimum for lengths, _ in known),
        maximum=max(lengths.maximum for lengths, _ in known),
        mean=math.fsum(lengths.mean * present / rows for lengths, present in known),
    )


def _merge_label_comoments(parts: list[WithLabel]) -> WithLabel | None:
    if not parts:
        return None
    rows = sum(part.rows for part in parts)
    value = math.fsum(part.mean_value * part.rows / rows for part in parts)
    label = math.fsum(part.mean_label * part.rows / rows for part in parts)
    return WithLabel(
        rows=rows,
        mean_value=value,
        mean_label=label,
        m2_value=math.fsum(part.m2_value + part.rows * (part.mean_value - value) ** 2 for part in parts),
        m2_label=math.fsum(part.m2_label + part.rows * (part.mean_label - label) ** 2 for part in parts),
        comoment=math.fsum(part.comoment + part.rows * (part.mean_value - value) * (part.mean_label - label) for part in parts),
    )


def _merge_label_pairs(parts: list[ColumnProfile]) -> tuple[PairCount, ...] | None:
    """The merged counts by value and label; None if a part has none, or if there are too many values."""
    if not parts or any(part.label_pairs is None for part in parts):
        return None
    counts: dict[tuple[str, str], int] = {}
    for part in parts:
        for value, label, count in part.label_pairs or ():
            counts[value, label] = counts.get((value, label), 0) + count
    if any(len(set(side)) > PAIRED_VALUES for side in zip(*counts, strict=True)):
        return None
    return tuple(PairCount(value=value, label=label, rows=count) for (value, label), count in sorted(counts.items()))


def merge_quantiles(parts: list[tuple[tuple[float, ...], int]]) -> tuple[float, ...]:
    """Merge quantiles.

    Args:
        parts: The 101 quantiles of each part, with its number of rows.

    Returns:
        The 101 quantiles of all rows; empty without parts.
    """
    if not parts:
        return ()
    if len(parts) == 1:
        return parts[0][0]
    import numpy as np

    points = np.concatenate([quantiles for quantiles, _ in parts])
    # A quantile represents the step around it, so the first and the last represent half a step.
    steps = np.array([0.5, *[1.0] * (QUANTILE_COUNT - 2), 0.5]) / (QUANTILE_COUNT - 1)
    weights = np.concatenate([count * steps for _, count in parts]) / sum(count for _, count in parts)
    order = np.argsort(points, kind="stable")
    upto = np.cumsum(weights[order])
    indices = np.searchsorted(upto, np.linspace(0, 1, QUANTILE_COUNT) - _EPSILON)
    found = points[order][np.minimum(indices, len(points) - 1)]
    return (float(points.min()), *map(float, found[1:-1]), float(points.max()))
