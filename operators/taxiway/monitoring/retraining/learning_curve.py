"""What a training gains from more rows, by the learning curve that the last training measured.

The metric of models that are trained on n rows approaches a value as a power of n: `value(n) = limit - a * n ** -c` with `a >= 0`
for a metric of which higher values are better (Hestness et al. 2017, arXiv 1712.00409; Viering and Loog 2022, arXiv 2103.10948).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from taxiway.messages import counted
from taxiway.monitoring.retraining.expected_gain import GAIN_CONFIDENCE, ExpectedGain, interval_text
from taxiway.records import LearningCurve
from taxiway.spec.metrics import facts_of
from taxiway.spec.monitor.action import Action, Spans

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_SIZES = 4
"""The fewest sizes that determine a curve: it has three parameters."""
MAX_TIMES = 4
"""Up to how many times the largest number of rows that was measured a curve is followed."""
_BY_CURVE = "by the learning curve of the last training,"
_EXPONENTS = (0.05, 2.0)
_STEPS = 400
_STEPS_NEAR_BEST = 100
_PARAMETERS = 3
_MIN_VARIANCE = 1e-15
_MIN_SHARE = 1e-6  # values whose errors are the same have a covariance without an inverse


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
        window: How many spans a training reads by the pipeline file, `all` of a source that is one span; None for a fixed window.
        spans: How many spans the last training has read.
        has_all_spans: Whether these are all before the evaluated one, so that another training has these rows and new ones.
        share: Which share of labelled rows is trained on: that of `source.sample`, without what `source.split` holds out.
        is_filtered: Whether `source.rows` leaves rows out, of which the log may have some.
    """

    curve: LearningCurve
    window: Spans | None
    spans: int
    has_all_spans: bool
    share: float = 1.0
    is_filtered: bool = False


def gain_of_labels(measured: MeasuredCurve, new_labels: int, action: Action) -> ExpectedGain | Unknown:
    """What a training gains because rows with a label are new since the last one.

    Args:
        measured: The learning curve.
        new_labels: How many rows with a label are new, of which a training may get only a part.
        action: What the training does.
    """
    window = action.window or measured.window
    if action.action != "retrain" or action.rehearsal is not None:
        return Unknown(f"is that of a training on whole spans, and not of the action {action.text}")
    if window is None or (window != "all" and window <= measured.spans):
        spans = "the same spans" if window is None else counted(window, "span")
        return Unknown(f"does not show it, because a training reads {spans}: other rows, but not more")
    if not measured.has_all_spans:
        return Unknown(
            "does not show it: that one did not read all spans, so it is not known how many more rows a training has"
        )
    if measured.is_filtered:
        return Unknown("does not show it: source.rows leaves rows out, so it is not known how many of these a training gets")
    more = max(1, round(new_labels * measured.share))
    gain = gain_of_rows(measured.curve, more)
    if more == new_labels or isinstance(gain, Unknown):
        return gain
    trained = f"the {more:,} of them that are trained on gain {interval_text(gain.value, gain.low, gain.high)}"
    return replace(gain, message=f"{_BY_CURVE} {trained}")


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
    if curve.rows + more > MAX_TIMES * curve.sizes[-1]:
        return Unknown(
            f"was measured with up to {counted(curve.sizes[-1], 'row')}, too few to follow it to {curve.rows + more:,}"
        )
    fits = _fits(curve, more)
    best = int(fits.distances.argmin())
    freedom = sizes - _PARAMETERS
    scale = max(1.0, float(fits.distances[best]) / freedom)
    low, high = fits.ends(float(fits.distances[best]) + scale * float(fdtri(1, freedom, confidence)))
    value, low, high = (min(each, _possible_gain(curve)) for each in (float(fits.gains[best]), low, high))
    message = f"{_BY_CURVE} they gain {interval_text(value, low, high)}"
    return ExpectedGain(value, low, high, message, is_extrapolated=True)


@dataclass(frozen=True)
class _Fits:
    """For each of many exponents, the best curve.

    Attributes:
        gains: What is gained by it, at least 0.
        distances: Its squared distance from the values, in units of their covariances.
        unbounded: The gain if it may be negative.
        variances: The variance of that.
        least: The squared distance with that.
    """

    gains: "Floats"
    distances: "Floats"
    unbounded: "Floats"
    variances: "Floats"
    least: "Floats"

    def ends(self, furthest: float) -> tuple[float, float]:
        """The smallest and the largest gain, at least 0, of a curve with one of these exponents whose distance is at most `furthest`."""
        import numpy as np

        near = self.distances <= furthest
        margins = np.sqrt(self.variances[near] * (furthest - self.least[near]))
        low, high = float((self.unbounded[near] - margins).min()), float((self.unbounded[near] + margins).max())
        return max(low, 0.0), max(high, 0.0)


def _fits(curve: LearningCurve, more: int) -> _Fits:
    """The best curves for exponents in the whole range, and for more of them near the best one."""
    import numpy as np

    exponents = np.geomspace(*_EXPONENTS, _STEPS)
    best = int(_fitted(curve, more, exponents).distances.argmin())
    nearest = np.geomspace(exponents[max(best - 1, 0)], exponents[min(best + 1, _STEPS - 1)], _STEPS_NEAR_BEST)
    return _fitted(curve, more, np.concatenate([exponents, nearest]))


def _fitted(curve: LearningCurve, more: int, exponents: "Floats") -> _Fits:
    """The best curve for each exponent, with which it is linear in two numbers: its value at the rows of the training, and the gain."""
    import numpy as np

    whitening = _whitening(curve)
    of_rows = np.array([curve.rows, curve.rows + more, *curve.sizes], dtype=float) ** -exponents[:, None]
    now, then, measured = of_rows[:, :1], of_rows[:, 1:2], of_rows[:, 2:]
    designs = whitening @ np.stack([np.ones_like(measured), (now - measured) / (now - then)], axis=2)
    values = whitening @ (facts_of(curve.metric).direction * np.array(curve.values))
    transposed = designs.transpose(0, 2, 1)
    inverses = np.asarray(np.linalg.inv(transposed @ designs), dtype=float)
    fitted = (inverses @ transposed @ values[:, None])[:, :, 0]
    gains, variances = fitted[:, 1], inverses[:, 1, 1]
    least = np.sum((values - (designs @ fitted[:, :, None])[:, :, 0]) ** 2, axis=1)
    distances: Floats = np.where(gains >= 0, least, least + gains**2 / variances)
    return _Fits(np.maximum(gains, 0.0), distances, gains, variances, least)


def _whitening(curve: LearningCurve) -> "Floats":
    """A matrix that makes the errors of the values independent and of variance 1."""
    import numpy as np

    covariances = np.array(curve.covariances)
    least = _MIN_VARIANCE + _MIN_SHARE * float(np.trace(covariances)) / len(covariances)
    found: Floats = np.linalg.inv(np.linalg.cholesky(covariances + least * np.eye(len(covariances))))
    return found


def _possible_gain(curve: LearningCurve) -> float:
    """The distance of the value with the most rows from the best possible one."""
    facts = facts_of(curve.metric)
    return facts.high - curve.values[-1] if facts.direction > 0 else curve.values[-1] - facts.low
