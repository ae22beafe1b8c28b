"""Metrics of predicted classes.

Averages over classes are over the classes that occur in the rows of a replicate, as in scikit-learn.
"""

from typing import TYPE_CHECKING

from taxiway.evaluation.metrics.weighted import mean, mean_of_defined, ratio, sums_by
from taxiway.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Indices = NDArray[np.intp]


def accuracy(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The fraction of rows whose class is predicted."""
    return mean(right_rows(predictions, labels), weights)


def right_rows(predictions: Predictions, labels: "Floats") -> "Floats":
    """For each row 1 if its class is predicted, else 0."""
    found: Floats = (_predicted_classes(predictions) == labels).astype(float)
    return found


def balanced_accuracy(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean recall of the classes among the labels."""
    import numpy as np

    hits, _, actual = _counts(predictions, labels, weights)
    return mean_of_defined(ratio(hits, actual, empty=np.nan))


def f1_macro(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean F1 of the classes among labels or predictions."""
    import numpy as np

    hits, predicted, actual = _counts(predictions, labels, weights)
    return mean_of_defined(ratio(2 * hits, predicted + actual, empty=np.nan))


def f1_weighted(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean F1 of the classes, weighted by their rows."""
    hits, predicted, actual = _counts(predictions, labels, weights)
    each = ratio(2 * hits, predicted + actual, empty=0.0)
    found: Floats = (each * actual).sum(axis=1) / actual.sum(axis=1)
    return found


def matthews_corrcoef(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The correlation of predicted class and label, for any number of classes (Gorodkin 2004); 0 if one of them is constant."""
    import numpy as np

    hits, predicted, actual = _counts(predictions, labels, weights)
    total = actual.sum(axis=1)
    covariance = hits.sum(axis=1) * total - (predicted * actual).sum(axis=1)
    spread = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (actual**2).sum(axis=1))
    return ratio(covariance, np.sqrt(np.maximum(spread, 0)), empty=0.0)


def precision(
    predictions: Predictions, labels: "Floats", weights: "Floats", *, of: int | None = None, threshold: float | None = None
) -> "Floats":
    """The fraction of the rows predicted as one class that are of it; 0 if none is predicted as it.

    Args:
        predictions: The predictions.
        labels: The labels.
        weights: The weights.
        of: The position of the class; that of `predictions.positive` if None.
        threshold: The probability at or above which the class is predicted; None for the classes that the model predicts.
    """
    hits, predicted, _ = _one_class(predictions, labels, weights, of, threshold)
    return ratio(hits, predicted, empty=0.0)


def recall(
    predictions: Predictions, labels: "Floats", weights: "Floats", *, of: int | None = None, threshold: float | None = None
) -> "Floats":
    """The fraction of the rows of one class that are predicted as it; NaN if there is no such row. See `precision`."""
    import numpy as np

    hits, _, actual = _one_class(predictions, labels, weights, of, threshold)
    return ratio(hits, actual, empty=np.nan)


def f1(
    predictions: Predictions, labels: "Floats", weights: "Floats", *, of: int | None = None, threshold: float | None = None
) -> "Floats":
    """The harmonic mean of precision and recall of one class; NaN if it is neither predicted nor a label. See `precision`."""
    import numpy as np

    hits, predicted, actual = _one_class(predictions, labels, weights, of, threshold)
    return ratio(2 * hits, predicted + actual, empty=np.nan)


def _predicted_classes(predictions: Predictions) -> "Indices":
    assert predictions.predicted is not None
    return predictions.predicted


def _counts(predictions: Predictions, labels: "Floats", weights: "Floats") -> "tuple[Floats, Floats, Floats]":
    """The rows of each class that are predicted correctly, predicted as it, and labelled with it (replicates, classes)."""
    import numpy as np

    predicted, actual, count = _predicted_classes(predictions), labels.astype(np.intp), predictions.values.shape[1]
    hits = sums_by(actual, weights * (predicted == actual), count)
    return hits, sums_by(predicted, weights, count), sums_by(actual, weights, count)


def _one_class(
    predictions: Predictions, labels: "Floats", weights: "Floats", of: int | None, threshold: float | None
) -> "tuple[Floats, Floats, Floats]":
    """The rows of one class that are predicted correctly, predicted as it, and labelled with it (replicates)."""
    predicted, actual = rows_of_class(predictions, labels, of, threshold)
    return weights @ (predicted & actual).astype(float), weights @ predicted.astype(float), weights @ actual.astype(float)


def rows_of_class(
    predictions: Predictions, labels: "Floats", of: int | None = None, threshold: float | None = None
) -> "tuple[Flags, Flags]":
    """Which rows are predicted as a class, and which are of it; see `precision`."""
    position = predictions.positive if of is None else of
    assert position is not None
    actual: Flags = labels == position
    if threshold is None:
        return _predicted_classes(predictions) == position, actual
    return predictions.values[:, position] >= threshold, actual
