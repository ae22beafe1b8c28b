"""The bounds of comparisons of new minus old, which use that both models are scored on the same rows; and the choice of a bound."""

import math
from dataclasses import dataclass

from taxiway.gates.bounds.clause import Bounded, ClauseBound, ExactShares, PerVariable, Seen, around
from taxiway.spec.conditions.model import SHARE, Clause, Range
from taxiway.stats.binomial import log_error_at, log_tail, upper_limit
from taxiway.stats.bounds import (
    bennett_log_error,
    bennett_tolerance,
    empirical_bernstein_tolerance,
    hoeffding_log_error,
    hoeffding_tolerance,
)
from taxiway.stats.paired import log_error_of_difference, lower_limit_of_difference
from taxiway.stats.search import boundary

_LOG_LIMIT, _LOG_REST = math.log(0.1), math.log(0.9)
"""The parts of the error that the upper limit of the disagreement takes, and that Bennett's bound with it takes."""
_LOG_EXACT, _LOG_MOMENTS = math.log(0.4), math.log(0.6)
"""The parts of the error of the exact test, and of the bounds by moments, if both are used."""

_MAX_PLANNED = 0.8
"""Up to this share of rows that differ, the error of the exact test grows with the share, even if the bound is not 0."""


@dataclass(frozen=True)
class PairedRows:
    """The difference of two accuracies, of which only rows count on which one of the models is right.

    For a bound of 0, the exact test of the wins among these rows is the tightest. For others it needs limits of their share, and
    Bennett's bound with such a limit may be tighter, or Hoeffding's if almost all rows differ: then the intervals of both are intersected,
    each with a part of the error.

    Attributes:
        clause: The comparison, a multiple of n - o.
        disagreement: The share of rows on which the predictions are expected to differ on the evaluation rows; None if nothing is known.
        limit: The comparison `d < A +/- B` that must be true as well; None without one.
    """

    clause: Clause
    disagreement: float | None = None
    limit: Clause | None = None

    @property
    def method(self) -> str:
        if self.limit is not None:
            return f"{self._kind}, with the limit of d"
        if self.disagreement is not None:
            return f"{self._kind}, {100 * self.disagreement:.3g}% of the rows differ"
        return f"{self._kind}, any number of rows may differ"

    def log_error(self, rows: float) -> float:
        bound = self.clause.bound / self.clause.factors[0][1]
        exact = log_error_of_difference(rows, self._tolerance, bound, self._differing)
        if self._only_exact:
            return exact
        hoeffding = hoeffding_log_error(rows, self._tolerance, 2.0)
        moments = min(hoeffding, self._bennett(rows)) - _LOG_MOMENTS - _LOG_REST
        # The plan is for at most this share, and beyond, the error of the exact test may be smaller for a larger share.
        return min(exact - _LOG_EXACT if self._differing <= _MAX_PLANNED else 0.0, moments, 0.0)

    def interval(self, seen: Seen, log_error: float) -> Bounded:
        rows, factor, value = int(seen.rows), abs(self.clause.factors[0][1]), self.clause.value(seen.values)
        wins, losses = seen.wins_and_losses()
        if self.clause.factors[0][1] < 0:
            wins, losses = losses, wins
        level = log_error if self._only_exact else log_error + _LOG_EXACT
        low = factor * lower_limit_of_difference(wins, losses, rows, level)
        high = -factor * lower_limit_of_difference(losses, wins, rows, level)
        if self._only_exact:
            return Bounded(low, high, self._kind)
        rest = log_error + _LOG_MOMENTS
        most = upper_limit(wins + losses, rows, rest + _LOG_LIMIT)
        half = factor * min(bennett_tolerance(rows, rest + _LOG_REST, most), hoeffding_tolerance(rows, rest + _LOG_REST, 2.0))
        return Bounded(max(low, value - half), min(high, value + half), self._kind)

    @property
    def _kind(self) -> str:
        return "exact binomial of wins and losses" if self._only_exact else "Bennett or exact binomial of wins and losses"

    @property
    def _only_exact(self) -> bool:
        return self.clause.bound == 0

    @property
    def _tolerance(self) -> float:
        return self.clause.tolerance / abs(self.clause.factors[0][1])

    @property
    def _differing(self) -> float:
        """The largest share of rows that may differ: of rows on which more differ, the other comparison is not true."""
        found = 1.0 if self.disagreement is None else self.disagreement
        return found if self.limit is None else min(found, self.limit.bound / self.limit.factors[0][1])

    def _bennett(self, rows: float) -> float:
        """Bennett's bound, for the upper limit of the disagreement whose error is in proportion."""
        differing = self._differing
        if self.limit is not None and differing != self.disagreement:
            tolerance = self.limit.tolerance / abs(self.limit.factors[0][1])
            known = log_error_at(rows, tolerance, differing) - _LOG_LIMIT + _LOG_REST
            return max(known, bennett_log_error(rows, self._tolerance, differing))

        def of_limit(most: float) -> float:
            return log_tail(rows, 1 - most, rows * (1 - differing)) - _LOG_LIMIT + _LOG_REST

        def of_bennett(most: float) -> float:
            return bennett_log_error(rows, self._tolerance, most)

        most = boundary(lambda most: of_limit(most) <= of_bennett(most), differing, 1.0)
        return of_bennett(1.0) if most >= 1 else max(of_limit(most), of_bennett(most))


@dataclass(frozen=True)
class PairedDifference:
    """The difference of both models row by row, for any metric with a range: of Hoeffding's bound and the empirical Bernstein bound, the
    tighter one. Each takes half of the error.

    Attributes:
        clause: The comparison, a multiple of n - o.
        width: The range of n and o: the largest minus the smallest value.
        independent: Whether the rows are independent, so that their variance can be used.
    """

    clause: Clause
    width: float
    independent: bool

    @property
    def method(self) -> str:
        return "Hoeffding or empirical Bernstein for the difference" if self.independent else "Hoeffding for the difference"

    def log_error(self, rows: float) -> float:
        width = 2 * self.width * abs(self.clause.factors[0][1])
        return hoeffding_log_error(rows, self.clause.tolerance, width) + (math.log(2) if self.independent else 0.0)

    def interval(self, seen: Seen, log_error: float) -> Bounded:
        part, width = log_error - math.log(2) if self.independent else log_error, 2 * self.width
        halves = {"Hoeffding for the difference": hoeffding_tolerance(seen.rows, part, width)}
        if self.independent and seen.variance is not None:
            bernstein = empirical_bernstein_tolerance(int(seen.rows), part, seen.variance, width)
            halves["empirical Bernstein for the difference"] = bernstein
        method = min(halves, key=lambda name: halves[name])
        return around(self.clause, seen, halves[method] * abs(self.clause.factors[0][1]), method)


def bound_of(
    clause: Clause,
    *,
    hoeffding_only: bool,
    metric_range: Range = SHARE,
    is_binary: bool = True,
    independent: bool = True,
    disagreement: float | None = None,
    limit: Clause | None = None,
) -> ClauseBound:
    """The tightest bound that is valid for a comparison.

    Args:
        clause: The comparison.
        hoeffding_only: Only the bound of the paper.
        metric_range: The range of n and o.
        is_binary: Whether a row counts 0 or 1 for n and o, as for the accuracy.
        independent: Whether the rows are independent. If they belong together in groups, the exact and the empirical bounds do not hold.
        disagreement: See `PairedRows`.
        limit: See `PairedRows`.
    """
    shares = is_binary or clause.variables == ("d",)
    if hoeffding_only:
        return PerVariable(clause, metric_range)
    if clause.is_difference:
        if is_binary and independent:
            return PairedRows(clause, disagreement, limit)
        return PairedDifference(clause, metric_range[1] - metric_range[0], independent)
    return ExactShares(clause) if shares and independent else PerVariable(clause, metric_range)
