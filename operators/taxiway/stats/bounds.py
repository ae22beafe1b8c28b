"""Bounds on the error of a mean of n independent rows, as logarithms, because errors of many decisions are tiny.

Each `..._log_error` is the logarithm of a bound on P(mean - true mean > tolerance), which also bounds the other side. Rows that belong
together, such as those of a customer, are not independent: n is then the number of groups of equal size; see `effective_groups`.
"""

import math
from collections.abc import Sequence

from taxiway.stats.search import boundary

_ROUNDING = 1e-12
"""Rows that are a whole number but for rounding are not rounded up to the next one."""


def whole_rows(rows: float) -> int:
    """A number of rows, rounded up."""
    return max(1, math.ceil(rows * (1 - _ROUNDING)))


def hoeffding_log_error(rows: float, tolerance: float, width: float = 1.0) -> float:
    """Hoeffding's bound, exp(-2 n e² / r²) (Hoeffding 1963, Journal of the American Statistical Association 58:13).

    Args:
        rows: The number n of independent rows.
        tolerance: The error e of the mean.
        width: The range r of the values: the largest minus the smallest possible one.
    """
    return -2 * rows * (tolerance / width) ** 2


def hoeffding_rows(tolerance: float, log_error: float, width: float = 1.0) -> int:
    """The number of rows from which Hoeffding's bound is at most exp(`log_error`): -r² ln(error) / (2 e²), rounded up."""
    return whole_rows(-log_error * (width / tolerance) ** 2 / 2)


def hoeffding_tolerance(rows: float, log_error: float, width: float = 1.0) -> float:
    """The tolerance at which Hoeffding's bound is exp(`log_error`)."""
    return width * math.sqrt(-log_error / (2 * rows))


def bennett_log_error(rows: float, tolerance: float, second_moment: float, largest: float = 1.0) -> float:
    """Bennett's bound, exp(-n p/b² h(e b/p)) with h(u) = (1+u) ln(1+u) - u (Bennett 1962, same journal 57:33).

    It holds for values of at most b in magnitude whose mean square is at most p; the values need not be centred. For the difference of
    two models' correct predictions b is 1, and p is the share of rows on which they predict differently.

    Args:
        rows: The number n of independent rows.
        tolerance: The error e of the mean.
        second_moment: The bound p on the mean square. It must hold for the population: a share that was measured needs an upper
            confidence bound, whose error counts as well.
        largest: The bound b on the magnitude of a value.
    """
    if second_moment <= 0:
        return -math.inf if tolerance > 0 else 0.0
    u = tolerance * largest / second_moment
    h = (1 + u) * math.log1p(u) - u
    return -rows * second_moment / largest**2 * h


def bennett_rows(tolerance: float, log_error: float, second_moment: float, largest: float = 1.0) -> int:
    """The number of rows from which Bennett's bound is at most exp(`log_error`)."""
    return whole_rows(log_error / bennett_log_error(1, tolerance, second_moment, largest))


def bennett_tolerance(rows: float, log_error: float, second_moment: float, largest: float = 1.0) -> float:
    """The tolerance at which Bennett's bound is exp(`log_error`), at most twice the largest magnitude."""
    return boundary(lambda e: bennett_log_error(rows, e, second_moment, largest) <= log_error, 0.0, 2 * largest)


def empirical_bernstein_tolerance(rows: int, log_error: float, variance: float, width: float = 1.0) -> float:
    """The empirical Bernstein bound, which uses the variance of the rows themselves (Maurer and Pontil 2009, theorem 4).

    It is sqrt(2 V L / n) + 7 r L / (3 (n - 1)) with L = ln(2 / error): far below Hoeffding's if most values are nearly the same.

    Args:
        rows: The number n of independent rows.
        log_error: The logarithm of the error on one side.
        variance: The sample variance V, with n - 1 in the denominator.
        width: The range r of the values.

    Returns:
        The tolerance; the range if there is only one row.
    """
    if rows < 2:
        return width
    log_term = math.log(2) - log_error
    return min(width, math.sqrt(2 * variance * log_term / rows) + 7 * width * log_term / (3 * (rows - 1)))


def effective_groups(sizes: Sequence[int]) -> float:
    """The number of independent rows that groups of rows are worth in Hoeffding's bound: (sum of sizes)² / sum of squared sizes.

    The mean over all rows is a weighted mean of the groups' means, each of which has the range of a row; groups of equal size count
    one each, and one large group among small ones makes the number smaller.

    Args:
        sizes: The number of rows of each group.
    """
    total = sum(sizes)
    return float(total * total) / sum(size * size for size in sizes)
