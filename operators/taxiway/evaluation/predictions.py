"""The predictions of a model for evaluation rows, as metrics take them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.features.labels import predicted_classes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Predictions:
    """The predictions for n rows.

    Attributes:
        values: The probabilities of the classes (n, classes), or the numbers of a regression (n).
        predicted: The position of the predicted class of each row; None for a regression.
        positive: The position of the class that metrics of one class are of: the second of two; None if there are more.
    """

    values: "Floats"
    predicted: "Indices | None" = None
    positive: int | None = None

    def take(self, rows: Any) -> "Predictions":
        """The predictions for some rows."""
        predicted = None if self.predicted is None else self.predicted[rows]
        return Predictions(self.values[rows], predicted, self.positive)


def positive_class(classes: Sequence[str]) -> int | None:
    """The position of the class that metrics of one class are of: the second of two; None if there are more, or none."""
    return 1 if len(classes) == 2 else None


def predictions_of(
    answers: Any, model_classes: Sequence[str], classes: Sequence[str], positive: int | None, threshold: float | None = None
) -> Predictions:
    """The predictions from what a model returns.

    Args:
        answers: The probability of each of the model's classes (n, own classes), or numbers (n).
        model_classes: The classes of the model, in the order of the probabilities; empty for a regression.
        classes: The classes of the comparison, among them all of the model's. Those that it has not learned have the probability 0.
        positive: See `Predictions.positive`.
        threshold: The probability at or above which the model predicts the second of its two classes; None for 0.5.
    """
    import numpy as np

    found = np.asarray(answers, dtype=float)
    if not model_classes:
        return Predictions(found.reshape(-1))
    positions = np.array([classes.index(name) for name in model_classes])
    values = np.zeros((len(found), len(classes)))
    values[:, positions] = found
    return Predictions(values, positions[predicted_classes(found, threshold)], positive)
