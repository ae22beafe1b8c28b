"""How many more rows would decide a reason that is UNDECIDED."""

import math

from taxiway.messages import counted
from taxiway.records import Interval

_MOST_TIMES = 1000
"""With more rows than so many times those of now, an estimate lies on its bound for all practical purposes."""


def rows_to_decide(interval: Interval, bound: float) -> int | None:
    """About how many more rows it takes until an interval no longer includes a bound, if the estimate stays where it is.

    In the normal approximation, the half-width h of an interval of n rows is z * s / sqrt(n), and with m rows it is h * sqrt(n / m). The
    interval excludes the bound b from |value - b| = h * sqrt(n / m) on, so that m = n * (h / |value - b|)**2. An end that was cut off at
    the metric's possible values is nearer to the estimate than h, which is the longer of the two sides.

    Args:
        interval: The estimate with its interval, which includes the bound.
        bound: The bound.

    Returns:
        m - n, at least 1; None if the estimate is on the bound or the interval is not known, so that the number of rows cannot
        be computed.
    """
    half, distance = max(interval.high - interval.value, interval.value - interval.low), abs(interval.value - bound)
    if not math.isfinite(half) or not distance * math.sqrt(_MOST_TIMES) >= half:
        return None
    return max(1, math.ceil(interval.rows * ((half / distance) ** 2 - 1)))


def what_would_decide(interval: Interval, bound: float, unit: str = "row") -> str:
    """What would decide a comparison that is UNDECIDED, to be added to its message; see `rows_to_decide`.

    Args:
        interval: The estimate with its interval.
        bound: The bound.
        unit: What the estimate is of.
    """
    if not math.isfinite(interval.low):
        return ""
    rows = rows_to_decide(interval, bound)
    if rows is None:
        return f"; the estimate is too close to the limit for more {unit}s to decide it"
    return f"; about {counted(_rounded(rows), f'more {unit}')} would decide it if the estimate stays the same"


def _rounded(rows: int) -> int:
    """Rows with two significant digits, rounded up."""
    unit: int = 10 ** max(0, len(str(rows)) - 2)
    return math.ceil(rows / unit) * unit
