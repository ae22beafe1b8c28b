"""The losses of single rows of two models, and the evidence that those of one are larger, however often one looks.

A metric such as `roc_auc` ranks all rows together, so no row has a value of its own: a proper loss of the same probabilities is tested
instead. All losses of classes are between 0 and 1. Those of numbers have no limit, so the caller gives one for their differences.
"""

import math
from typing import TYPE_CHECKING

from taxiway.evaluation.metrics.labels import right_rows
from taxiway.evaluation.metrics.probabilities import brier_rows, clipped_log_loss_rows
from taxiway.evaluation.predictions import Predictions
from taxiway.spec.metrics import MIN_PROBABILITY, facts_of, parse_metric
from taxiway.spec.monitor import ROW_LOSSES
from taxiway.stats.sequential import log_capital_of
from taxiway.stats.sequential_t import log_t_evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_WEEK = 7
_LARGEST_LOG_LOSS = math.log(1 / MIN_PROBABILITY)


def row_loss_name(metric: str) -> str | None:
    """The loss that is tested for a metric; None if there is none."""
    return ROW_LOSSES.get(parse_metric(metric).name)


def loss_name_of(metric: str) -> str:
    """The loss of a row that stands for a metric; for one without a loss of single rows, the error rate or the absolute error does."""
    return row_loss_name(metric) or ("absolute error" if facts_of(metric).problem == "regression" else "error rate")


def loss_of_rows(metric: str, predictions: Predictions, labels: "Floats") -> "tuple[str, Floats]":
    """The loss that stands for a metric, and its value for each row; the Brier score of more than two classes is halved.

    Args:
        metric: The metric.
        predictions: The predictions of a model for the rows.
        labels: The labels: positions of classes, or numbers (n).
    """
    name = loss_name_of(metric)
    unit = _LARGEST_LOG_LOSS if name == "clipped log loss" else 1.0
    return name, _LOSSES[name](predictions, labels) * unit


def largest_loss(name: str, evaluation: "Floats") -> float:
    """The largest loss of a row that counts: the largest possible one for classes, for numbers the largest one of the evaluation rows.

    Args:
        name: The loss.
        evaluation: The losses of the evaluation rows of a regression; empty for classes.
    """
    if len(evaluation):
        return float(evaluation.max())
    return _LARGEST_LOG_LOSS if name == "clipped log loss" else 1.0


def loss_differences(metric: str, served: Predictions, previous: Predictions, labels: "Floats") -> "Floats":
    """The loss of each row for the served version, minus that for the version before.

    Args:
        metric: A metric with a loss of single rows.
        served: The predictions of the served version for the rows.
        previous: Those of the version before.
        labels: The labels: positions of classes, or numbers (n).
    """
    loss = _LOSSES[ROW_LOSSES[parse_metric(metric).name]]
    return loss(served, labels) - loss(previous, labels)


def log_evidence(differences: "Floats", largest: float, days: "NDArray[np.int64]") -> float:
    """The logarithm of the evidence that the mean difference is above 0: by rows or by days, whichever is less.

    If it is not above 0, the evidence exceeds any number N at any time with a probability of at most 1/N, whenever and however
    often one looks. By rows this holds for any distribution if rows are independent (`taxiway.stats.sequential`). On some days one model
    may be better and on others the other: by days it holds also then, if the means of days are independent and about normal
    (`taxiway.stats.sequential_t`).

    Only whole weeks from the first day on count: on weekends the one model may be better and on other days the other, and each day of
    the week counts equally often then.

    Args:
        differences: The differences of all rows so far, from `loss_differences`.
        largest: The largest difference that counts; it must not be chosen by these rows. What is larger counts as this.
        days: The day of each row (n), as numbers of days.

    Returns:
        The logarithm; 0 in the first week.
    """
    import numpy as np

    if largest <= 0 or not len(days):
        return 0.0
    since_first = days - days.min()
    whole = since_first < (since_first.max() + 1) // _WEEK * _WEEK
    if not whole.any():
        return 0.0
    values = np.clip(differences[whole] / largest, -1.0, 1.0)
    _, positions = np.unique(since_first[whole], return_inverse=True)
    means = np.bincount(positions, weights=values) / np.bincount(positions)
    return min(log_capital_of(values, 0.0), log_t_evidence(means))


def _errors(predictions: Predictions, labels: "Floats") -> "Floats":
    return 1 - right_rows(predictions, labels)


def _brier(predictions: Predictions, labels: "Floats") -> "Floats":
    """Between 0 and 1: of more than two classes, the half."""
    return brier_rows(predictions, labels) / (1 if predictions.positive is not None else 2)


def _clipped_log_loss(predictions: Predictions, labels: "Floats") -> "Floats":
    found: Floats = clipped_log_loss_rows(predictions, labels) / _LARGEST_LOG_LOSS
    return found


def _absolute_error(predictions: Predictions, labels: "Floats") -> "Floats":
    return abs(predictions.values - labels)


def _squared_error(predictions: Predictions, labels: "Floats") -> "Floats":
    found: Floats = (predictions.values - labels) ** 2
    return found


_LOSSES = {
    "error rate": _errors,
    "Brier score": _brier,
    "clipped log loss": _clipped_log_loss,
    "absolute error": _absolute_error,
    "squared error": _squared_error,
}
assert set(_LOSSES) == set(ROW_LOSSES.values())
