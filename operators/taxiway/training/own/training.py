"""Training by a function or a program of the team's own: what it gets, and what it may give back."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import FitError
from taxiway.messages import clipped, error_text, listed
from taxiway.spec.metrics import Problem
from taxiway.training.own.data import TrainingData

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_ERROR = 500
_ROUNDING = 1e-6
_SUM_ROUNDING = 1e-3
_STABLE_ROWS = 200
_FEW = 16  # as few as a predict call has
_ALONE = 5  # rows that are tried alone, as often as a predict call has rows
_SAME_R, _SAME_A = 1e-3, 1e-4  # for models of single precision


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


def estimator_of(returned: Any, data: TrainingData, problem: Problem, name: str, folder: Path | None = None) -> Any:
    """What was trained, as an estimator.

    Args:
        returned: A fitted estimator, an ONNX model, or an object of a team's own class with `save` and `load`.
        data: The rows that it was trained on.
        problem: Classification or regression.
        name: What made it, for errors.
        folder: The folder of the team's Python file; None if it has none.

    Raises:
        FitError: It is something else, was fitted to other classes, or its answers depend on more than the row.
    """
    estimator = _as_estimator(returned, folder, name)
    method = "predict_proba" if problem == "classification" else "predict"
    if not hasattr(estimator, method) or not hasattr(estimator, "get_params"):
        raise FitError(
            f"{name} returned a {type(returned).__name__}; allowed: a fitted estimator of scikit-learn, XGBoost, "
            f"LightGBM or CatBoost with {method}, an ONNX model (a ModelProto, or its bytes), or an object of a class of your own with {method}, save "
            "and load"
        )
    own = [str(name) for name in getattr(estimator, "classes_", [])]
    known = [str(at) for at in range(len(data.classes))]
    if own and own != known:
        raise FitError(
            f"{name} returned an estimator of the classes {', '.join(own)}; required: fitted to data.labels, which are "
            f"{', '.join(known)} for {', '.join(data.classes)}"
        )
    _require_stable(estimator, returned, first_rows(estimator, data), len(data.classes), name)
    return estimator


def takes_frame(estimator: Any, data: TrainingData) -> bool:
    """Whether an estimator predicts for the raw columns of `TrainingData.frame`, and not for transformed features.

    An object of a team's own class says so with `takes_frame`; another estimator was fitted to a DataFrame with these columns.

    Raises:
        FitError: It was fitted to other columns, or both have the same names.
    """
    from taxiway.models.own_model import OwnModel

    if isinstance(estimator, OwnModel):
        return bool(getattr(estimator.loaded, "takes_frame", False))
    fitted_to, raw = _columns_of(estimator), list(data.raw.features.columns) if data.raw is not None else []
    matrix = [list(data.columns), *([name.format(at) for at in range(len(fitted_to))] for name in _NAMES_OF_ARRAYS)]
    if not fitted_to or (fitted_to != raw and fitted_to in matrix):
        return False
    name = type(estimator).__name__
    if fitted_to in matrix:
        raise FitError(
            f"the {name} was fitted to the columns {listed(fitted_to)}, which can be raw columns and features of the matrix; give the columns "
            "of the source other names, for example in its query"
        )
    if fitted_to != raw:
        raise FitError(
            f"the {name} was fitted to the columns {listed(fitted_to)}; allowed: data.matrix, or data.frame with all of its columns in "
            f"their order ({listed(raw)}). Leave columns out with features.drop, or in a first step of the estimator"
        )
    return True


_NAMES_OF_ARRAYS = ("{}", "Column_{}", "f{}")
"""The names of columns without a name: of CatBoost, LightGBM and XGBoost."""


def _columns_of(estimator: Any) -> list[str]:
    """The names of the columns that an estimator was fitted to; empty if they had none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:  # of CatBoost
        names = getattr(estimator, "feature_names_", None)
    return [] if names is None else [str(name) for name in names]


def first_rows(estimator: Any, data: TrainingData) -> Any:
    """The first 200 rows to learn from, as the estimator takes them; of raw columns, also a row without a value in each that may miss one."""
    if not takes_frame(estimator, data):
        return data.matrix[:_STABLE_ROWS]
    import pandas as pd

    first, optional = data.first_of_frame(_STABLE_ROWS), data.raw.features.optional if data.raw is not None else ()
    gaps = [first.iloc[:1].assign(**{name: None if first[name].dtype == object else math.nan}) for name in optional]
    return pd.concat([first, *gaps], ignore_index=True)


def _as_estimator(returned: Any, folder: Path | None, name: str) -> Any:
    from taxiway.models.onnx_model import OnnxModel, content_of
    from taxiway.models.own_model import OwnModel

    content = content_of(returned)
    if content is not None:
        return OnnxModel(content)
    if not callable(getattr(returned, "save", None)) or not callable(getattr(type(returned), "load", None)):
        return returned
    if folder is None:
        raise FitError(
            f"{name} returned a {type(returned).__name__} with save and load; required for it: model.train is FILE.py:function, with the file in "
            "the folder of the pipeline file"
        )
    return OwnModel.of(returned, folder)


def _require_stable(estimator: Any, returned: Any, matrix: Any, classes: int, name: str) -> None:
    """Check that the answer to a row is the same in each call, with other rows, and after saving.

    Raises:
        FitError: It is not.
    """
    import numpy as np

    from taxiway.models.own_model import OwnModel

    answers = _answers(estimator, matrix, classes, name)
    if len(answers) != len(matrix) or not np.isfinite(answers).all():
        return  # `require_predictions` says so
    if not np.array_equal(_answers(estimator, matrix, classes, name), answers):
        raise FitError(f"{name}: the answers of the model differ from call to call; switch off what is random, such as dropout")
    rows = np.arange(len(matrix))
    alone = [np.full(_FEW, at) for at in rows[:: max(1, len(rows) // _ALONE)]]
    for chosen in (rows[:_FEW], rows[::-1], *alone):
        given = matrix.iloc[chosen].reset_index(drop=True) if hasattr(matrix, "iloc") else matrix[chosen]
        if not np.allclose(_answers(estimator, given, classes, name), answers[chosen], rtol=_SAME_R, atol=_SAME_A):
            raise FitError(
                f"{name}: the answer of the model to a row depends on the other rows of the call; switch off what is computed over a batch, "
                "such as batch normalization in training mode"
            )
    if isinstance(estimator, OwnModel) and not np.allclose(
        _answers(returned, matrix, classes, name), answers, rtol=_SAME_R, atol=_SAME_A
    ):
        raise FitError(f"{name}: the model answers otherwise after save and load; save everything that it predicts with")


def _answers(estimator: Any, matrix: Any, classes: int, name: str) -> Any:
    import numpy as np

    try:
        return np.asarray(estimator.predict_proba(matrix) if classes else estimator.predict(matrix), dtype=float)
    except Exception as error:  # of any library, or of a team
        hint = " Rows without a value in a column where one may be missing are tried too" if hasattr(matrix, "iloc") else ""
        raise FitError(f"{name} cannot predict: {clipped(error_text(error), MAX_ERROR)}.{hint}") from error


def require_predictions(estimator: Any, matrix: Any, classes: int, name: str) -> None:
    """Check what a fitted estimator predicts for some rows.

    Args:
        estimator: The estimator.
        matrix: The transformed features of the rows, or their raw columns.
        classes: The number of classes; 0 for a regression.
        name: What it is, for the error.

    Raises:
        FitError: It raises an error, or predicts NaN, infinity, or another number of values than it should.
    """
    import numpy as np

    predictions = _answers(estimator, matrix, classes, name)
    shape = (len(matrix), classes) if classes else (len(matrix),)
    if predictions.shape != shape:
        raise FitError(f"{name} predicts an array of the shape {predictions.shape} for {len(matrix):,} rows; required: {shape}")
    wrong = int((~np.isfinite(predictions)).any(axis=1).sum()) if classes else int((~np.isfinite(predictions)).sum())
    if wrong:
        raise FitError(
            f"{name} predicts NaN or infinity for {wrong:,} of {len(matrix):,} training rows; nothing was registered. A smaller learning "
            "rate, or features without extreme values, may help"
        )
    if classes and (
        predictions.min() < -_ROUNDING
        or predictions.max() > 1 + _ROUNDING
        or abs(predictions.sum(axis=1) - 1).max() > _SUM_ROUNDING
    ):
        raise FitError(
            f"{name} predicts values from {predictions.min():.3g} to {predictions.max():.3g}, with sums from {predictions.sum(axis=1).min():.3g} to "
            f"{predictions.sum(axis=1).max():.3g}; required: probabilities, which add up to 1. A network may have to end with a softmax"
        )
