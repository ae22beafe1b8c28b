"""How a metric improves with the number of training rows: a power law, and what more rows would gain by it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from taxiway.errors import DataError
from taxiway.spec.metrics import facts_of

_LEAST_POINTS = 4


@dataclass(frozen=True)
class LearningCurve:
    """The power law `exp(intercept - exponent * log(rows))` of an error: the distance of a metric from the best possible value.

    Attributes:
        rows: The largest number of rows that was measured.
        intercept: The logarithm of the error with one row.
        exponent: The exponent of the power law; negative if more rows make the model worse.
        variances: The variance of the intercept, that of the exponent, and their covariance.
        degrees: The degrees of freedom of the variances.
    """

    rows: int
    intercept: float
    exponent: float
    variances: tuple[float, float, float]
    degrees: int


def fit_learning_curve(metric: str, values: Mapping[int, float]) -> LearningCurve:
    """Fit a power law by least squares on logarithms (Hestness et al. 2017, arXiv 1712.00409).

    A power law without a constant does not flatten. Where the real curve does, as near the smallest possible error, the law
    expects too much of more rows, so it should not be extrapolated far.

    Args:
        metric: The metric.
        values: Its value on the same evaluation rows for each number of training rows, at least four of them.

    Raises:
        DataError: There are too few values, or the metric is perfect in one of them.
    """
    import numpy as np

    facts = facts_of(metric)
    best = facts.high if facts.direction > 0 else facts.low
    if len(values) < _LEAST_POINTS:
        raise DataError(f"a learning curve of {len(values)} points cannot be fitted; required: at least {_LEAST_POINTS}")
    if best in values.values():
        raise DataError(f"{metric} is perfect for some number of rows, which no power law allows; leave this number out")
    design = np.stack([np.ones(len(values)), -np.log(list(values))], axis=1)
    errors = np.log(np.abs(best - np.array(list(values.values()))))
    inverse = np.linalg.inv(design.T @ design)
    intercept, exponent = inverse @ design.T @ errors
    degrees = len(values) - 2
    scale = float(np.sum((errors - design @ [intercept, exponent]) ** 2)) / degrees
    variances = tuple(float(scale * each) for each in (inverse[0, 0], inverse[1, 1], inverse[0, 1]))
    return LearningCurve(max(values), float(intercept), float(exponent), (variances[0], variances[1], variances[2]), degrees)


def gain_of_rows(curve: LearningCurve, more: int, confidence: float) -> tuple[float, float, float]:
    """What training with more rows would gain.

    Args:
        curve: The learning curve.
        more: How many rows more than the curve's largest number.
        confidence: The confidence level, such as 0.95.

    Returns:
        The expected improvement of the metric, and both ends of its interval by the delta method.
    """
    from scipy.special import stdtrit

    logs = math.log(curve.rows), math.log(curve.rows + more)
    before, after = (math.exp(curve.intercept - curve.exponent * each) for each in logs)
    by_intercept, by_exponent = before - after, after * logs[1] - before * logs[0]
    of_intercept, of_exponent, common = curve.variances
    variance = by_intercept**2 * of_intercept + by_exponent**2 * of_exponent + 2 * by_intercept * by_exponent * common
    margin = float(stdtrit(curve.degrees, (1 + confidence) / 2)) * math.sqrt(max(variance, 0.0))
    return before - after, before - after - margin, before - after + margin
