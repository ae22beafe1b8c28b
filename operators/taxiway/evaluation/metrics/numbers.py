"""Metrics of a regression."""

from typing import TYPE_CHECKING

from taxiway.evaluation.metrics.weighted import mean
from taxiway.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def mae(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean absolute error, in the label's unit."""
    return mean(abs(predictions.values - labels), weights)


def rmse(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The root mean squared error, in the label's unit."""
    import numpy as np

    root: Floats = np.sqrt(mean((predictions.values - labels) ** 2, weights))
    return root


def r2(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The coefficient of determination: the explained fraction of the labels' variance; NaN if all labels are equal."""
    import numpy as np

    centered = labels - labels.mean()
    variance = mean(centered**2, weights) - mean(centered, weights) ** 2
    unexplained = mean((predictions.values - labels) ** 2, weights)
    share: Floats = 1 - np.divide(unexplained, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return share


def mape(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean absolute error as a fraction of the label's absolute value; enormous for a label of 0, which is divided as 2e-16."""
    import numpy as np

    return mean(abs(predictions.values - labels) / np.maximum(abs(labels), np.finfo(float).eps), weights)


def smape(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
    """The mean of `2 |p - y| / (|p| + |y|)`, in 0 to 2 (Makridakis 1993); a row of which both are 0 counts as 0."""
    import numpy as np

    size = abs(predictions.values) + abs(labels)
    return mean(np.divide(2 * abs(predictions.values - labels), size, out=np.zeros_like(size), where=size > 0), weights)


def pinball_loss(predictions: Predictions, labels: "Floats", weights: "Floats", *, quantile: float) -> "Floats":
    """The loss of a predicted quantile (Koenker and Bassett 1978), in the label's unit."""
    import numpy as np

    missed = labels - predictions.values
    return mean(np.maximum(quantile * missed, (quantile - 1) * missed), weights)
