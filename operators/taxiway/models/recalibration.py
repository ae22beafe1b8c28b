"""Recalibration: a map of each output of a model, fitted to rows that the model has not learned from.

A probability is mapped by a line on the scale of its log-odds, as by Platt (1999) and by Kull, Silva Filho and Flach (2017) with equal
exponents, and a number of a regression by a straight line. Both contain the map that changes nothing, keep the order of the
values if the slope is positive, and need few rows.

Two classes with many rows may get isotonic regression instead (Zadrozny and Elkan 2002): any map that does not change the order,
although it may make values equal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.messages import counted, quoted
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Line = tuple[float, float]
"""A slope and an intercept."""
Knots = tuple[tuple[float, ...], tuple[float, ...]]
"""Probabilities of the second of two classes in ascending order, and what each becomes; those between are interpolated."""
MIN_ROWS = 5
"""The fewest rows of each class, or of a regression, that a map is fitted to."""
ISOTONIC_ROWS = 1_000
"""The fewest rows for isotonic regression, which fits noise with fewer (Niculescu-Mizil and Caruana 2005)."""
ISOTONIC_ROWS_OF_A_CLASS = 100
_FOLDS = 5
_LEAST = 1e-6  # probabilities of 0 and 1 have no log-odds
_LARGEST_WEIGHT = 1e4  # of the data against a slope of 0: it keeps the slope finite if the classes are separated


def fit_lines(values: "Floats", labels: "Floats", classes: Sequence[str]) -> tuple[Line, ...]:
    """Fit a recalibration.

    Args:
        values: What the model predicts for rows that it has not learned from: probabilities (n, classes), or numbers (n).
        labels: The position of the class of each row, or its number (n).
        classes: The classes; empty for a regression.

    Returns:
        The line of the second of two classes, of each of more classes, or of the numbers of a regression.

    Raises:
        DataError: There are too few rows.
    """
    import numpy as np

    counts = np.bincount(labels.astype(np.intp), minlength=len(classes)) if classes else np.array([len(labels)])
    if counts.min() < MIN_ROWS:
        what = f"of the class {quoted(classes[int(counts.argmin())])}" if classes else "with a label"
        raise DataError(
            f"{counted(int(counts.min()), 'row')} {what} {'is' if counts.min() == 1 else 'are'} new to the champion; to recalibrate it, "
            f"there must be at least {MIN_ROWS}{' of each class' if classes else ''}. Use the action warm_start or retrain"
        )
    if not classes:
        return (_fit_numbers(values, labels),)
    return fit_class_lines(values, labels)


def fit_class_lines(values: "Floats", labels: "Floats") -> tuple[Line, ...]:
    """Fit the line of the second of two classes, or of each of more classes; each class must have a row.

    Args:
        values: The probabilities (n, classes).
        labels: The position of the class of each row (n).
    """
    return tuple(_fit_log_odds(values[:, at], labels == at) for at in _positions(values.shape[1]))


@dataclass(frozen=True)
class Comparison:
    """How well isotonic regression and the line predict held-out rows.

    Attributes:
        line: The mean log loss of the line.
        isotonic: That of isotonic regression.
        error: The standard error of the difference.
    """

    line: float
    isotonic: float
    error: float

    @property
    def is_isotonic_better(self) -> bool:
        """Whether isotonic regression is better by more than a standard error; else the line, which has fewer parameters, is used."""
        return self.line - self.isotonic > self.error


def compare_isotonic(values: "Floats", labels: "Floats") -> Comparison | None:
    """Compare isotonic regression with the line for two classes, by cross-validation with five folds.

    Args:
        values: The probabilities of both classes (n, 2).
        labels: The position of the class of each row (n).

    Returns:
        The log losses; None with fewer than 1,000 rows, or 100 of a class.
    """
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    of_class = np.bincount(labels.astype(np.intp), minlength=2)
    if len(labels) < ISOTONIC_ROWS or of_class.min() < ISOTONIC_ROWS_OF_A_CLASS:
        return None
    losses, least = np.empty((2, len(labels))), 1 / (len(labels) + 2)  # as in `fit_knots`
    for learned, held in StratifiedKFold(_FOLDS, shuffle=True, random_state=SEED).split(values, labels):
        line = _fit_log_odds(values[learned, 1], labels[learned] == 1)
        knots = fit_knots(values[learned], labels[learned])
        for at, after in enumerate((recalibrated(values[held], (line,)), by_knots(values[held], knots))):
            of_label = np.where(labels[held] == 1, after[:, 1], after[:, 0])
            losses[at, held] = -np.log(np.clip(of_label, least, 1 - least))
    difference = losses[0] - losses[1]
    error = float(np.std(difference, ddof=1)) / math.sqrt(len(labels))
    return Comparison(float(losses[0].mean()), float(losses[1].mean()), error)


def fit_knots(values: "Floats", labels: "Floats") -> Knots:
    """Fit isotonic regression to the rows of two classes.

    Probabilities are clipped to 1 / (n + 2) and 1 - 1 / (n + 2), the estimates of Laplace's rule of succession for a class with none
    or all of n rows.

    Args:
        values: The probabilities of both classes (n, 2).
        labels: The position of the class of each row (n).
    """
    from sklearn.isotonic import IsotonicRegression

    least = 1 / (len(labels) + 2)
    fitted = IsotonicRegression(y_min=least, y_max=1 - least).fit(values[:, 1], labels)
    return tuple(map(float, fitted.X_thresholds_)), tuple(map(float, fitted.y_thresholds_))


def by_knots(values: "Floats", knots: Sequence[Sequence[float]]) -> "Floats":
    """The probabilities of both classes (n, 2), recalibrated by isotonic regression."""
    import numpy as np

    before, after = knots
    second = np.interp(values[:, 1], np.asarray(before), np.asarray(after))
    return np.stack([1 - second, second], axis=1)


def recalibrated(values: "Floats", lines: Sequence[Sequence[float]]) -> "Floats":
    """The recalibrated predictions of a model.

    Args:
        values: Its probabilities (n, classes), or numbers (n).
        lines: What `fit_lines` returns.

    Returns:
        Probabilities that add up to 1 in each row, or numbers.
    """
    import numpy as np

    if values.ndim == 1:
        ((slope, intercept),) = lines
        return slope * values + intercept
    each = [
        _probability(slope * _log_odds(values[:, at]) + intercept)
        for at, (slope, intercept) in zip(_positions(values.shape[1]), lines, strict=True)
    ]
    if len(each) == 1:
        return np.stack([1 - each[0], each[0]], axis=1)
    found = np.stack(each, axis=1)
    divided: Floats = found / found.sum(axis=1, keepdims=True)
    return divided


def _positions(classes: int) -> Sequence[int]:
    return (1,) if classes == 2 else range(classes)


def _fit_log_odds(probabilities: "Floats", is_class: "NDArray[np.bool_]") -> Line:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=_LARGEST_WEIGHT).fit(_log_odds(probabilities).reshape(-1, 1), is_class)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def _fit_numbers(values: "Floats", labels: "Floats") -> Line:
    """The line of least squares; of predictions that are all the same, only the mean error is removed."""
    import numpy as np

    spread = float(np.var(values))
    slope = float(np.cov(values, labels, bias=True)[0, 1]) / spread if spread > 0 else 1.0
    return slope, float(labels.mean() - slope * values.mean())


def _log_odds(probabilities: "Floats") -> "Floats":
    import numpy as np

    inside = np.clip(probabilities, _LEAST, 1 - _LEAST)
    found: Floats = np.log(inside) - np.log1p(-inside)
    return found


def _probability(log_odds: "Floats") -> "Floats":
    from scipy.special import expit

    found: Floats = expit(log_odds)
    return found
