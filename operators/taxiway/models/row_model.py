"""The model that is saved in MLflow: it takes rows as the source has them.

This module imports scikit-learn, because a saved model names its class; import it inside of functions.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator  # noqa: TID253 the base of a class that skops looks up by its name

from taxiway.errors import DataError
from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.labels import predicted_classes
from taxiway.features.signature import ModelColumns
from taxiway.messages import listed
from taxiway.models.recalibration import by_knots, recalibrated

if TYPE_CHECKING:
    import pandas as pd

PREDICTION = "prediction"
PROBABILITY = "probability_{}"


class RowModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A fitted pipeline, which takes rows with the types that they have at the source.

    Args:
        estimator: The fitted pipeline, which takes frames of `raw_frame`.
        numeric: The columns of numbers.
        categorical: The columns of categories.
        types: The types of columns at the source.
        optional: The columns in which a value may be missing.
        classes: The classes as text, in the order of the probabilities; empty for a regression.
        threshold: The probability at or above which the second of two classes is predicted; None for 0.5.
        renamed: The present name of columns that the source has renamed, by their former name.
        means: The mean of each feature in the training rows, for a linear estimator; None for others.
        calibration: The recalibration of what the estimator predicts: lines of `taxiway.models.recalibration`; None for none.
        background: Rows of the training data, by which predictions are explained, see `taxiway.models.background`; None if it needs none.
        knots: Instead of `calibration`, the knots of isotonic regression; None for none.
    """

    threshold: float | None = None  # also of models that were saved without one
    renamed: Mapping[str, str] | None = None
    means: Sequence[float] | None = None
    calibration: Sequence[Sequence[float]] | None = None
    background: bytes | None = None
    knots: Sequence[Sequence[float]] | None = None

    def __init__(
        self,
        estimator: Any = None,
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        types: Mapping[str, str] | None = None,
        optional: Sequence[str] = (),
        classes: Sequence[str] = (),
        threshold: float | None = None,
        renamed: Mapping[str, str] | None = None,
        means: Sequence[float] | None = None,
        calibration: Sequence[Sequence[float]] | None = None,
        background: bytes | None = None,
        knots: Sequence[Sequence[float]] | None = None,
    ) -> None:
        self.estimator = estimator
        self.numeric = numeric
        self.categorical = categorical
        self.types = types
        self.optional = optional
        self.classes = classes
        self.threshold = threshold
        self.renamed = renamed
        self.means = means
        self.calibration = calibration
        self.background = background
        self.knots = knots

    @classmethod
    def of(
        cls,
        estimator: Any,
        columns: ModelColumns,
        classes: Sequence[str] = (),
        threshold: float | None = None,
        means: Sequence[float] | None = None,
        background: bytes | None = None,
    ) -> Self:
        """The model of a fitted pipeline that takes these columns."""
        return cls(
            estimator,
            list(columns.numeric),
            list(columns.categorical),
            dict(columns.types),
            list(columns.optional),
            list(classes),
            threshold,
            dict(columns.renamed) or None,
            means,
            background=background,
        )

    @property
    def columns(self) -> ModelColumns:
        """The columns that it takes."""
        optional, renamed = tuple(self.optional), dict(self.renamed or {})
        return ModelColumns(tuple(self.numeric), tuple(self.categorical), dict(self.types or {}), optional, renamed)

    def predict(self, rows: Any) -> "pd.DataFrame":
        """The prediction for each row.

        Args:
            rows: A DataFrame as the source has it, a list of records, or a mapping of columns. Other columns are ignored.

        Returns:
            A DataFrame with the index of the rows and the column `prediction`: a number, or the most likely class. For a
            classification there is a column `probability_CLASS` for each class; of two classes, the second is predicted from a probability
            of `threshold`.

        Raises:
            DataError: A column is missing or is there twice, or a value does not have the type of its column.
        """
        import pandas as pd

        answers = self._answers(rows)
        index = rows.index if isinstance(rows, pd.DataFrame) else None
        if not self.classes:
            return pd.DataFrame({PREDICTION: answers}, index=index)
        names = pd.Series(list(self.classes), dtype="object")
        columns = {PREDICTION: names.iloc[predicted_classes(answers, self.threshold)].to_numpy()}
        columns |= {PROBABILITY.format(name): answers[:, at] for at, name in enumerate(self.classes)}
        return pd.DataFrame(columns, index=index)

    def predict_proba(self, rows: Any) -> Any:
        """The probabilities of the classes for each row, as an array. See `predict`."""
        if not self.classes:
            raise AttributeError("a regression has no probabilities; use predict")
        return self._answers(rows)

    def predict_frame(self, frame: "pd.DataFrame") -> Any:
        """The probabilities of the classes, or numbers for a regression, for a frame of `raw_frame`."""
        return self.recalibrated(self.estimator.predict_proba(frame) if self.classes else self.estimator.predict(frame))

    def recalibrated(self, answers: Any) -> Any:
        """What the model predicts, for what its estimator predicts."""
        if self.knots is not None:
            return by_knots(answers, self.knots)
        return answers if self.calibration is None else recalibrated(answers, self.calibration)

    @property
    def is_recalibrated(self) -> bool:
        """Whether it predicts something else than its estimator."""
        return self.calibration is not None or self.knots is not None

    def with_calibration(
        self, lines: Sequence[Sequence[float]] | None, threshold: float | None, knots: Sequence[Sequence[float]] | None = None
    ) -> "RowModel":
        """The same model with another recalibration, of lines or knots, and decision threshold."""
        made = RowModel.of(self.estimator, self.columns, self.classes, threshold, self.means, self.background)
        made.calibration, made.knots = (None if each is None else [list(row) for row in each] for each in (lines, knots))
        return made

    def _answers(self, rows: Any) -> Any:
        import numpy as np
        import pandas as pd

        if isinstance(rows, Mapping):  # an array of two dimensions is a column of lists
            rows = {name: list(cells) if getattr(cells, "ndim", 1) > 1 else cells for name, cells in rows.items()}
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
        if not len(frame):
            return np.empty((0, len(self.classes)) if self.classes else 0)
        columns = self.columns
        whole = self._with_all_columns(frame, columns)
        return predict_rows(self.predict_frame, raw_frame(whole, columns.numeric, columns.categorical, columns.types))

    def _with_all_columns(self, frame: "pd.DataFrame", columns: ModelColumns) -> "pd.DataFrame":
        """The rows with each column of the model once; columns that may be absent are missing in every row."""
        # The header of a CSV file may have blanks around the names.
        bare = {name: name.strip() for name in frame if isinstance(name, str) and name.strip() not in frame}
        frame = frame.rename(columns={name: to for name, to in bare.items() if to in columns.names})
        former = {old: new for old, new in columns.renamed.items() if old in frame and new not in frame}
        frame = frame.rename(columns=former)
        counts = {name: int((frame.columns == name).sum()) for name in columns.names}
        required = [name for name, count in counts.items() if not count and name not in columns.optional]
        if required:
            raise DataError(
                f"the rows do not have the columns {listed(required)}, which the model needs; a column may be absent only if its values "
                "may be missing",
                key=required[0],
                allowed=columns.names,
            )
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            raise DataError(f"the rows have {listed(repeated)} more than once; allowed: each column once", key=repeated[0])
        return frame.assign(**{name: None for name, count in counts.items() if not count})
