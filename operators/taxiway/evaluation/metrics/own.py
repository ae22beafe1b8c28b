"""Metrics of a team's own: a function in its folder, or a table of costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.evaluation.metrics.weighted import mean
from taxiway.evaluation.predictions import Predictions
from taxiway.messages import clipped, counted, error_text, number_text
from taxiway.models.row_model import PROBABILITY
from taxiway.spec.own_metric import OwnMetric
from taxiway.spec.python_refs import look_up_function, same_process

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

_MAX_ERROR_CHARS = 500


def metric_function(name: str, metric: OwnMetric) -> Any:
    """The function of a metric.

    Args:
        name: The name of the metric.
        metric: Its definition, which has a function.

    Raises:
        ConfigError: The function does not exist, or cannot be called with three arguments.
    """
    allowed = "a function of three arguments, the labels, the predictions and the rows"
    return look_up_function(str(metric.function), f"gate.metrics.{name}", ("y_true", "y_pred", "rows"), allowed)


@dataclass(frozen=True)
class OwnMetricFunction:
    """A metric of `gate.metrics` for some rows, called as Taxiway's own metrics are.

    Attributes:
        name: Its name.
        metric: Its definition.
        classes: All classes; empty for a regression.
        rows: The evaluation rows (n).
    """

    name: str
    metric: OwnMetric
    classes: Sequence[str]
    rows: "pd.DataFrame"

    def __call__(self, predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
        """The metric for each replicate.

        Args:
            predictions: The predictions for the rows.
            labels: Their labels: positions of classes, or numbers.
            weights: How often each row is drawn (replicates, n).

        Raises:
            ConfigError: The function raises an error, or returns something else than numbers; a value is outside of the range.
            DataError: The rows do not have the column `times`, or a row has no number in it.
        """
        if self.metric.costs:
            return mean(self._costs(predictions, labels), weights)
        return self._of_function(predictions, labels, weights)

    def by_row(self, predictions: Predictions, labels: "Floats") -> "Floats":
        """The metric of each row, as conditions need it.

        Raises:
            ConfigError: The function returns something else than one number for each row, or see `__call__`.
            DataError: See `__call__`.
        """
        import numpy as np

        if self.metric.costs:
            return self._costs(predictions, labels)
        found = self._caller(predictions, labels)(np.arange(len(labels)))
        if found.shape != labels.shape:
            returned = "one number" if found.shape == () else f"an array of the shape {found.shape}"
            raise ConfigError(
                f"gate.metrics.{self.name}: {self.metric.function} returned {returned} for {len(labels):,} rows; a condition needs one number "
                "for each row"
            )
        return found

    def _costs(self, predictions: Predictions, labels: "Floats") -> "Floats":
        """The cost of each row, of a metric with `costs`."""
        import numpy as np

        table = np.zeros((len(self.classes), len(self.classes)))
        for label, costs in self.metric.costs.items():
            for predicted, cost in costs.items():
                if label in self.classes and predicted in self.classes:  # a class may be missing in a window
                    table[self.classes.index(label), self.classes.index(predicted)] = cost
        assert predictions.predicted is not None
        each: Floats = table[labels.astype(np.intp), predictions.predicted]
        return each if self.metric.times is None else self._within_range(each * self._column(self.metric.times))

    def _column(self, column: str) -> "Floats":
        import numpy as np
        import pandas as pd

        key = f"gate.metrics.{self.name}.times"
        if column not in self.rows:
            raise DataError(f'{key} is "{column}", missing in the rows; {allowed_values(column, self.rows.columns)}')
        numbers: Floats = pd.to_numeric(self.rows[column], errors="coerce").to_numpy(dtype=float)
        missing = int((~np.isfinite(numbers)).sum())
        if missing:
            raise DataError(f"{key}: {column} is not a number in {missing:,} of {len(self.rows):,} rows")
        return numbers

    def _of_function(self, predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
        import numpy as np

        call, everything = self._caller(predictions, labels), np.arange(len(labels))
        found = call(everything)
        if found.shape == labels.shape:
            return mean(found, weights)
        if found.shape != ():
            raise ConfigError(
                f"gate.metrics.{self.name}: {self.metric.function} returned an array of the shape {found.shape} for {len(labels):,} rows; "
                "allowed: one number for each row, or one number"
            )
        return np.array([float(call(np.repeat(everything, each.astype(np.intp)))) for each in weights])

    def _caller(self, predictions: Predictions, labels: "Floats") -> "Callable[[Indices], Floats]":
        """Calls the function for some of the rows."""
        truth, predicted = self._as_source(labels, predictions)
        probabilities = {PROBABILITY.format(one): predictions.values[:, at] for at, one in enumerate(self.classes)}
        seen = self.rows.assign(**probabilities)
        function = metric_function(self.name, self.metric)

        def call(chosen: "Indices") -> "Floats":
            try:
                with same_process():
                    returned = function(truth[chosen].copy(), predicted[chosen].copy(), seen.iloc[chosen].copy())
            except (Exception, SystemExit) as error:  # a team's code may raise anything
                why = clipped(error_text(error), _MAX_ERROR_CHARS)
                raise ConfigError(f"gate.metrics.{self.name}: {self.metric.function} raised {why}") from error
            return self._within_range(self._as_numbers(returned))

        return call

    def _within_range(self, values: "Floats") -> "Floats":
        """The values of rows, or the one number of a function, if they are within the range of the metric.

        Raises:
            ConfigError: One is outside of it, or no number.
        """
        import numpy as np

        if self.metric.range is None:
            return values
        low, high = self.metric.range
        outside = np.flatnonzero(~((values >= low) & (values <= high)))
        if not len(outside):
            return values
        of = f"row {outside[0] + 1:,} of {values.size:,}" if values.shape else "the rows together"
        more = f", as {counted(len(outside) - 1, 'other row')}" if len(outside) > 1 else ""
        remedy = (
            "let the function clip its values"
            if self.metric.function
            else f"drop the key, or limit the column {self.metric.times}"
        )
        raise ConfigError(
            f"gate.metrics.{self.name}: {of} has the value {number_text(float(values.flat[outside[0]]))}{more}, outside of range: "
            f"[{number_text(low)}, {number_text(high)}]; state the range that all rows have, or {remedy}"
        )

    def _as_numbers(self, returned: Any) -> "Floats":
        import numpy as np

        refusal = ConfigError(
            f"gate.metrics.{self.name}: {self.metric.function} returned a {type(returned).__name__} that is not a number; allowed: one number "
            "for each row, or one number"
        )
        if returned is None:  # NumPy would make NaN of it
            raise refusal
        try:
            return np.asarray(returned, dtype=float)
        except (TypeError, ValueError) as error:
            raise refusal from error

    def _as_source(self, labels: "Floats", predictions: Predictions) -> tuple[Any, Any]:
        """Labels and predictions as the team knows them: classes as text, or numbers."""
        import numpy as np

        if not self.classes:
            return labels, predictions.values
        names = np.array(self.classes, dtype=object)
        return names[labels.astype(np.intp)], names[predictions.predicted]
