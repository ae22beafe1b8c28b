"""Exact bounds on a share, from the binomial distribution of the rows that have a property.

As in `taxiway.stats.bounds`, errors are logarithms. A tail that is too small for a floating-point number is replaced by Chernoff's
bound, which is larger.
"""

import math
from typing import TYPE_CHECKING, Any

from taxiway.stats.search import edge

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SMALLEST = 1e-280
_GRID = 64


def log_tail(rows: int, share: Any, count: Any) -> "Floats":
    """The logarithm of P(X >= count) for a binomial X.

    Args:
        rows: The number of independent rows.
        share: The probability of each to count; a number or an array.
        count: The count, a number or an array. Between two whole numbers, the tail is interpolated by the incomplete beta function.
    """
    import numpy as np
    from scipy.special import betainc, rel_entr

    share, count = np.broadcast_arrays(np.asarray(share, float), np.asarray(count, float))
    inside = (count > 0) & (count <= rows)
    at = np.where(inside, count, 1.0)
    tail = betainc(at, rows - at + 1, share)
    observed = at / rows
    chernoff = np.where(observed > share, -rows * (rel_entr(observed, share) + rel_entr(1 - observed, 1 - share)), 0.0)
    found = np.where(tail > _SMALLEST, np.log(np.maximum(tail, _SMALLEST)), chernoff)
    return np.where(inside, found, np.where(count <= 0, 0.0, -np.inf))


def log_error_at(rows: int, tolerance: float, threshold: float) -> float:
    """The error of deciding on which side of a threshold a share is, for an estimate at least `tolerance` away from it.

    It is the larger of P(X/n >= t + e) and P(X/n <= t - e) if the share is just the threshold t, which is the worst case for both wrong
    answers. Counts are not rounded to whole numbers, so the error decreases with the rows.

    Args:
        rows: The number n of independent rows.
        tolerance: The tolerance e.
        threshold: The threshold t, from 0 to 1.
    """
    above = log_tail(rows, threshold, rows * (threshold + tolerance))
    below = log_tail(rows, 1 - threshold, rows * (1 - threshold + tolerance))
    return float(max(above, below))


def log_error_anywhere(rows: int, tolerance: float) -> float:
    """The largest P(X/n - p > e) over all shares p (Langford 2005, Journal of Machine Learning Research 6:273).

    The probability increases with p up to k/n - e for a count k, where k no longer lies above p + e, so the supremum is one of these.

    Args:
        rows: The number n of independent rows.
        tolerance: The tolerance e.
    """
    import numpy as np

    first = low = math.floor(rows * tolerance) + 1
    high = rows
    if first > rows:
        return -math.inf
    while True:  # the tail rises to one maximum and falls again, so a finer grid around the best count finds it
        counts = np.unique(np.linspace(low, high, _GRID).astype(np.int64))
        tails = log_tail(rows, counts / rows - tolerance, counts)
        best, step = int(counts[tails.argmax()]), max(1, (high - low) // (_GRID - 1) + 1)
        if step == 1:
            return float(tails.max())
        low, high = max(first, best - step), min(rows, best + step)


def lower_limit(count: int, rows: int, log_error: float) -> float:
    """The lower confidence limit of a share (Clopper and Pearson 1934, Biometrika 26:404).

    Args:
        count: The rows with the property.
        rows: All rows.
        log_error: The logarithm of the probability that the share is below the limit.
    """
    if count == 0:
        return 0.0
    # The largest share at which so many rows are too unlikely.
    return edge(lambda share: bool(log_tail(rows, share, count) <= log_error), count / rows, 0.0)


def upper_limit(count: int, rows: int, log_error: float) -> float:
    """The upper confidence limit of a share; see `lower_limit`."""
    return 1 - lower_limit(rows - count, rows, log_error)
