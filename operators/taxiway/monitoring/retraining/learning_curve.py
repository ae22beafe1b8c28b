"""What a training gains from more rows, by the learning curve that the last training measured.

The metric of models that are trained on n rows approaches a value as a power of n: `value(n) = limit - a * n ** -c` with `a >= 0`
for a metric of which higher values are better (Hestness et al. 2017, arXiv 1712.00409; Viering and Loog 2022, arXiv 2103.10948).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.messages import counted
from taxiway.monitoring.retraining.expected_gain import GAIN_CONFIDENCE, ExpectedGain, interval_text
from taxiway.records import LearningCurve
from taxiway.spec.action import Action, Spans
from taxiway.spec.metrics import facts_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_SIZES = 4
"""The fewest sizes that determine a curve: it has three parameters."""
MOST_TIMES = 4
"""Up to how many times the largest number of rows that was measured a curve is followed."""
_EXPONENTS = (0.05, 2.0)
_STEPS = 120
_STEPS_NEAR_BEST = 40
_PARAMETERS = 3
_LEAST_VARIANCE = 1e-15
_LEAST_SHARE = 1e-6  # values whose errors are the same have a covariance without an inverse


@dataclass(frozen=True)
class Unknown:
    """That a learning curve does not determine a gain.

    Attributes:
        reason: Why not, for people: the end of a sentence about the curve.
    """

    reason: str


@dataclass(frozen=True)
class MeasuredCurve:
    """The learning curve of the last training.

    Attributes:
        curve: The curve.
        window: How many spans a training reads, at most; None for a fixed window. The action may read others.
        spans: How many spans the last training has read.
        has_all_spans: Whether these are all before the evaluated one, so that another training has these rows and new ones.
    """

    curve: LearningCurve
    window: Spans | None
    spans: int
    has_all_spans: bool


def gain_of_labels(measured: MeasuredCurve, new_labels: int, action: Action) -> ExpectedGain | Unknown:
    """What a training gains because rows with a label are new since the last one.

    Args:
        measured: The learning curve.
        new_labels: How many rows are new.
        action: What the training does.
    """
    window = action.window or measured.window
    if action.action != "retrain" or action.rehearsal is not None:
        return Unknown(f"is that of a training on whole spans, and not of the action {action.text}")
    if not measured.has_all_spans or window is None or (window != "all" and window <= measured.spans):
        return Unknown(
            "does not show it, because the window has no place for more spans, so the training has other rows, but not more"
        )
    return gain_of_rows(measured.curve, new_labels)


def gain_of_rows(curve: LearningCurve, more: int, confidence: float = GAIN_CONFIDENCE) -> ExpectedGain | Unknown:
    """What training with more rows gains, if these are like those that the curve was measured on.

    The three parameters are fitted by generalized least squares, with the covariances of the values. The interval is that of the
    profile likelihood: each gain for which some curve fits not much worse than the best one, by the F distribution. If even the best
    curve is further from the values than their covariances explain, as because another sample of training rows makes another model,
    the covariances are scaled up by this.

    Args:
        curve: The measured curve.
        more: How many rows more than the training had.
        confidence: The confidence level of the interval.
    """
    from scipy.special import fdtri

    sizes = len(curve.sizes)
    if sizes < MIN_SIZES:
        return Unknown(f"has {counted(sizes, 'size')}, and at least {MIN_SIZES} are needed")
    if curve.rows + more > MOST_TIMES * curve.sizes[-1]:
        return Unknown(
            f"was measured with up to {counted(curve.sizes[-1], 'row')}, too few to follow it to {curve.rows + more:,}"
        )
    fits = _fits(curve, more)
    best = min(fits, key=lambda fit: fit.distance)
    freedom = sizes - _PARAMETERS
    scale = max(1.0, best.distance / freedom)
    furthest = best.distance + scale * float(fdtri(1, freedom, confidence))
    ends = [fit.ends(furthest) for fit in fits if fit.distance <= furthest]
    possible = _possible_gain(curve)
    low, high = min(low for low, _ in ends), min(possible, max(high for _, high in ends))
    value = min(best.gain, possible)
    message = f"by the learning curve of the last training, they gain {interval_text(value, low, high)}"
    return ExpectedGain(value, low, high, message, is_extrapolated=True)


@dataclass(frozen=True)
class _Fit:
    """The curves with one exponent.

    Attributes:
        gain: What is gained by the best of them, at least 0.
        distance: Its squared distance from the values, in units of their covariances.
        unbounded: The gain if it might be negative.
        variance: Its variance.
        least: The squared distance with that gain.
    """

    gain: float
    distance: float
    unbounded: float
    variance: float
    least: float

    def ends(self, furthest: float) -> tuple[float, float]:
        """The smallest and the largest gain, at least 0, of those of these curves whose distance is at most `furthest`."""
        margin = math.sqrt(self.variance * (furthest - self.least))
        return max(0.0, self.unbounded - margin), max(0.0, self.unbounded + margin)


def _fits(curve: LearningCurve, more: int) -> "list[_Fit]":
    """The best curves for many exponents, and for more of them near the best one."""
    import numpy as np

    whitening = _whitening(curve)
    exponents = np.geomspace(*_EXPONENTS, _STEPS)
    found = [_fit(curve, more, whitening, float(exponent)) for exponent in exponents]
    best = min(range(_STEPS), key=lambda at: found[at].distance)
    nearest = np.geomspace(exponents[max(best - 1, 0)], exponents[min(best + 1, _STEPS - 1)], _STEPS_NEAR_BEST)
    return [*found, *(_fit(curve, more, whitening, float(exponent)) for exponent in nearest)]


def _fit(curve: LearningCurve, more: int, whitening: "Floats", exponent: float) -> _Fit:
    """The best curve with an exponent, with which it is linear in two numbers: its value at the rows of the training, and the gain."""
    import numpy as np

    of_rows = np.array([curve.rows, curve.rows + more, *curve.sizes], dtype=float) ** -exponent
    now, then, measured = of_rows[0], of_rows[1], of_rows[2:]
    design = whitening @ np.stack([np.ones(len(measured)), (now - measured) / (now - then)], axis=1)
    values = whitening @ (facts_of(curve.metric).direction * np.array(curve.values))
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ values
    gain, variance, least = float(fitted[1]), float(inverse[1, 1]), float(np.sum((values - design @ fitted) ** 2))
    return _Fit(max(gain, 0.0), least if gain >= 0 else least + gain**2 / variance, gain, variance, least)


def _whitening(curve: LearningCurve) -> "Floats":
    """A matrix that makes the errors of the values independent and of variance 1."""
    import numpy as np

    covariances = np.array(curve.covariances)
    least = _LEAST_VARIANCE + _LEAST_SHARE * float(np.trace(covariances)) / len(covariances)
    found: Floats = np.linalg.inv(np.linalg.cholesky(covariances + least * np.eye(len(covariances))))
    return found


def _possible_gain(curve: LearningCurve) -> float:
    """The distance of the value with the most rows from the best possible one."""
    facts = facts_of(curve.metric)
    return facts.high - curve.values[-1] if facts.direction > 0 else curve.values[-1] - facts.low
