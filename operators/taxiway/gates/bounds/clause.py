"""How one comparison of a condition is planned and decided: what all bounds have in common, and those of single variables.

A bound is chosen before any row is seen, and the interval that it gives for enough rows is no wider than the tolerance where that
matters: an estimate at least the tolerance away from the bound of the comparison is decided.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from taxiway.spec.conditions.model import Clause, Range, Variable
from taxiway.stats.binomial import log_error_anywhere, log_error_at, lower_limit, upper_limit
from taxiway.stats.bounds import hoeffding_log_error, hoeffding_tolerance


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

    def wins_and_losses(self) -> tuple[int, int]:
        """The rows on which only the new model is right, and those on which only the old one is, if n and o are accuracies."""
        assert self.variance is not None
        mean = self.values["n"] - self.values["o"]
        differing = self.variance * (self.rows - 1) + self.rows * mean**2  # the sum of the squared differences
        return round((differing + self.rows * mean) / 2), round((differing - self.rows * mean) / 2)


class Bounded(NamedTuple):
    """An interval.

    Attributes:
        low: The lower end.
        high: The upper end.
        method: The bound that it is from, for people.
    """

    low: float
    high: float
    method: str


class ClauseBound(Protocol):
    """One way to bound the error of a comparison."""

    @property
    def method(self) -> str:
        """Its name, for people."""

    def log_error(self, rows: float) -> float:
        """The logarithm of the error with which rows decide the comparison at its tolerance."""

    def interval(self, seen: Seen, log_error: float) -> "Bounded":
        """The interval of the comparison's left side; on each side, the error is exp(`log_error`)."""


@dataclass(frozen=True)
class PerVariable:
    """Hoeffding's bound for each variable on its own, with the tolerance divided by the factors: the bound of the ease.ml/ci paper.

    Attributes:
        clause: The comparison.
        metric_range: The range of n and o.
    """

    clause: Clause
    metric_range: Range

    @property
    def method(self) -> str:
        return "Hoeffding" if len(self.clause.factors) == 1 else "Hoeffding for each variable"

    def log_error(self, rows: float) -> float:
        return hoeffding_log_error(rows, self.clause.tolerance, self._width) + math.log(len(self.clause.factors))

    def interval(self, seen: Seen, log_error: float) -> Bounded:
        half = hoeffding_tolerance(seen.rows, log_error - math.log(len(self.clause.factors)), self._width)
        return around(self.clause, seen, half, self.method)

    @property
    def _width(self) -> float:
        low, high = self.metric_range
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
            return log_error_at(rows, self.clause.tolerance / abs(factors[0]), self.clause.bound / factors[0])
        each = self.clause.tolerance / sum(map(abs, factors))
        return min(log_error_anywhere(int(rows), each) + math.log(len(factors)), 0.0)

    def interval(self, seen: Seen, log_error: float) -> Bounded:
        rows, each = int(seen.rows), log_error - math.log(len(self.clause.factors))
        ends = {
            name: (lower_limit(seen.count(name), rows, each), upper_limit(seen.count(name), rows, each))
            for name in self.clause.variables
        }
        return Bounded(*expression_range(self.clause, ends), self.method)


def around(clause: Clause, seen: Seen, half: float, method: str) -> Bounded:
    """The interval with the estimate of a comparison's left side in its middle."""
    value = clause.value(seen.values)
    return Bounded(value - half, value + half, method)


def expression_range(clause: Clause, ends: dict[Variable, Range]) -> Range:
    """The left side of a comparison by interval arithmetic: a negative factor exchanges the ends.

    Args:
        clause: The comparison.
        ends: The interval of each variable.
    """
    parts = [sorted((factor * ends[name][0], factor * ends[name][1])) for name, factor in clause.factors]
    return math.fsum(part[0] for part in parts), math.fsum(part[1] for part in parts)
