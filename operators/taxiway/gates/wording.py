"""How the gates give reasons: their numbers have as many digits as it takes to see on which side of its bound a number is."""

import math
from collections.abc import Sequence

from taxiway.messages import number_text
from taxiway.records import Evaluation, Interval, Reason, ReasonCode, Status
from taxiway.stats.bootstrap import METHOD

_SIGNIFICANT_DIGITS = 3
_MAX_DECIMALS = 17


def decimals(values: Sequence[float], bounds: Sequence[float] = (), *, least: int = 3, scale: float = math.inf) -> int:
    """The number of decimals with which values are written.

    Args:
        values: The values.
        bounds: Each value is written on its side of each of these.
        least: The smallest number of decimals.
        scale: The largest magnitude of the values; if it is small, they get enough decimals for three significant digits.
    """
    start = least
    if 0 < scale < math.inf:
        start = max(least, _SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(scale)))
    finite = [value for value in values if math.isfinite(value)]
    for digits in range(start, _MAX_DECIMALS):
        if all(_side(float(f"{value:.{digits}f}"), bound) == _side(value, bound) for value in finite for bound in bounds):
            return digits
    return max(start, _MAX_DECIMALS)


def ci_label(confidence: float) -> str:
    """`99% CI`, with as many digits as it takes to be below 100%."""
    digits = next((digits for digits in range(4, 16) if float(f"{100 * confidence:.{digits}g}") < 100), 16)
    return f"{100 * confidence:.{digits}g}% CI"


def percent_text(bound: float) -> str:
    """A fraction as a percentage, with all its digits: `99.5%`."""
    short = f"{100 * bound:g}"
    return f"{short if math.isclose(float(short) / 100, bound, rel_tol=1e-15) else repr(100 * bound)}%"


def interval_text(interval: Interval, number_format: str) -> str:
    """The ends of an interval: `0.638 to 0.657`.

    Args:
        interval: The interval.
        number_format: The format of a number, such as `.3f`.
    """
    return f"{interval.low:{number_format}} to {interval.high:{number_format}}"


def estimate_and_bounds(interval: Interval) -> tuple[float, float, float]:
    """The estimate and both ends of its interval."""
    return interval.value, interval.low, interval.high


def as_improvement(difference: Interval, direction: int) -> Interval:
    """The difference, negated for a metric of which lower values are better."""
    if direction > 0:
        return difference
    return Interval(value=-difference.value, low=-difference.high, high=-difference.low, rows=difference.rows)


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)


def known(interval: Interval) -> Interval | None:
    """An interval for a reason; None if its value or an end is not a finite number."""
    return interval if all(map(math.isfinite, estimate_and_bounds(interval))) else None


def rule_text(key: str, direction: int, limit: float) -> str:
    """A requirement: `thresholds.roc_auc >= 0.6`.

    Args:
        key: What is limited, with its key in the section of the pipeline file.
        direction: 1 if the limit is a minimum, -1 if it is a maximum.
        limit: The limit.
    """
    return f"{key} {'>=' if direction > 0 else '<='} {number_text(limit)}"


def bootstrap_method(evaluation: Evaluation, *, paired: bool = False) -> str:
    """How the intervals of an evaluation were computed.

    Args:
        evaluation: The evaluation.
        paired: Whether they are of differences, on the same replicates.
    """
    groups = "" if evaluation.groups is None else f", whole groups by {evaluation.groups.column}"
    return f"{'paired ' if paired else ''}{METHOD}{groups}"


def fail_reason(code: ReasonCode, message: str) -> Reason:
    """A reason for FAIL."""
    return Reason(status=Status.FAIL, code=code, message=message)


def reason_to_pass(code: ReasonCode, message: str) -> Reason:
    """A reason for PASS."""
    return Reason(status=Status.PASS, code=code, message=message)
