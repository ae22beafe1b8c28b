"""Recalibration: a map of two numbers for each output of a model, fitted to rows that the model has not learned from.

A probability is mapped on the scale of its log-odds, as by Platt (1999) and by Kull, Silva Filho and Flach (2017) with equal
exponents, and a number of a regression by a straight line. Both contain the map that changes nothing, keep the order of the
values if the slope is positive, and need few rows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.messages import counted, quoted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Line = tuple[float, float]
"""A slope and an intercept."""
MIN_ROWS = 5
"""The fewest rows of each class, or of a regression, that a map is fitted to."""
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
    return tuple(_fit_log_odds(values[:, at], labels == at) for at in _positions(len(classes)))


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
