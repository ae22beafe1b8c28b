"""Merging profiles: the profile of some rows together, from the profiles of the parts, without reading a row again.

Counts, extremes and moments are exact; quantiles are those of the parts' quantiles, weighted by
their rows: off by at most a step (1 % of the rows), and still values that occur, so that point masses stay points.
"""

import math
from collections import Counter
from collections.abc import Sequence

from taxiway.data.profile import QUANTILES, ColumnProfile, Profile, kept_values

_NUMERIC = {"integer", "number"}
_EPSILON = 1e-12


def merged(profiles: Sequence[Profile]) -> Profile:
    """Merge profiles in any order; none at all make the empty profile.

    A column that a part lacks is missing in all of its rows. Columns keep the parts' order where it is one, else go by name.
    """
    parts = [profile for profile in profiles if profile.columns]
    orders = {tuple(column.name for column in profile.columns) for profile in parts}
    names = orders.pop() if len(orders) == 1 else tuple(sorted({name for order in orders for name in order}))
    columns = []
    for name in names:
        there = [column for profile in parts if (column := profile.column(name)) is not None]
        absent = sum(profile.rows for profile in parts if profile.column(name) is None)
        columns.append(_merge_columns(there, absent))
    return Profile(rows=sum(profile.rows for profile in parts), columns=tuple(columns))


def _merge_columns(parts: list[ColumnProfile], absent: int) -> ColumnProfile:
    # A column without values may have any type in its file: it has no say where another part has values.
    telling = [part for part in parts if part.present] or parts
    kind = _common({part.type for part in telling})
    alike = [part for part in telling if kind == part.type or (kind == "number" and part.type in _NUMERIC)]
    finite = sum(part.finite for part in alike)
    mean, std = _moments(alike, finite)
    counts: Counter[str] = Counter()
    for part in alike:
        counts.update({item.value: item.count for item in part.values})
    values, complete = kept_values(dict(counts), complete=all(part.values_complete for part in alike))
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
        distinct=max((part.distinct for part in alike), default=0)
        if not values
        else max(len(values), *(p.distinct for p in alike)),
        minimum=min((part.minimum for part in alike if part.minimum is not None), default=None),
        maximum=max((part.maximum for part in alike if part.maximum is not None), default=None),
        mean=mean,
        std=std,
        quantiles=mixed_quantiles([(part.quantiles, part.finite) for part in alike if part.quantiles]),
        values=values,
        values_complete=complete,
    )


def _common(types: set[str]) -> str:
    """The type of a column that had these types; `other` where they do not go together."""
    if len(types) == 1:
        return next(iter(types))
    return "number" if types == _NUMERIC else "other"


def _moments(parts: list[ColumnProfile], finite: int) -> tuple[float | None, float | None]:
    """Mean and population standard deviation of the union (Chan, Golub and LeVeque 1979, for any number of parts)."""
    known = [(part.finite, part.mean, part.std) for part in parts if part.mean is not None and part.std is not None]
    if not known or not finite:
        return None, None
    mean = math.fsum(rows / finite * value for rows, value, _ in known)
    variance = math.fsum(rows / finite * (std**2 + (value - mean) ** 2) for rows, value, std in known)
    return mean, math.sqrt(variance)


def mixed_quantiles(parts: list[tuple[tuple[float, ...], int]]) -> tuple[float, ...]:
    """The 101 quantiles of a union, from the quantiles of its parts and their numbers of rows."""
    if not parts:
        return ()
    if len(parts) == 1:
        return parts[0][0]
    import numpy as np

    points = np.concatenate([quantiles for quantiles, _ in parts])
    # A quantile stands for the step around it, so the first and the last stand for half a step.
    steps = np.array([0.5, *[1.0] * (QUANTILES - 2), 0.5]) / (QUANTILES - 1)
    weights = np.concatenate([count * steps for _, count in parts]) / sum(count for _, count in parts)
    order = np.argsort(points, kind="stable")
    upto = np.cumsum(weights[order])
    at = np.searchsorted(upto, np.linspace(0, 1, QUANTILES) - _EPSILON)
    found = points[order][np.minimum(at, len(points) - 1)]
    return (float(points.min()), *map(float, found[1:-1]), float(points.max()))
