"""Distances between the distributions of two columns, and their critical values, which sampling alone rarely exceeds.

All distances are from 0 to 1. The check `drift` compares them with the limits in the schema.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist
from typing import TypeVar

from taxiway.data.profiling.profile import QUANTILE_COUNT, ColumnProfile

K = TypeVar("K")

_ATOM_STEPS = 4
"""A number is a point mass if at least this many quantile steps at it have no width; fewer may be a high density."""
_FEWEST_VALUES = 40
"""With fewer values, most of them span `_ATOM_STEPS` quantile steps and look like point masses."""
RESOLUTION = 2 / (QUANTILE_COUNT - 1)
"""The smallest Jensen-Shannon divergence that quantiles can resolve."""
SIGNIFICANCE = 0.001
"""The probability, or a bound of it, that the distance of two samples of the same distribution exceeds its critical value."""


@dataclass(frozen=True)
class LargestChange:
    """The value whose frequency changed most between two columns.

    Attributes:
        distance: The distance of the columns, from 0 to 1.
        value: The value; empty if neither column has values.
        before: Its share of the rows with a value in the first column; a number of rows for `normalized_difference`.
        after: The same in the second column.
    """

    distance: float
    value: str
    before: float
    after: float


@dataclass(frozen=True)
class Density:
    """The distribution of a numeric column. Its masses sum to 1, or to 0 if the column has no values.

    Attributes:
        pieces: Intervals of uniform density, as (low, high, mass), in ascending order and without overlap.
        atoms: Point masses, as (number, mass).
        elsewhere: The masses of `above` and `below`, as (name, mass); see `ColumnProfile`.
    """

    pieces: tuple[tuple[float, float, float], ...] = ()
    atoms: tuple[tuple[float, float], ...] = ()
    elsewhere: tuple[tuple[str, float], ...] = ()

    @property
    def mass(self) -> float:
        """The sum of all masses: 1, or 0 without values."""
        return math.fsum([*(m for _, _, m in self.pieces), *(m for _, m in self.atoms), *(m for _, m in self.elsewhere)])


def l_infinity(a: ColumnProfile, b: ColumnProfile) -> LargestChange:
    """The L-infinity distance of two categorical columns: the largest change of a value's share of the rows with a value.

    A value that an incomplete list of values does not have counts as absent, so the error is below the share of the last value
    in the list. The distance of two columns without values is 0.

    Args:
        a: The first column.
        b: The second column.

    Returns:
        The distance, and the value that changed most; of several, the first in alphabetical order.
    """
    shares_a = {item.value: item.rows / a.present for item in a.values}
    shares_b = {item.value: item.rows / b.present for item in b.values}
    changes = [
        LargestChange(
            abs(shares_a.get(value, 0.0) - shares_b.get(value, 0.0)), value, shares_a.get(value, 0.0), shares_b.get(value, 0.0)
        )
        for value in sorted(shares_a.keys() | shares_b.keys())
    ]
    return max(changes, key=lambda change: round(change.distance, 12), default=LargestChange(0.0, "", 0.0, 0.0))


def l_infinity_critical_value(a: ColumnProfile, b: ColumnProfile) -> float:
    """The L-infinity distance that two samples of the same distribution exceed with a probability of at most `SIGNIFICANCE`.

    This is a bound for every distribution: McDiarmid's inequality (1989) for the change of each share, with a union bound over
    the values.
    """
    values = len({item.value for item in a.values} | {item.value for item in b.values})
    return math.sqrt(math.log(2 * max(values, 1) / SIGNIFICANCE) / 2 * _harmonic(a.present, b.present))


def normalized_difference(a: ColumnProfile, b: ColumnProfile) -> LargestChange:
    """The largest change of a value's number of rows, as a fraction of the rows with a value in both columns.

    Unlike the L-infinity distance, it also measures a change in the number of all rows.

    Args:
        a: The first column.
        b: The second column.

    Returns:
        The distance, and the value that changed most, with its numbers of rows instead of its shares.
    """
    counts_a = {item.value: item.rows for item in a.values}
    counts_b = {item.value: item.rows for item in b.values}
    total = (a.present + b.present) or 1
    changes = [
        LargestChange(
            abs(counts_a.get(value, 0) - counts_b.get(value, 0)) / total, value, counts_a.get(value, 0), counts_b.get(value, 0)
        )
        for value in sorted(counts_a.keys() | counts_b.keys())
    ]
    return max(changes, key=lambda change: round(change.distance, 12), default=LargestChange(0.0, "", 0.0, 0.0))


def normalized_difference_critical_value(a: ColumnProfile, b: ColumnProfile) -> float:
    """The normalized difference that two columns of one stream of rows exceed with a probability of at most about `SIGNIFICANCE`.

    Each row of a value is equally likely to be in either column, so Hoeffding's inequality (1963) bounds the difference of the
    counts, with a union bound over the values.
    """
    values = len({item.value for item in a.values} | {item.value for item in b.values})
    total = a.present + b.present
    return math.sqrt(2 * math.log(2 * max(values, 1) / SIGNIFICANCE) / total) if total else math.inf


def value_divergence(a: ColumnProfile, b: ColumnProfile) -> LargestChange:
    """The Jensen-Shannon divergence (Lin 1991; base 2) of two categorical columns, from the shares of their values.

    Unlike the L-infinity distance, it counts many small changes. The rows of the values that an incomplete list does not have count as
    those of one value, so it may be too small, and is never too large. Its square root with the natural logarithm, `sqrt(d * ln 2)`, is the
    distance of SciPy and Evidently.

    Args:
        a: The first column.
        b: The second column.

    Returns:
        The divergence, with the value that changed most.
    """
    change = l_infinity(a, b)
    pairs = _pair_masses(_shares(a), _shares(b))
    total = math.fsum(_term(p, (p + q) / 2) + _term(q, (p + q) / 2) for p, q in pairs) / 2
    return replace(change, distance=min(1.0, max(0.0, total)))


def value_divergence_critical_value(a: ColumnProfile, b: ColumnProfile) -> float:
    """The divergence that two samples of the same distribution exceed with a probability of about `SIGNIFICANCE`.

    It is that of `jensen_shannon_critical_value`, with one degree of freedom less than there are values.
    """
    values = len(_shares(a).keys() | _shares(b).keys())
    return min(1.0, _chi_squared(max(1, values - 1)) * _harmonic(a.present, b.present) / (8 * math.log(2)))


def _shares(column: ColumnProfile) -> dict[str | None, float]:
    """The share of each value in the rows with a value; that of all values that are not listed, as None."""
    shares: dict[str | None, float] = {item.value: item.rows / column.present for item in column.values}
    rest = column.present - sum(item.rows for item in column.values)
    return {**shares, None: rest / column.present} if rest > 0 else shares


def jensen_shannon(a: ColumnProfile, b: ColumnProfile) -> float:
    """The Jensen-Shannon divergence (Lin 1991; base 2) of two numeric columns, from their quantiles. Nulls and NaN are ignored.

    A run of equal quantiles is a point mass, which only matches a point mass at the same number. Each infinity counts as a
    separate value. The divergence of two columns without values is 0, of a column without values from one with values 1.
    """
    points = _atoms(a.quantiles) | _atoms(b.quantiles)
    return divergence(density(a, points), density(b, points))


def jensen_shannon_critical_value(a: ColumnProfile, b: ColumnProfile) -> float:
    """The Jensen-Shannon divergence that two samples of the same distribution exceed with a probability of about `SIGNIFICANCE`.

    The divergence of two samples of n and m values approximately follows a chi-squared distribution times (1/n + 1/m) / (8 ln
    2). The degrees of freedom are the number of quantile steps, or 1.25 times the number of values if that is less (determined
    by simulation). `RESOLUTION` is added
    because the outermost quantile steps end at the extremes, which differ between samples of any size.

    Returns:
        The divergence; 1 if a column has fewer than 40 values.
    """
    values = min(a.present, b.present)
    if values < _FEWEST_VALUES:
        return 1.0
    freedom = min(QUANTILE_COUNT - 1, round(1.25 * values))
    sampling = _chi_squared(freedom) * _harmonic(a.present, b.present) / (8 * math.log(2))
    return min(1.0, sampling + RESOLUTION)


def _chi_squared(freedom: int) -> float:
    """What a chi-squared variable exceeds with a probability of `SIGNIFICANCE` (Wilson and Hilferty 1931)."""
    z = NormalDist().inv_cdf(1 - SIGNIFICANCE)
    return freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3


def _harmonic(rows_a: int, rows_b: int) -> float:
    """1/n + 1/m; infinite if a column has no rows."""
    return 1 / rows_a + 1 / rows_b if rows_a and rows_b else math.inf


def _atoms(quantiles: tuple[float, ...]) -> frozenset[float]:
    """The numbers at which at least `_ATOM_STEPS` quantile steps have no width."""
    pairs = zip(quantiles, quantiles[_ATOM_STEPS:], strict=False)
    return frozenset(low for low, high in pairs if low == high)


def density(column: ColumnProfile, points: frozenset[float]) -> Density:
    """The distribution of a numeric column, from its quantiles.

    The mass of a step between two adjacent points is split equally between them, because no values are known to be in between.
    The mass of a step without width at another number is added to the steps beside it.

    Args:
        column: The column.
        points: The numbers that may have point masses.
    """
    total = column.present
    if not total:
        return Density()
    elsewhere = [("above", column.above), ("below", column.below)]
    pieces, atoms = _spread(column.quantiles, points)
    scale = column.finite / total
    return Density(
        tuple((low, high, mass * scale) for low, high, mass in pieces),
        tuple(sorted((point, mass * scale) for point, mass in atoms.items())),
        tuple((name, count / total) for name, count in elsewhere if count),
    )


def _spread(
    quantiles: tuple[float, ...], points: frozenset[float]
) -> tuple[list[tuple[float, float, float]], dict[float, float]]:
    """The pieces and the atoms of `density`, with a total mass of 1."""
    pieces: list[tuple[float, float, float]] = []
    atoms: dict[float, float] = {}
    step = 1 / (len(quantiles) - 1) if quantiles else 0.0
    waiting = 0.0
    for low, high in pairwise(quantiles):
        if low in points and high in points:
            for point in (low, high):
                atoms[point] = atoms.get(point, 0.0) + step / 2
        elif low == high:
            waiting += step
        else:
            if pieces and pieces[-1][1] == low:
                start, end, mass = pieces[-1]
                pieces[-1] = (start, end, mass + waiting / 2)
                waiting /= 2
            pieces.append((low, high, step + waiting))
            waiting = 0.0
    if waiting and pieces:
        start, end, mass = pieces[-1]
        pieces[-1] = (start, end, mass + waiting)
    elif waiting:
        atoms[quantiles[-1]] = atoms.get(quantiles[-1], 0.0) + waiting
    return pieces, atoms


def divergence(a: Density, b: Density) -> float:
    """The Jensen-Shannon divergence (base 2) of two distributions, from 0 to 1."""
    if not a.mass or not b.mass:
        return 0.0 if a.mass == b.mass else 1.0
    points = sorted({edge for low, high, _ in a.pieces + b.pieces for edge in (low, high)})
    pairs = list(zip(_masses(a.pieces, points), _masses(b.pieces, points), strict=True))
    pairs += _pair_masses(dict(a.atoms), dict(b.atoms)) + _pair_masses(dict(a.elsewhere), dict(b.elsewhere))
    total = math.fsum(_term(p, (p + q) / 2) + _term(q, (p + q) / 2) for p, q in pairs) / 2
    return min(1.0, max(0.0, total))


def _pair_masses(a: dict[K, float], b: dict[K, float]) -> list[tuple[float, float]]:
    return [(a.get(key, 0.0), b.get(key, 0.0)) for key in a.keys() | b.keys()]


def _term(share: float, mean: float) -> float:
    return share * math.log2(share / mean) if share > 0 else 0.0


def _masses(pieces: tuple[tuple[float, float, float], ...], points: list[float]) -> list[float]:
    """The mass of `pieces` between each two adjacent points."""
    masses = []
    index = 0
    for low, high in pairwise(points):
        while index < len(pieces) and pieces[index][1] <= low:
            index += 1
        inside = index < len(pieces) and pieces[index][0] <= low
        masses.append(pieces[index][2] * ((high - low) / (pieces[index][1] - pieces[index][0])) if inside else 0.0)
    return masses
