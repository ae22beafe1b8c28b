"""Differences that are the same within noise, and the smallest one that the rows could have shown."""

import math
from decimal import ROUND_CEILING, Context

from taxiway.records import Interval

_SMALLEST_DECIMAL = 1e-9
_ROUNDED_UP = Context(prec=2, rounding=ROUND_CEILING)


def is_within_noise(difference: Interval) -> bool:
    """Whether the interval of a difference includes 0."""
    return difference.low <= 0 <= difference.high


def half_width(interval: Interval) -> float | None:
    """The length of the longer side of an interval; None if the interval is not known.

    Of a difference, it is the smallest one that these rows could have shown: if the estimate were at least so far from 0, with an interval
    of the same width, the interval would not include 0. A true difference of that size is found in about half of all samples.
    """
    sides = (interval.high - interval.value, interval.value - interval.low)
    return max(sides) if all(map(math.isfinite, sides)) else None


def noise_text(difference: Interval) -> str:
    """A clause about a difference that is the same within noise, to be added to its interval; empty if it is not.

    Args:
        difference: The difference, or the improvement, with its interval.
    """
    if not is_within_noise(difference):
        return ""
    half = half_width(difference)
    shown = f": a difference of {size_text(half)} or more could have been shown" if half else ""
    return f", the same within noise{shown}"


def size_text(half: float) -> str:
    """A half-width with two significant digits, rounded up: `0.0082`, or `1.4e-12`."""
    if half < _SMALLEST_DECIMAL:
        return f"{_ROUNDED_UP.create_decimal_from_float(half):.1e}"
    digits = max(0, 1 - math.floor(math.log10(half)))
    return f"{math.ceil(half * 10**digits - 1e-9) / 10**digits:.{digits}f}"
