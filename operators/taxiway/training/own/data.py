"""What a function or a program of a team learns from."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taxiway.training.history import GRADIENT, ReportedHistory, Watch
from taxiway.training.own.raw_rows import RawRows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VALIDATION = 0.1
"""The fraction of the training rows that are held out to watch."""


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
        history: What was reported.
        raw: The raw rows that the features were made from; None for rows that are made up.
        learned: The positions of the rows to learn from among all training rows.
        held: Those of the held-out rows.
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
    history: ReportedHistory = field(default_factory=lambda: ReportedHistory(Watch()))
    raw: RawRows | None = None
    learned: Any = None
    held: Any = None

    @cached_property
    def rows(self) -> "pd.DataFrame":
        """The rows to learn from with all columns of the source, in the order of `matrix`."""
        return self._raw.rows(self.learned)

    @cached_property
    def validation_rows(self) -> "pd.DataFrame":
        """The held-out rows with all columns of the source, in the order of `validation_matrix`."""
        return self._raw.rows(self.held)

    @cached_property
    def table(self) -> "pa.Table":
        """As `rows`, an Arrow table."""
        return self._raw.table(self.learned)

    @cached_property
    def validation_table(self) -> "pa.Table":
        """As `validation_rows`, an Arrow table."""
        return self._raw.table(self.held)

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """The raw columns of the model in the order of `matrix`: what a model that takes them gets when it is served.

        Numbers are float64, dates seconds since 1970, categories and texts are text; missing values are NaN and None.
        """
        return self._raw.frame(self.learned)

    @cached_property
    def validation_frame(self) -> "pd.DataFrame":
        """As `frame`, of the held-out rows."""
        return self._raw.frame(self.held)

    def first_of_frame(self, count: int) -> "pd.DataFrame":
        """The first rows of `frame`, as they are read."""
        return self._raw.frame(self.learned[:count])

    @property
    def _raw(self) -> RawRows:
        assert self.raw is not None  # `train` gives them
        return self.raw

    def report(
        self,
        iteration: int,
        *,
        training_loss: float | None = None,
        validation_loss: float | None = None,
        gradient_norm: float | None = None,
    ) -> bool:
        """Report the state of the training after an iteration: for MLflow, the rules and the progress in the log.

        Args:
            iteration: The number of the iteration, larger than the one before.
            training_loss: The loss on the rows to learn from.
            validation_loss: The loss on the held-out rows.
            gradient_norm: The norm of the gradient.

        Returns:
            Whether to stop, because a rule of `model.stop_on` found a mistake.

        Raises:
            ValueError: The number is not larger than the one before.
        """
        values = (
            ("training", "loss", training_loss),
            ("validation", "loss", validation_loss),
            ("training", GRADIENT, gradient_norm),
        )
        return self.history.add(iteration, values)

    def keep(self, iteration: int) -> None:
        """Say that the model which is returned is that of an earlier iteration, such as the one with the smallest loss."""
        self.history.kept = iteration
