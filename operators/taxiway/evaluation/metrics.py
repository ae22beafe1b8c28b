"""Weighted metrics of binary classification and regression, for estimates and for bootstrap replicates.

A metric is a function of scores (n), labels (n) and weights (replicates, n), and returns one value for each replicate. In
classification, a score is the probability of the positive class and a label is 0 or 1; in regression, both are numbers in the label's
unit. Weights are the counts of rows in a bootstrap replicate, or ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.spec.metrics import METRIC_FACTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MetricFunction = Callable[["Floats", "Floats", "Floats"], "Floats"]
_CLIP = 1e-15


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: Its name in the pipeline file.
        sign: 1 if higher is better, -1 if lower is better.
        compute: The function of scores, labels and weights.
    """

    name: str
    sign: int
    compute: MetricFunction


def accuracy(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The fraction of rows whose label is predicted correctly at the threshold 0.5 (inclusive)."""
    return _mean(((scores >= 0.5) == (labels > 0)).astype(float), weights)


def brier(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The mean squared difference of probability and label (Brier 1950)."""
    return _mean((scores - labels) ** 2, weights)


def log_loss(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The mean negative log likelihood (natural logarithm), with probabilities clipped at 1e-15 from 0 and 1."""
    import numpy as np

    clipped = np.clip(scores, _CLIP, 1 - _CLIP)
    return _mean(-(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped)), weights)


def roc_auc(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The area under the ROC curve, by the Mann-Whitney statistic with ties counted half; NaN if there is only one class."""
    import numpy as np

    positive, negative = _by_score(scores, labels, weights)
    below = np.cumsum(negative, axis=1) - negative / 2
    with np.errstate(invalid="ignore"):
        area: Floats = (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))
    return area


def average_precision(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The sum of precision times the increase in recall over all thresholds, not interpolated; NaN without positives."""
    import numpy as np

    positive, negative = _by_score(-scores, labels, weights)
    hits = np.cumsum(positive, axis=1)
    flagged = hits + np.cumsum(negative, axis=1)
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    with np.errstate(invalid="ignore"):
        area: Floats = (precision * positive).sum(axis=1) / positive.sum(axis=1)
    return area


def mae(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The mean absolute error, in the label's unit."""
    return _mean(abs(scores - labels), weights)


def rmse(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The root mean squared error, in the label's unit."""
    import numpy as np

    root: Floats = np.sqrt(_mean((scores - labels) ** 2, weights))
    return root


def r2(scores: "Floats", labels: "Floats", weights: "Floats") -> "Floats":
    """The coefficient of determination: the explained fraction of the labels' variance; NaN if all labels are equal."""
    import numpy as np

    centered = labels - labels.mean()
    variance = _mean(centered**2, weights) - _mean(centered, weights) ** 2
    unexplained = _mean((scores - labels) ** 2, weights)
    share: Floats = 1 - np.divide(unexplained, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return share


_FUNCTIONS: dict[str, MetricFunction] = {
    "accuracy": accuracy,
    "average_precision": average_precision,
    "brier": brier,
    "log_loss": log_loss,
    "mae": mae,
    "r2": r2,
    "rmse": rmse,
    "roc_auc": roc_auc,
}
METRICS = {name: Metric(name, facts.sign, _FUNCTIONS[name]) for name, facts in METRIC_FACTS.items()}


def _mean(values: "Floats", weights: "Floats") -> "Floats":
    mean: Floats = weights @ values / weights.sum(axis=1)
    return mean


def _by_score(scores: "Floats", labels: "Floats", weights: "Floats") -> "tuple[Floats, Floats]":
    """Weights of the positive and of the negative rows at each distinct score, in ascending order of score."""
    import numpy as np

    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], labels[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    weights = weights[:, order]
    return np.add.reduceat(weights * positive, starts, axis=1), np.add.reduceat(weights * (1 - positive), starts, axis=1)
