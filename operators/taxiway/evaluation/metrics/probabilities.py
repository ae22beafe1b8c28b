"""Metrics of the probabilities of classes."""

from typing import TYPE_CHECKING

from taxiway.evaluation.metrics.weighted import mean, mean_of_defined, sums_by
from taxiway.evaluation.predictions import Predictions
from taxiway.spec.metrics import MIN_PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Indices = NDArray[np.intp]

_CLIP = 1e-15
_BINS = 15


def brier(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean squared difference of probability and label (Brier 1950).

    For two classes it is of the second one and in 0 to 1; for more it is summed over the classes, and in 0 to 2.
    """
    return mean(brier_rows(predictions, labels), weights)


def brier_rows(predictions: Predictions, labels: "Floats") -> "Floats":
    """The squared difference of probability and label in each row; see `brier`."""
    import numpy as np

    found: Floats
    if predictions.positive is not None:
        found = (predictions.values[:, predictions.positive] - (labels == predictions.positive)) ** 2
        return found
    actual = np.zeros_like(predictions.values)
    actual[np.arange(len(labels)), labels.astype(np.intp)] = 1
    found = ((predictions.values - actual) ** 2).sum(axis=1)
    return found


def log_loss(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean negative log likelihood of the label (natural logarithm), with probabilities clipped at 1e-15 from 0 and 1."""
    import numpy as np

    given = predictions.values[np.arange(len(labels)), labels.astype(np.intp)]
    return mean(-np.log(np.clip(given, _CLIP, 1 - _CLIP)), weights)


def clipped_log_loss(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean negative log likelihood of the label (natural logarithm), with probabilities below 0.01 as 0.01, so a row has at most ln(100)."""
    return mean(clipped_log_loss_rows(predictions, labels), weights)


def clipped_log_loss_rows(predictions: Predictions, labels: "Floats") -> "Floats":
    """The negative log likelihood of the label in each row, in 0 to ln(100); see `clipped_log_loss`."""
    import numpy as np

    given = predictions.values[np.arange(len(labels)), labels.astype(np.intp)]
    found: Floats = np.log(1 / np.clip(given, MIN_PROBABILITY, 1))
    return found


def top_k_accuracy(predictions: Predictions, labels: "Floats", weights: "Floats", *, k: int) -> "Floats":
    """The fraction of rows whose label is among the `k` most probable classes; of equal probabilities, the later class is first."""
    import numpy as np

    best = np.argsort(predictions.values, axis=1, kind="stable")[:, ::-1][:, :k]
    return mean((best == labels[:, None]).any(axis=1).astype(float), weights)


def expected_calibration_error(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """How far the probability of the predicted class is from how often it is right (Guo et al. 2017).

    The rows are put into 15 bins of equal width by that probability; the error is the mean over the rows of the absolute difference of
    accuracy and mean probability in their bin.
    """
    import numpy as np

    assert predictions.predicted is not None
    confidence = predictions.values[np.arange(len(labels)), predictions.predicted]
    right = predictions.predicted == labels
    bins = np.clip(np.ceil(confidence * _BINS).astype(np.intp) - 1, 0, _BINS - 1)
    gaps = sums_by(bins, weights * (right - confidence), _BINS)
    found: Floats = abs(gaps).sum(axis=1) / weights.sum(axis=1)
    return found


def roc_auc(predictions: Predictions, labels: "Floats", weights: "Floats", *, of: int | None = None) -> "Floats":
    """The area under the ROC curve, by the Mann-Whitney statistic with ties counted half.

    Args:
        predictions: The predictions.
        labels: The labels.
        weights: The weights.
        of: The position of the class that is compared with all others. If None, it is the second of two classes; of more than two, it
            is the mean over the classes among the labels.

    Returns:
        The area for each replicate; NaN if all its labels are equal.
    """
    return _one_or_mean(_area, predictions, labels, weights, of)


def average_precision(predictions: Predictions, labels: "Floats", weights: "Floats", *, of: int | None = None) -> "Floats":
    """The sum of precision times the increase in recall over all thresholds, not interpolated; NaN without rows of the class.

    The class is as in `roc_auc`.
    """
    return _one_or_mean(_average_precision, predictions, labels, weights, of)


def _one_or_mean(
    score: "Callable[[Floats, Flags, Floats], Floats]",
    predictions: Predictions,
    labels: "Floats",
    weights: "Floats",
    of: int | None,
) -> "Floats":
    import numpy as np

    position = predictions.positive if of is None else of
    by_row = np.ascontiguousarray(weights.T)
    if position is not None:
        return score(predictions.values[:, position], labels == position, by_row)
    present = np.unique(labels).astype(np.intp)
    return mean_of_defined(np.stack([score(predictions.values[:, one], labels == one, by_row) for one in present], axis=1))


def _area(scores: "Floats", actual: "Flags", weights: "Floats") -> "Floats":
    import numpy as np

    positive, tied, below, negative = _by_score(scores, actual, weights)
    with np.errstate(invalid="ignore"):
        area: Floats = (positive * (below + tied / 2)).sum(axis=0) / (positive.sum(axis=0) * negative)
    return area


def _average_precision(scores: "Floats", actual: "Flags", weights: "Floats") -> "Floats":
    import numpy as np

    positive, tied, above, _ = _by_score(-scores, actual, weights)
    hits = np.cumsum(positive, axis=0)
    flagged = hits + above + tied
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    with np.errstate(invalid="ignore"):
        area: Floats = (precision * positive).sum(axis=0) / positive.sum(axis=0)
    return area


def _by_score(scores: "Floats", actual: "Flags", weights: "Floats") -> "tuple[Floats, Floats, Floats, Floats]":
    """Weights at each distinct score of the rows of the class, in ascending order.

    The other rows are only added up between these scores, because a class of many has few rows.

    Args:
        scores: The score of each row (n).
        actual: Whether the row is of the class (n).
        weights: The weights (n, replicates).

    Returns:
        For each distinct score (scores, replicates): the weights of the rows of the class with it, those of other rows with it, and those
        of other rows with a smaller one; and the weights of all other rows (replicates).
    """
    import numpy as np

    mine, others = np.flatnonzero(actual), np.flatnonzero(~actual)
    own, first = np.unique(scores[mine], return_inverse=True)
    positions = np.searchsorted(own, scores[others])
    # Two bins for each score: less than it, but more than the score before; and equal to it. A last bin has what is more than all.
    equal = np.append(own, np.nan)[positions] == scores[others]
    between = _sums(others, 2 * positions + equal, weights, 2 * len(own) + 1)
    until = np.cumsum(between, axis=0)
    return _sums(mine, first, weights, len(own)), between[1::2], until[:-1:2], until[-1]


def _sums(rows: "Indices", bins: "Indices", weights: "Floats", count: int) -> "Floats":
    """The sum of the weights of some rows in each of their bins (count, replicates)."""
    import numpy as np
    from scipy.sparse import csr_array

    found: Floats = csr_array((np.ones(len(rows)), (bins, rows)), shape=(count, len(weights))) @ weights
    return found
