"""Exact bounds on the difference of two shares that are measured on the same rows, such as the accuracies of two models.

Only rows count on which one of the two is right: wins and losses. Of m such rows, the wins are binomial with the share (1 + t/d) / 2,
where t is the true difference and d the share of such rows in the population (the exact test of McNemar 1947, Psychometrika 12:153, is
that for t = 0). For another t, d is replaced by a confidence limit on the safe side, which takes a part of the error.
"""

import math

from taxiway.stats.binomial import log_tail, lower_limit, upper_limit
from taxiway.stats.search import boundary

_FOR_LIMIT = 0.1
"""The part of the error that the confidence limit of d takes."""
_LOG_LIMIT, _LOG_REST = math.log(_FOR_LIMIT), math.log(1 - _FOR_LIMIT)


def lower_limit_of_difference(wins: int, losses: int, rows: int, log_error: float) -> float:
    """The lower confidence limit of first minus second share; by exchanging wins and losses, minus the upper one.

    Args:
        wins: The rows on which only the first has the property.
        losses: The rows on which only the second has it.
        rows: All rows.
        log_error: The logarithm of the probability that the difference is below the limit.
    """
    differing = wins + losses
    least = lower_limit(differing, rows, log_error + _LOG_LIMIT)
    most = upper_limit(differing, rows, log_error + _LOG_LIMIT)

    def rejected(difference: float) -> bool:
        """Whether so many wins are too unlikely if the difference is not larger than this."""
        share = _share(difference, least if difference > 0 else most)
        return share <= 0 or (share < 1 and log_tail(differing, share, wins) <= log_error + _LOG_REST)

    return boundary(rejected, (wins - losses) / rows, -1.0)


def log_error_of_difference(rows: float, tolerance: float, bound: float, differing: float) -> float:
    """The error of deciding on which side of a bound a difference is, for an estimate that is `tolerance` away from it.

    Args:
        rows: The number of independent rows.
        tolerance: The tolerance.
        bound: The bound.
        differing: The share of rows on which one of the two is right, as it is seen on the rows; or a larger one.
    """
    return max(_log_error_above(rows, tolerance, side * bound, differing) for side in (1, -1))


def _log_error_above(rows: float, tolerance: float, bound: float, differing: float) -> float:
    """The error of an estimate above the bound: that at which the limit of d and the test both take their parts."""
    count = rows * differing
    wins = (count + rows * (bound + tolerance)) / 2
    if wins > count:
        return -math.inf  # no estimate can be so far above the bound

    def of_test(limit: float) -> float:
        share = _share(bound, limit)
        return log_tail(count, share, wins) - _LOG_REST if share < 1 else 0.0

    def of_limit(limit: float) -> float:
        tail = log_tail(rows, limit, count) if bound > 0 else log_tail(rows, 1 - limit, rows - count)
        return tail - _LOG_LIMIT

    if bound == 0:
        return min(of_test(differing), 0.0)
    limit = boundary(lambda at: of_limit(at) <= of_test(at), differing, 0.0 if bound > 0 else 1.0)
    return min(of_test(1.0) if limit >= 1 else max(of_test(limit), of_limit(limit)), 0.0)


def _share(difference: float, differing: float) -> float:
    """The share of wins among the rows on which one of the two is right; not above 1 if there can be no such difference."""
    if differing <= 0:
        return math.inf if difference >= 0 else -math.inf
    return (1 + difference / differing) / 2
