"""Metrics of a team's own: a function in its folder, or a table of costs."""

import contextlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.evaluation.metrics.weighted import mean
from taxiway.evaluation.predictions import Predictions
from taxiway.messages import clipped, error_text
from taxiway.models.row_model import PROBABILITY
from taxiway.spec.own_metric import OwnMetric
from taxiway.spec.python_refs import look_up, same_process

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_ERROR_CHARS = 500


def metric_function(name: str, metric: OwnMetric) -> Any:
    """The function of a metric.

    Args:
        name: The name of the metric.
        metric: Its definition, which has a function.

    Raises:
        ConfigError: The function does not exist, or cannot be called with three arguments.
    """
    key = f"gate.metrics.{name}"
    function = look_up(str(metric.function), ":", key)
    try:
        with contextlib.suppress(ValueError):  # some functions written in C do not say what they take
            inspect.signature(function).bind(None, None, None)
    except TypeError as error:
        raise ConfigError(
            f"{key}: {metric.function} cannot be called with (y_true, y_pred, rows): {error}; allowed: a function of three arguments, the "
            "labels, the predictions and the rows",
            key=key,
        ) from error
    return function


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
            ConfigError: The function raises an error, or returns something else than numbers.
            DataError: The rows do not have the column `times`, or a row has no number in it.
        """
        if self.metric.costs:
            return mean(self.costs(predictions, labels), weights)
        return self._of_function(predictions, labels, weights)

    def costs(self, predictions: Predictions, labels: "Floats") -> "Floats":
        """The cost of each row, of a metric with `costs`.

        Raises:
            DataError: See `__call__`.
        """
        import numpy as np

        table = np.zeros((len(self.classes), len(self.classes)))
        for label, costs in self.metric.costs.items():
            for predicted, cost in costs.items():
                if label in self.classes and predicted in self.classes:  # a class may be missing in a window
                    table[self.classes.index(label), self.classes.index(predicted)] = cost
        assert predictions.predicted is not None
        each: Floats = table[labels.astype(np.intp), predictions.predicted]
        return each if self.metric.times is None else each * self._column(self.metric.times)

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

        function = metric_function(self.name, self.metric)
        truth, predicted = self._as_source(labels, predictions)
        probabilities = {PROBABILITY.format(one): predictions.values[:, at] for at, one in enumerate(self.classes)}
        seen = self.rows.assign(**probabilities)

        def call(chosen: Any) -> Any:
            try:
                with same_process():
                    returned = function(truth[chosen].copy(), predicted[chosen].copy(), seen.iloc[chosen].copy())
            except (Exception, SystemExit) as error:  # a team's code may raise anything
                why = clipped(error_text(error), _MAX_ERROR_CHARS)
                raise ConfigError(f"gate.metrics.{self.name}: {self.metric.function} raised {why}") from error
            return self._as_numbers(returned)

        everything = np.arange(len(labels))
        found = call(everything)
        if found.shape == labels.shape:
            return mean(found, weights)
        if found.shape != ():
            raise ConfigError(
                f"gate.metrics.{self.name}: {self.metric.function} returned an array of the shape {found.shape} for {len(labels):,} rows; "
                "allowed: one number for each row, or one number"
            )
        return np.array([float(call(np.repeat(everything, each.astype(np.intp)))) for each in weights])

    def _as_numbers(self, returned: Any) -> "Floats":
        import numpy as np

        refusal = ConfigError(
            f"gate.metrics.{self.name}: {self.metric.function} returned a {type(returned).__name__} that is no number; allowed: one number "
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
