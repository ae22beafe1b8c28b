"""How many more rows would decide a reason that is UNDECIDED."""

import math

from taxiway.gates.noise import half_width
from taxiway.messages import counted
from taxiway.records import Interval

_MAX_TIMES = 1000
"""With more rows than so many times those of now, an estimate lies on its limit for all practical purposes."""


def more_rows_needed(interval: Interval, limit: float) -> int | None:
    """About how many additional rows it takes until an interval no longer includes a limit, if the estimate stays where it is.

    In the normal approximation, the half-width h of an interval of n rows is z * s / sqrt(n), so with m rows it is h * sqrt(n / m). The
    interval no longer includes the limit as soon as h * sqrt(n / m) < |value - limit|, which takes m = n * (h / |value - limit|)**2
    rows. Where an interval was cut off at the smallest or largest possible value of a metric, that side is shorter than h, so h is
    the length of the longer side.

    Args:
        interval: The estimate with its interval, which includes the limit.
        limit: The limit that the estimate is compared with.

    Returns:
        m - n, at least 1; None if the interval is not known, if the estimate is on the limit, or if m is more than 1,000 times n.
    """
    half, distance = half_width(interval), abs(interval.value - limit)
    if half is None or not distance or distance * math.sqrt(_MAX_TIMES) < half:
        return None
    return max(1, math.ceil(interval.rows * ((half / distance) ** 2 - 1)))


def more_rows_text(interval: Interval, limit: float, unit: str = "row") -> str:
    """How many additional rows would decide a comparison that is UNDECIDED, to be added to its message; see `more_rows_needed`.

    Args:
        interval: The estimate with its interval, which includes the limit.
        limit: The limit that the estimate is compared with.
        unit: What `interval.rows` counts, in the singular.

    Returns:
        A clause that begins with a semicolon; empty if the interval is not known.
    """
    if half_width(interval) is None:
        return ""
    rows = more_rows_needed(interval, limit)
    if rows is None:
        return f"; the estimate is too close to the limit for more {unit}s to decide it"
    return f"; about {counted(_rounded(rows), f'more {unit}')} would decide it if the estimate stays the same"


def _rounded(rows: int) -> int:
    """Rows with two significant digits, rounded up."""
    unit: int = 10 ** max(0, len(str(rows)) - 2)
    return math.ceil(rows / unit) * unit
