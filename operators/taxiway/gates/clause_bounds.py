"""The bounds by which one comparison of a condition is planned and decided.

A bound is chosen before any row is seen, and the interval that it gives for enough rows is no wider than the tolerance where that
matters: an estimate at least the tolerance away from the bound of the comparison is decided.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from taxiway.spec.conditions.model import SHARE, Clause, Range, Variable
from taxiway.stats.binomial import log_error_anywhere, log_error_at, log_tail, lower_limit, upper_limit
from taxiway.stats.bounds import (
    bennett_log_error,
    bennett_tolerance,
    empirical_bernstein_tolerance,
    hoeffding_log_error,
    hoeffding_tolerance,
)
from taxiway.stats.search import edge

_FOR_DISAGREEMENT = 0.25
"""The part of a comparison's error that the upper limit of the disagreement takes."""


@dataclass(frozen=True)
class Seen:
    """What the rows say.

    Attributes:
        rows: The number of rows; if rows belong together, the number of groups that they are worth, see `stats.effective_groups`.
        values: The estimate of each variable.
        variance: The sample variance of new minus old over the rows; None if there is no old model.
    """

    rows: float
    values: dict[Variable, float]
    variance: float | None = None

    def count(self, variable: Variable) -> int:
        """The rows that count for a variable that is a share."""
        return round(self.values[variable] * self.rows)


class ClauseBound(Protocol):
    """One way to bound the error of a comparison."""

    @property
    def method(self) -> str:
        """Its name, for people."""

    def log_error(self, rows: float) -> float:
        """The logarithm of the error with which rows decide the comparison at its tolerance."""

    def interval(self, seen: Seen, log_error: float) -> Range:
        """The interval of the comparison's left side; on each side, the error is exp(`log_error`)."""


@dataclass(frozen=True)
class PerVariable:
    """Hoeffding's bound for each variable on its own, with the tolerance divided by the factors: the bound of the ease.ml/ci paper.

    Attributes:
        clause: The comparison.
        of_metric: The range of n and o.
    """

    clause: Clause
    of_metric: Range

    @property
    def method(self) -> str:
        return "Hoeffding" if len(self.clause.factors) == 1 else "Hoeffding for each variable"

    def log_error(self, rows: float) -> float:
        return hoeffding_log_error(rows, self.clause.tolerance, self._width) + math.log(len(self.clause.factors))

    def interval(self, seen: Seen, log_error: float) -> Range:
        return around(
            self.clause.value(seen.values),
            hoeffding_tolerance(seen.rows, log_error - math.log(len(self.clause.factors)), self._width),
        )

    @property
    def _width(self) -> float:
        low, high = self.of_metric
        return sum(abs(factor) * (1 if name == "d" else high - low) for name, factor in self.clause.factors)


@dataclass(frozen=True)
class ExactShares:
    """The exact binomial distribution of each variable, all of which are shares of rows.

    The tolerance of a single variable is taken at the bound of the comparison; of several, anywhere, divided by the factors.

    Attributes:
        clause: The comparison.
    """

    clause: Clause

    @property
    def method(self) -> str:
        return "exact binomial" if len(self.clause.factors) == 1 else "exact binomial for each variable"

    def log_error(self, rows: float) -> float:
        factors = [factor for _, factor in self.clause.factors]
        if len(factors) == 1:
            return log_error_at(int(rows), self.clause.tolerance / abs(factors[0]), self.clause.bound / factors[0])
        each = self.clause.tolerance / sum(map(abs, factors))
        return min(log_error_anywhere(int(rows), each) + math.log(len(factors)), 0.0)

    def interval(self, seen: Seen, log_error: float) -> Range:
        rows, each = int(seen.rows), log_error - math.log(len(self.clause.factors))
        ends = {
            name: (lower_limit(seen.count(name), rows, each), upper_limit(seen.count(name), rows, each))
            for name in self.clause.variables
        }
        return expression_range(self.clause, ends)


@dataclass(frozen=True)
class PairedRows:
    """The difference of both models row by row, by Bennett's bound or, if they differ on most rows, by Hoeffding's.

    If n and o are accuracies, the difference of a row is 0 unless the predictions differ. The disagreement is not known but estimated on
    the same rows, so Bennett's bound uses its upper confidence limit, which takes a quarter of the error.

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
            return "Bennett, from the limit of d"
        if self.disagreement is not None:
            return f"Bennett, at a disagreement of {100 * self.disagreement:.3g}%"
        return "Hoeffding for the difference"

    def log_error(self, rows: float) -> float:
        hoeffding = hoeffding_log_error(rows, self._tolerance, 2.0)
        bennett = 0.0
        if self.limit is not None:
            factor = self.limit.factors[0][1]
            most = self.limit.bound / factor
            known = log_error_at(int(rows), self.limit.tolerance / abs(factor), most) - math.log(_FOR_DISAGREEMENT)
            bennett = max(known, bennett_log_error(rows, self._tolerance, most) - math.log(1 - _FOR_DISAGREEMENT))
        if self.disagreement is not None:
            bennett = min(bennett, self._log_error_at(int(rows), self.disagreement))
        return min(bennett, hoeffding - math.log(1 - _FOR_DISAGREEMENT), 0.0)

    def interval(self, seen: Seen, log_error: float) -> Range:
        most = self.most_disagreement(seen, log_error)
        rest = log_error + math.log(1 - _FOR_DISAGREEMENT)
        half = min(hoeffding_tolerance(seen.rows, rest, 2.0), bennett_tolerance(seen.rows, rest, most))
        return around(self.clause.value(seen.values), half * abs(self.clause.factors[0][1]))

    @staticmethod
    def most_disagreement(seen: Seen, log_error: float) -> float:
        """The upper confidence limit of the disagreement."""
        return upper_limit(seen.count("d"), int(seen.rows), log_error + math.log(_FOR_DISAGREEMENT))

    @property
    def _tolerance(self) -> float:
        return self.clause.tolerance / abs(self.clause.factors[0][1])

    def _log_error_at(self, rows: int, disagreement: float) -> float:
        """The error if the predictions differ on this share of the rows: for the upper limit at which both parts take theirs."""

        def of_limit(most: float) -> float:
            return float(log_tail(rows, 1 - most, rows * (1 - disagreement))) - math.log(_FOR_DISAGREEMENT)

        def of_bennett(most: float) -> float:
            return bennett_log_error(rows, self._tolerance, most) - math.log(1 - _FOR_DISAGREEMENT)

        most = edge(lambda most: of_limit(most) <= of_bennett(most), disagreement, 1.0)
        return max(of_limit(most), of_bennett(most))


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

    def interval(self, seen: Seen, log_error: float) -> Range:
        half, width = log_error - math.log(2) if self.independent else log_error, 2 * self.width
        tolerance = hoeffding_tolerance(seen.rows, half, width)
        if self.independent and seen.variance is not None:
            tolerance = min(tolerance, empirical_bernstein_tolerance(int(seen.rows), half, seen.variance, width))
        return around(self.clause.value(seen.values), tolerance * abs(self.clause.factors[0][1]))


def around(value: float, half: float) -> Range:
    """The interval with a value in its middle."""
    return value - half, value + half


def expression_range(clause: Clause, ends: dict[Variable, Range]) -> Range:
    """The left side of a comparison by interval arithmetic: a negative factor exchanges the ends.

    Args:
        clause: The comparison.
        ends: The interval of each variable.
    """
    parts = [sorted((factor * ends[name][0], factor * ends[name][1])) for name, factor in clause.factors]
    return math.fsum(part[0] for part in parts), math.fsum(part[1] for part in parts)


def bound_of(
    clause: Clause,
    *,
    hoeffding_only: bool,
    of_metric: Range = SHARE,
    is_share: bool = True,
    independent: bool = True,
    disagreement: float | None = None,
    limit: Clause | None = None,
) -> ClauseBound:
    """The tightest bound that is valid for a comparison.

    Args:
        clause: The comparison.
        hoeffding_only: Only the bound of the paper.
        of_metric: The range of n and o.
        is_share: Whether a row counts 0 or 1 for n and o, as for the accuracy.
        independent: Whether the rows are independent. If they belong together in groups, the exact and the empirical bounds do not hold.
        disagreement: See `PairedRows`.
        limit: See `PairedRows`.
    """
    shares = is_share or clause.variables == ("d",)
    if hoeffding_only:
        return PerVariable(clause, of_metric)
    if clause.is_difference:
        if is_share and independent:
            return PairedRows(clause, disagreement, limit)
        return PairedDifference(clause, of_metric[1] - of_metric[0], independent)
    return ExactShares(clause) if shares and independent else PerVariable(clause, of_metric)
