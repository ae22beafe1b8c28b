"""Intervals of metrics that few rows decide: the bootstrap has not seen what these rows did not show, so its intervals are too narrow."""

import math
from statistics import NormalDist

from taxiway.records import Interval
from taxiway.stats.binomial import limits
from taxiway.stats.bootstrap import MIN_GROUPS

FEW = MIN_GROUPS
"""Fewer deciding rows, or groups of rows, than this are few."""
_MIN_OUTCOMES_OF_SHARE = 100
"""With as many rows of each outcome, a share exceeds its standard interval of 99% in at most 0.9% of the samples, instead of 0.5%."""
_MIN_OUTCOMES = 30
"""Of other metrics, whose rows count in parts and not as hits or misses."""


def with_few_rows(
    interval: Interval, confidence: float, low: float, high: float, rows: float, *, is_share_of_rows: bool = False
) -> Interval:
    """The interval of a metric with a smallest and a largest value, at least as wide as that of a share of as many rows.

    In its range, the metric is a share p, and its standard error s is that of n = p(1 - p) / s^2 independent rows (the effective sample
    size of Korn and Graubard 1998, Survey Methodology 24:193). If fewer than 30 of these are hits or misses, the interval also holds
    that of Clopper and Pearson (1934) for p of n. Fewer than 20 deciding rows are worth no more than themselves, whatever the error.

    Args:
        interval: The estimate with its standard interval, which may end outside of the range.
        confidence: Its confidence level, such as 0.99.
        low: The smallest possible value.
        high: The largest possible value; an interval of a metric without both stays as it is.
        rows: How many rows decide the metric, see `taxiway.evaluation.metrics.deciding`.
        is_share_of_rows: Whether the metric is a share of these rows, and each is on its own. Then the interval of Clopper and Pearson for
            just these rows replaces the standard one, which may end at impossible values, if there are fewer than 100 hits or misses.
    """
    if not all(map(math.isfinite, (low, high, interval.value, interval.low, interval.high))):
        return interval
    if not rows:  # such as the precision of a model that predicts no row as the class
        return interval.model_copy(update={"low": low, "high": high})
    share = min(max((interval.value - low) / (high - low), 0.0), 1.0)
    variance = (_half(interval) / NormalDist().inv_cdf((1 + confidence) / 2) / (high - low)) ** 2
    if not variance and 0 < share < 1 and rows >= FEW:
        return interval  # it is the same whatever the rows are, such as the AUC of a constant
    worth = rows if is_share_of_rows or not variance else share * (1 - share) / variance
    if rows < FEW:
        worth = min(worth, rows)
    if worth * min(share, 1 - share) >= (_MIN_OUTCOMES_OF_SHARE if is_share_of_rows else _MIN_OUTCOMES):
        return interval
    ends = limits(share, worth, confidence)
    if is_share_of_rows:
        return interval.model_copy(update={"low": ends[0], "high": ends[1]})
    return _holding(interval, low + ends[0] * (high - low), low + ends[1] * (high - low))


def difference_of_few_rows(difference: Interval, confidence: float, low: float, high: float, rows: float) -> Interval:
    """The interval of a difference of two models, with what fewer than 20 deciding rows may not have shown.

    If both predict the same for all of them, the bootstrap's interval has no width. But a part of up to 1 - (alpha/2)^(1/n) of all rows,
    on which they differ, may be missing among n (the interval of Clopper and Pearson for no row).

    Args:
        difference: The difference with its standard interval.
        confidence: Its confidence level.
        low: The smallest possible value of the metric.
        high: Its largest possible value; an interval of a metric without both stays as it is.
        rows: How many rows decide the metric.
    """
    if not all(map(math.isfinite, (low, high, difference.low, difference.high))) or rows >= FEW:
        return difference
    unseen = (limits(0.0, rows, confidence)[1] if rows else 1.0) * (high - low)
    return _holding(difference, difference.value - unseen, difference.value + unseen)


def _half(interval: Interval) -> float:
    return (interval.high - interval.low) / 2


def _holding(interval: Interval, low: float, high: float) -> Interval:
    return interval.model_copy(update={"low": min(interval.low, low), "high": max(interval.high, high)})
