"""Merge the profiles of spans into the profile of all their rows, without reading the rows again.

Counts, extremes and moments are exact. Quantiles are those of the parts' quantiles, weighted by rows: their ranks are off by
at most one step (1% of the rows), and they are still values of the data, so that point masses remain point masses.
"""

import math
from collections.abc import Sequence

from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.distinct_sketch import merged_samples
from taxiway.data.profiling.profile import (
    PAIRED_VALUES,
    QUANTILES,
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
_EPSILON = 1e-12
_MOMENTS = ("mean", "std", "skewness", "kurtosis")


def profile_parts(parts: Sequence[Span], store: Store, label: str | None) -> Profile:
    """Profile a span that a split divides into parts.

    Args:
        parts: The parts, or the span itself.
        store: Where their rows are, and where their profiles are kept.
        label: The label, which the other columns are compared with; None for no label.

    Raises:
        DataError: The rows of a part cannot be read.
    """
    profiles = [profile_span(part, store, label) for part in parts]
    return profiles[0] if len(profiles) == 1 else merged(profiles)


def merged(profiles: Sequence[Profile]) -> Profile:
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
        there = [column for column, _ in found if column is not None]
        absent = sum(rows for column, rows in found if column is None)
        columns.append(_merge_columns(there, absent))
    rows, labels = sum(profile.rows for profile in parts), {profile.label for profile in parts}
    if len(labels) == 1:
        return Profile(rows=rows, columns=tuple(columns), label=labels.pop())
    # Statistics that compare a column with different labels cannot be merged.
    alone = [column.model_copy(update={"with_label": None, "label_pairs": None}) for column in columns]
    return Profile(rows=rows, columns=tuple(alone))


def _merge_columns(parts: list[ColumnProfile], absent: int) -> ColumnProfile:
    # A column without values may have any type in its file, so its type is ignored if another part has values.
    telling = [part for part in parts if part.present] or parts
    kind = _common({part.type for part in telling})
    alike = [part for part in telling if kind == part.type or (kind == "number" and part.type in _NUMERIC)]
    counts: dict[str, int] = {}
    for part in alike:
        for value, count in part.values:
            counts[value] = counts.get(value, 0) + count
    values, complete = kept_values(counts, complete=all(part.values_complete for part in alike))
    return ColumnProfile(
        name=parts[0].name,
        type=kind,
        storage=" or ".join(sorted({word for part in telling for word in part.storage.split(" or ")})),
        rows=sum(part.rows for part in parts) + absent,
        missing=sum(part.missing for part in parts) + absent,
        nan=sum(part.nan for part in parts),
        above=sum(part.above for part in parts),
        below=sum(part.below for part in parts),
        zeros=sum(part.zeros for part in alike),
        fractional=sum(part.fractional for part in alike),
        minimum=min((part.minimum for part in alike if part.minimum is not None), default=None),
        maximum=max((part.maximum for part in alike if part.maximum is not None), default=None),
        **merged_moments(alike),
        quantiles=mixed_quantiles([(part.quantiles, part.finite) for part in alike if part.quantiles]),
        lengths=_lengths(alike),
        frequencies=merged_samples([part.frequencies for part in telling]),  # of the same rows as `present`
        values=values,
        values_complete=complete and bool(alike),
        values_exact=complete or (len(alike) == 1 and alike[0].values_exact),
        with_label=_with_label([part.with_label for part in alike if part.with_label is not None]),
        label_pairs=_pairs(alike),
    )


def _common(types: set[str]) -> str:
    """The common type of a column with these types in its parts; `other` if there is none."""
    if len(types) == 1:
        return next(iter(types))
    return "number" if types == _NUMERIC else "other"


def merged_moments(parts: list[ColumnProfile]) -> dict[str, float | None]:
    """Merge the moments of a numeric column (Chan, Golub and LeVeque 1979; Pebay 2008), for any number of parts at once.

    Args:
        parts: The column in each part.

    Returns:
        The `mean`, the population `std`, the `skewness` and the excess `kurtosis`. All are None if there are no finite
        numbers; a moment that overflowed, here or in a part, is None.
    """
    known = [(part.finite, part.mean, part) for part in parts if part.mean is not None]
    finite = sum(rows for rows, *_ in known)
    if not finite:
        return dict.fromkeys(_MOMENTS)
    # Centered on one of the means, because a mean far from 0 would lose its digits. Scaled by the largest deviation, because
    # the powers of very small and very large deviations would underflow and overflow.
    origin = known[0][1]
    unit = max(max(abs(mean - origin), part.std or 0.0) for _, mean, part in known)
    if not unit:
        return {"mean": origin, "std": 0.0, "skewness": 0.0, "kurtosis": 0.0}
    centre = math.fsum(rows / finite * ((mean - origin) / unit) for rows, mean, _ in known)
    second = third = fourth = 0.0
    for rows, mean, part in known:
        share, away = rows / finite, (mean - origin) / unit - centre
        m2, m3, m4 = _central(part, unit)
        second += share * (m2 + away**2)
        third += share * (m3 + 3 * away * m2 + away**3)
        fourth += share * (m4 + 4 * away * m3 + 6 * away**2 * m2 + away**4)
    std = math.sqrt(second)
    found = {"std": std * unit, "skewness": third / std**3, "kurtosis": fourth / std**4 - 3}
    return {"mean": origin + centre * unit, **{name: value if math.isfinite(value) else None for name, value in found.items()}}


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


def _with_label(parts: list[WithLabel]) -> WithLabel | None:
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


def _pairs(parts: list[ColumnProfile]) -> tuple[PairCount, ...] | None:
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


def mixed_quantiles(parts: list[tuple[tuple[float, ...], int]]) -> tuple[float, ...]:
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
    steps = np.array([0.5, *[1.0] * (QUANTILES - 2), 0.5]) / (QUANTILES - 1)
    weights = np.concatenate([count * steps for _, count in parts]) / sum(count for _, count in parts)
    order = np.argsort(points, kind="stable")
    upto = np.cumsum(weights[order])
    at = np.searchsorted(upto, np.linspace(0, 1, QUANTILES) - _EPSILON)
    found = points[order][np.minimum(at, len(points) - 1)]
    return (float(points.min()), *map(float, found[1:-1]), float(points.max()))
