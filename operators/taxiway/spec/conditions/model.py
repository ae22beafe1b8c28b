"""Conditions as they are after parsing: sums of the variables, each with a factor, compared with a number."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from taxiway.messages import number_text

Variable = Literal["n", "o", "d"]
VARIABLES: tuple[Variable, ...] = get_args(Variable)
Range = tuple[float, float]
"""The smallest and the largest possible value."""
SHARE: Range = (0.0, 1.0)


@dataclass(frozen=True)
class Clause:
    """One comparison, such as `n - 1.1 * o > 0.02 +/- 0.01`.

    Attributes:
        factors: The variables with their factors, which are not 0, in the order n, o, d; at least one.
        comparison: The side of the bound on which the sum has to be.
        bound: The number that it is compared with.
        tolerance: How far from the bound an estimate must be to count as on its side, above 0.
    """

    factors: tuple[tuple[Variable, float], ...]
    comparison: Literal[">", "<"]
    bound: float
    tolerance: float

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables."""
        return tuple(name for name, _ in self.factors)

    @property
    def expression(self) -> str:
        """The sum, what is added first: `n - 1.1 * o`."""
        text = ""
        for name, factor in sorted(self.factors, key=lambda one: one[1] < 0):
            size = abs(factor)
            term = name if size == 1 else f"{number_text(size)} * {name}"
            sign = "-" if factor < 0 else "+"
            text += f" {sign} {term}" if text else f"-{term}" if factor < 0 else term
        return text

    @property
    def is_difference(self) -> bool:
        """Whether it is about new minus old, or a multiple of it."""
        return self.variables == ("n", "o") and self.factors[0][1] == -self.factors[1][1]

    @property
    def needs_old_model(self) -> bool:
        """Whether it is not about the new model alone."""
        return self.variables != ("n",)

    def value(self, values: Mapping[Variable, float]) -> float:
        """The value of the sum."""
        return sum(factor * values[name] for name, factor in self.factors)

    def range(self, metric_range: Range = SHARE) -> Range:
        """The smallest and the largest value that the sum can have, if n and o have a range and d is a share.

        A difference of n and o cannot be larger than d, the share of rows on which the predictions differ, times the range.
        """
        low, high = metric_range
        corners = [
            self.value({"n": n, "o": o, "d": d})
            for n, o, d in itertools.product((low, high), (low, high), (0.0, 1.0))
            if d == 1 or n == o
        ]
        return min(corners), max(corners)

    def __str__(self) -> str:
        return f"{self.expression} {self.comparison} {number_text(self.bound)} +/- {number_text(self.tolerance)}"


@dataclass(frozen=True)
class Condition:
    """Clauses that all have to be true.

    Attributes:
        clauses: The clauses; at least one.
    """

    clauses: tuple[Clause, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of all clauses."""
        used = {name for clause in self.clauses for name in clause.variables}
        return tuple(name for name in VARIABLES if name in used)

    def undecidable_reason(self, metric_range: Range = SHARE) -> str | None:
        """Why the condition can never be true, or never be false; None if it can be both.

        Args:
            metric_range: The range of n and o.
        """
        for clause in self.clauses:
            low, high = clause.range(metric_range)
            ends = f"{clause.expression} is from {number_text(low)} to {number_text(high)}"
            above = clause.comparison == ">"
            if not low <= clause.bound <= high:
                always = (clause.bound < low) == above
                return f"{clause} is always {'true' if always else 'false'}: {ends}"
            best = clause.bound + clause.tolerance if above else clause.bound - clause.tolerance
            if not low <= best <= high:
                return (
                    f"{clause} can never be shown: an estimate would have to be {'above' if above else 'below'} {number_text(best)}, "
                    f"but {ends}; lower the tolerance"
                )
        return None

    def __str__(self) -> str:
        return " and ".join(map(str, self.clauses))
