"""Calibration of a classifier's probabilities on reference rows, which have labels.

It makes no predictions: the calibrated probabilities are only used to estimate performance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.evaluation.metrics.probabilities import brier_rows, expected_calibration_error
from taxiway.evaluation.predictions import Predictions
from taxiway.models.recalibration import Line, fit_class_lines, recalibrated
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

FOLDS = 5
"""The folds of the reference rows in which rows are calibrated without their own labels."""


@dataclass(frozen=True)
class Curve:
    """The calibration of one class: a line through points, constant before the first and after the last one.

    Attributes:
        scores: The model's probabilities, in ascending order.
        probabilities: The calibrated ones, which do not decrease.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, scores: "Floats") -> "Floats":
        """The calibrated probability of the class for each probability of the model."""
        import numpy as np

        found: Floats = np.interp(scores, self.scores, self.probabilities)
        return found


@dataclass(frozen=True)
class Calibration:
    """The calibration of a classifier.

    Attributes:
        curves: By isotonic regression: the curve of the second of two classes, or of each of more; empty if it is not used.
        lines: By `taxiway.models.recalibration`: the line of the log-odds of each of these classes; empty if it is not used. Without
            both, the model's probabilities are used as they are.
        error_before: The calibration error of the model's probabilities (see `calibration_error`), as the mean over folds of the
            reference rows. In small folds, it is above 0 also of perfect probabilities.
        error_after: That of the calibrated ones, for rows that the calibration was not fitted on.
    """

    curves: tuple[Curve, ...]
    lines: tuple[Line, ...]
    error_before: float
    error_after: float

    def probabilities(self, values: "Floats") -> "Floats":
        """The calibrated probabilities of the classes.

        Args:
            values: The model's probabilities (n, classes).

        Returns:
            Probabilities that add up to 1 in each row (n, classes).
        """
        if self.lines:
            return recalibrated(values, self.lines)
        return _calibrated(self.curves, values) if self.curves else values


def calibrate(values: "Floats", labels: "Floats") -> Calibration:
    """Fit a calibration by isotonic regression (Zadrozny and Elkan, KDD 2002) and one by a line of the log-odds (Platt 1999), and use the
    better one, or none.

    Each class of more than two is calibrated against all others, and the results are divided by their sum.

    Isotonic regression on few rows makes good probabilities worse, so a calibration is used only if it decreases the Brier score of
    rows that it was not fitted on, in five stratified folds. The line has only two parameters, which is enough for a model that is too
    sure of itself: there, isotonic regression adds as much noise as it removes bias. Of 100 simulated models with perfect probabilities for
    2,000 rows, 3 get isotonic regression, and 29 a line that changes little. To compare the calibration errors of such rows, as NannyML
    does, gives 60 isotonic regression.

    Args:
        values: The model's probabilities for reference rows (n, classes). The model must not have been trained on these rows, or its
            probabilities are better on them than on new ones.
        labels: The position of the class of each row (n).

    Raises:
        DataError: A class has fewer than five rows.
    """
    import numpy as np

    counts = np.bincount(labels.astype(np.intp), minlength=values.shape[1])
    if counts.min() < FOLDS:
        raise DataError(
            f"a class has {counts.min():,} of {len(labels):,} reference rows; to calibrate probabilities, each class needs at least {FOLDS}"
        )
    by_curves, by_lines, folds = np.empty_like(values), np.empty_like(values), _folds(labels)
    for fit, test in folds:
        by_curves[test] = _calibrated(_curves(values[fit], labels[fit]), values[test])
        by_lines[test] = recalibrated(values[test], fit_class_lines(values[fit], labels[fit]))
    of_curves, of_lines, of_values = (_squared_error(each, labels) for each in (by_curves, by_lines, values))
    before, after = (
        float(np.mean([calibration_error(probabilities[test], labels[test]) for _, test in folds]))
        for probabilities in (values, by_lines if of_lines < of_curves else by_curves)
    )
    if min(of_curves, of_lines) >= of_values:
        return Calibration((), (), before, after)
    if of_lines < of_curves:
        return Calibration((), fit_class_lines(values, labels), before, after)
    return Calibration(_curves(values, labels), (), before, after)


def calibration_error(values: "Floats", labels: "Floats") -> float:
    """The expected calibration error of each class, averaged over the classes (Kull et al. 2019, classwise ECE).

    The metric `expected_calibration_error` is of the predicted class alone. In it, errors of two classes may cancel: a model whose
    probabilities of the second class are all too large by the same amount can have an error of 0.

    Args:
        values: Probabilities (n, classes).
        labels: The position of the class of each row (n).
    """
    import numpy as np

    ones = np.ones((1, len(labels)))
    classes = (np.full(len(labels), position) for position in range(values.shape[1]))
    return float(np.mean([expected_calibration_error(Predictions(values, each), labels, ones)[0] for each in classes]))


def _squared_error(values: "Floats", labels: "Floats") -> float:
    return float(brier_rows(Predictions(values), labels).mean())


def _folds(labels: "Floats") -> "list[tuple[Indices, Indices]]":
    """The rows to fit on and to test on, of each fold."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    return [*StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(np.empty(len(labels)), labels)]


def _curves(values: "Floats", labels: "Floats") -> tuple[Curve, ...]:
    from sklearn.isotonic import IsotonicRegression

    def curve(position: int) -> Curve:
        fitted = IsotonicRegression(y_min=0, y_max=1).fit(values[:, position], labels == position)
        return Curve(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))

    classes = values.shape[1]
    return tuple(curve(position) for position in ((1,) if classes == 2 else range(classes)))


def _calibrated(curves: Sequence[Curve], values: "Floats") -> "Floats":
    """Calibrated probabilities (n, classes). A row in which those of all classes are 0 keeps the model's."""
    import numpy as np

    if len(curves) == 1:
        second = curves[0](values[:, 1])
        return np.stack([1 - second, second], axis=1)
    each = np.stack([curve(values[:, position]) for position, curve in enumerate(curves)], axis=1)
    total = each.sum(axis=1, keepdims=True)
    found: Floats = np.divide(each, total, out=values.copy(), where=total > 0)
    return found
