"""Exact bounds on a share, from the binomial distribution of the rows that have a property.

As in `taxiway.stats.bounds`, errors are logarithms. A tail that is too small for a floating-point number is replaced by Chernoff's
or Hoeffding's bound, which are larger.
"""

import math

from taxiway.stats.bounds import hoeffding_log_error
from taxiway.stats.search import boundary

_SMALLEST = 1e-280
_GRID = 64


def log_tail(rows: float, share: float, count: float) -> float:
    """The logarithm of P(X >= count) for a binomial X.

    Args:
        rows: The number of independent rows.
        share: The probability of each to count.
        count: The count. Between two whole numbers, the tail is interpolated by the incomplete beta function; so it is for `rows`.
    """
    from scipy.special import betainc

    if count <= 0 or share >= 1:
        return 0.0 if count <= rows else -math.inf
    if count > rows or share <= 0:
        return -math.inf
    tail = float(betainc(count, rows - count + 1, share))
    if tail > _SMALLEST:
        return math.log(tail)
    observed = count / rows
    rest = (1 - observed) * math.log((1 - observed) / (1 - share)) if observed < 1 else 0.0
    return min(-rows * (observed * math.log(observed / share) + rest), math.log(_SMALLEST))


def log_error_at(rows: float, tolerance: float, threshold: float) -> float:
    """The error of deciding on which side of a threshold a share is, for an estimate at least `tolerance` away from it.

    It is the larger of P(X/n >= t + e) and P(X/n <= t - e) if the share is just the threshold t, which is the worst case for both wrong
    answers. Counts are not rounded to whole numbers, so the error decreases with the rows.

    Args:
        rows: The number n of independent rows.
        tolerance: The tolerance e.
        threshold: The threshold t, from 0 to 1.
    """
    above = log_tail(rows, threshold, rows * (threshold + tolerance))
    return max(above, log_tail(rows, 1 - threshold, rows * (1 - threshold + tolerance)))


def log_error_anywhere(rows: int, tolerance: float) -> float:
    """The largest P(X/n - p > e) over all shares p (Langford 2005, Journal of Machine Learning Research 6:273).

    The probability increases with p up to k/n - e for a count k, where k no longer lies above p + e, so the supremum is one of these.

    Args:
        rows: The number n of independent rows.
        tolerance: The tolerance e.
    """
    import numpy as np
    from scipy.special import betainc

    first = low = math.floor(rows * tolerance) + 1
    high = rows
    if first > rows:
        return -math.inf
    while True:  # the tail rises to one maximum and falls again, so a finer grid around the best count finds it
        counts = np.unique(np.linspace(low, high, _GRID).astype(np.int64))
        tails = betainc(counts, rows - counts + 1.0, np.maximum(counts / rows - tolerance, 0))
        if tails.max() <= _SMALLEST:
            return hoeffding_log_error(rows, tolerance)
        best, step = int(counts[tails.argmax()]), max(1, (high - low) // (_GRID - 1) + 1)
        if step == 1:
            return math.log(tails.max())
        low, high = max(first, best - step), min(rows, best + step)


def lower_limit(count: int, rows: int, log_error: float) -> float:
    """The lower confidence limit of a share (Clopper and Pearson 1934, Biometrika 26:404).

    Args:
        count: The rows with the property.
        rows: All rows.
        log_error: The logarithm of the probability that the share is below the limit.
    """
    from scipy.special import betaincinv

    if count == 0:
        return 0.0
    if log_error > math.log(_SMALLEST):
        return float(betaincinv(count, rows - count + 1, math.exp(log_error)))
    # The largest share at which so many rows are too unlikely.
    return boundary(lambda share: log_tail(rows, share, count) <= log_error, count / rows, 0.0)


def upper_limit(count: int, rows: int, log_error: float) -> float:
    """The upper confidence limit of a share; see `lower_limit`."""
    return 1 - lower_limit(rows - count, rows, log_error)


def limits(share: float, rows: float, confidence: float) -> tuple[float, float]:
    """The two-sided confidence interval of a share (Clopper and Pearson 1934), also of numbers of rows that are not whole.

    Args:
        share: The share of the rows that has the property.
        rows: The number of independent rows.
        confidence: The confidence level, such as 0.99.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    hits, misses = rows * share, rows * (1 - share)
    low = float(betaincinv(hits, misses + 1, tail)) if hits > 0 else 0.0
    high = 1 - float(betaincinv(misses, hits + 1, tail)) if misses > 0 else 1.0
    return low, high
