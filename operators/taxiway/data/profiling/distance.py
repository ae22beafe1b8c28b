"""How far apart two columns' distributions are, and how far apart chance alone puts them.

Both distances are in [0, 1]. What is done about a distance is in `drift`.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import TypeVar

from taxiway.data.profiling.profile import QUANTILES, ColumnProfile

K = TypeVar("K")

_ATOM_STEPS = 4
"""From this many quantile steps on, equal quantiles are a point mass; fewer cannot be told from a dense place."""
_FEWEST_VALUES = 40
"""Of fewer values, most are `_ATOM_STEPS` quantiles each and look like point masses: nothing can be told from them."""
RESOLUTION = 2 / (QUANTILES - 1)
"""Divergences below this are not told apart by quantiles."""
CHANCE = 0.001
"""How often sampling alone may put a distance above its null_quantile."""


@dataclass(frozen=True)
class LargestChange:
    """An L-infinity distance and the value at which it lies, with that value's share of rows on either side."""

    distance: float
    value: str
    share_a: float
    share_b: float


@dataclass(frozen=True)
class Density:
    """A distribution on the line: `pieces` of uniform density (from, to, mass) without overlap, and point masses `atoms`.

    `elsewhere` holds mass that lies at no finite number: NaN and the infinities. All masses together are 1, or 0 if empty.
    """

    pieces: tuple[tuple[float, float, float], ...] = ()
    atoms: tuple[tuple[float, float], ...] = ()
    elsewhere: tuple[tuple[str, float], ...] = ()

    @property
    def mass(self) -> float:
        """1, or 0 for no values at all."""
        return math.fsum([*(m for _, _, m in self.pieces), *(m for _, m in self.atoms), *(m for _, m in self.elsewhere)])


def l_infinity(a: ColumnProfile, b: ColumnProfile) -> LargestChange:
    """The largest difference between a value's share of the present rows in `a` and in `b`.

    A value outside a list that is not complete counts as absent; the error is below the share of the list's last value.
    Of values that changed alike, the first in the alphabet is named. Two columns without values are 0 apart.
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


def l_infinity_null(a: ColumnProfile, b: ColumnProfile) -> float:
    """An L-infinity distance that samples of one distribution exceed in at most one of 1,000 cases, whatever it is.

    McDiarmid's inequality for the difference of each value's share, and a union bound over the values.
    """
    values = len({item.value for item in a.values} | {item.value for item in b.values})
    return math.sqrt(math.log(2 * max(values, 1) / CHANCE) / 2 * _harmonic(a.present, b.present))


def normalized_difference(a: ColumnProfile, b: ColumnProfile) -> LargestChange:
    """The largest difference between a value's number of rows in `a` and in `b`, as a share of the rows of both together.

    Unlike L-infinity it sees that there are more rows of everything. The shares of the change are numbers of rows here.
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


def normalized_difference_null(a: ColumnProfile, b: ColumnProfile) -> float:
    """A normalized difference that counts of one stream of rows exceed in at most about one of 1,000 cases.

    Of the rows with one value, as many fall to either side as heads in so many throws of a coin: Hoeffding's inequality, and a
    union bound over the values.
    """
    values = len({item.value for item in a.values} | {item.value for item in b.values})
    total = a.present + b.present
    return math.sqrt(2 * math.log(2 * max(values, 1) / CHANCE) / total) if total else math.inf


def jensen_shannon(a: ColumnProfile, b: ColumnProfile) -> float:
    """The Jensen-Shannon divergence (base 2) of two numeric columns, from their quantiles; missing rows do not count.

    Equal quantiles are point masses and are compared with point masses at the same number only; NaN and each infinity are
    values of their own. Two columns without values are 0 apart, one without and one with values 1.
    """
    points = _atoms(a.quantiles) | _atoms(b.quantiles)
    return divergence(density(a, points), density(b, points))


def jensen_shannon_null(a: ColumnProfile, b: ColumnProfile) -> float:
    """A divergence that the profiles of two samples of one distribution exceed in about one of 1,000 cases.

    The divergence of two samples is about chi-squared, with as many degrees of freedom as there are quantile steps, or a quarter
    more than values where these are fewer (found by drawing samples), times (1/n + 1/m) / (8 ln 2); the quantile of chi-squared is
    Wilson and Hilferty's. To that comes `RESOLUTION`: the two outermost steps reach to the extremes, which differ from sample to
    sample however many rows there are.
    """
    values = min(a.rows - a.missing, b.rows - b.missing)
    if values < _FEWEST_VALUES:
        return 1.0
    freedom = min(QUANTILES - 1, round(1.25 * values))
    z = NormalDist().inv_cdf(1 - CHANCE)
    chi_squared = freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3
    sampling = chi_squared * _harmonic(a.rows - a.missing, b.rows - b.missing) / (8 * math.log(2))
    return min(1.0, sampling + RESOLUTION)


def _harmonic(rows_a: int, rows_b: int) -> float:
    """1/n + 1/m, infinite without rows."""
    return 1 / rows_a + 1 / rows_b if rows_a and rows_b else math.inf


def _atoms(quantiles: tuple[float, ...]) -> frozenset[float]:
    """Where at least `_ATOM_STEPS` steps between quantiles have no width."""
    pairs = zip(quantiles, quantiles[_ATOM_STEPS:], strict=False)
    return frozenset(low for low, high in pairs if low == high)


def density(column: ColumnProfile, points: frozenset[float]) -> Density:
    """The distribution that a column's quantiles describe, with point masses at `points` only.

    The step between two neighbouring points goes half to each: nothing is known to lie between them. Steps without width
    elsewhere are shared out to their neighbours.
    """
    total = column.finite + column.nan + column.above + column.below
    if not total:
        return Density()
    elsewhere = [("nan", column.nan), ("above", column.above), ("below", column.below)]
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
    """Pieces and atoms of mass 1 in all."""
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
    """The Jensen-Shannon divergence of two densities, base 2, in [0, 1]."""
    if not a.mass or not b.mass:
        return 0.0 if a.mass == b.mass else 1.0
    points = sorted({edge for low, high, _ in a.pieces + b.pieces for edge in (low, high)})
    pairs = list(zip(_masses(a.pieces, points), _masses(b.pieces, points), strict=True))
    pairs += _paired(dict(a.atoms), dict(b.atoms)) + _paired(dict(a.elsewhere), dict(b.elsewhere))
    total = math.fsum(_term(p, (p + q) / 2) + _term(q, (p + q) / 2) for p, q in pairs) / 2
    return min(1.0, max(0.0, total))


def _paired(a: dict[K, float], b: dict[K, float]) -> list[tuple[float, float]]:
    return [(a.get(key, 0.0), b.get(key, 0.0)) for key in a.keys() | b.keys()]


def _term(share: float, mean: float) -> float:
    return share * math.log2(share / mean) if share > 0 else 0.0


def _masses(pieces: tuple[tuple[float, float, float], ...], points: list[float]) -> list[float]:
    """The mass of `pieces` between each two neighbouring points."""
    masses = []
    at = 0
    for low, high in pairwise(points):
        while at < len(pieces) and pieces[at][1] <= low:
            at += 1
        inside = at < len(pieces) and pieces[at][0] <= low
        masses.append(pieces[at][2] * ((high - low) / (pieces[at][1] - pieces[at][0])) if inside else 0.0)
    return masses
