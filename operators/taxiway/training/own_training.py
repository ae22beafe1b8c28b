"""Training by a function or a program of the team's own: what it gets, and what it may give back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import FitError
from taxiway.messages import clipped
from taxiway.spec.metrics import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VALIDATION = 0.1
"""The fraction of the training rows that are held out to watch."""
MAX_ERROR = 500
_ROUNDING = 1e-6
_SUM_ROUNDING = 1e-3


@dataclass(frozen=True)
class TrainingData:
    """What a function or a program of a team learns from. All arrays are copies.

    Attributes:
        matrix: The transformed features of the rows to learn from (n, features), without missing values.
        labels: Their labels (n): positions of the classes, or numbers.
        validation_matrix: The features of a tenth of the training rows, held out at random with each class in both.
        validation_labels: Their labels.
        columns: The names of the features.
        classes: The classes as text; empty for a regression.
        seed: A number for the random generators, the same in every run.
        weights: The weights of the rows to learn from, with `model.weight`; None if all weigh alike.
        validation_weights: The weights of the held-out rows.
    """

    matrix: "Floats"
    labels: Any
    validation_matrix: "Floats"
    validation_labels: Any
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    seed: int
    weights: Any = None
    validation_weights: Any = None


class OwnTraining(ABC):
    """Something of the team's own that trains by itself.

    Attributes:
        takes_previous: Whether it starts from the champion.
    """

    takes_previous: bool = False

    @abstractmethod
    def fit(self, data: TrainingData, problem: Problem, previous: Callable[[], Any]) -> Any:
        """Train, and return a fitted estimator.

        Args:
            data: The rows.
            problem: Classification or regression.
            previous: Returns the champion's fitted estimator, or None; called only if `takes_previous`.

        Raises:
            FitError: It failed, or made nothing that can be used.
        """


def estimator_of(made: Any, data: TrainingData, problem: Problem, name: str) -> Any:
    """What was trained, as an estimator.

    Args:
        made: A fitted estimator, or an ONNX model.
        data: The rows that it was trained on.
        problem: Classification or regression.
        name: What made it, for errors.

    Raises:
        FitError: It is something else, or was fitted to other classes.
    """
    from taxiway.features.onnx_model import OnnxModel, content_of

    content = content_of(made)
    estimator = made if content is None else OnnxModel(content)
    wanted = "predict_proba" if problem == "classification" else "predict"
    if not hasattr(estimator, wanted) or not hasattr(estimator, "get_params"):
        raise FitError(
            f"{name} returned a {type(made).__name__}; allowed: a fitted estimator of scikit-learn, XGBoost or "
            f"LightGBM with {wanted}, or an ONNX model (a ModelProto, or its bytes)"
        )
    own = [str(name) for name in getattr(estimator, "classes_", [])]
    known = [str(at) for at in range(len(data.classes))]
    if own and own != known:
        raise FitError(
            f"{name} returned an estimator of the classes {', '.join(own)}; required: fitted to data.labels, which are "
            f"{', '.join(known)} for {', '.join(data.classes)}"
        )
    return estimator


def require_predictions(estimator: Any, matrix: "Floats", classes: int, name: str) -> None:
    """Check what a fitted estimator predicts for some rows.

    Args:
        estimator: The estimator.
        matrix: The transformed features of the rows.
        classes: The number of classes; 0 for a regression.
        name: What it is, for the error.

    Raises:
        FitError: It raises an error, or predicts NaN, infinity, or another number of values than it should.
    """
    import numpy as np

    try:
        found = np.asarray(estimator.predict_proba(matrix) if classes else estimator.predict(matrix), dtype=float)
    except Exception as error:  # of any library
        raise FitError(f"{name} cannot predict: {clipped(f'{type(error).__name__}: {error}', MAX_ERROR)}") from error
    wanted = (len(matrix), classes) if classes else (len(matrix),)
    if found.shape != wanted:
        raise FitError(f"{name} predicts an array of the shape {found.shape} for {len(matrix):,} rows; required: {wanted}")
    wrong = int((~np.isfinite(found)).any(axis=1).sum()) if classes else int((~np.isfinite(found)).sum())
    if wrong:
        raise FitError(
            f"{name} predicts NaN or infinity for {wrong:,} of {len(matrix):,} training rows; nothing was registered. A smaller learning "
            "rate, or features without extreme values, may help"
        )
    if classes and (
        found.min() < -_ROUNDING or found.max() > 1 + _ROUNDING or abs(found.sum(axis=1) - 1).max() > _SUM_ROUNDING
    ):
        raise FitError(
            f"{name} predicts values from {found.min():.3g} to {found.max():.3g}, with sums from {found.sum(axis=1).min():.3g} to "
            f"{found.sum(axis=1).max():.3g}; required: probabilities, which add up to 1. A network may have to end with a softmax"
        )
