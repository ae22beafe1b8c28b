"""Metrics of a team's own: a function in its folder, or a table of costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.evaluation.metrics.weighted import mean
from taxiway.evaluation.predictions import Predictions
from taxiway.features.row_model import PROBABILITY
from taxiway.messages import clipped
from taxiway.spec.own_metric import OwnMetric
from taxiway.spec.python_refs import look_up

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_ERROR = 500


def own_metric(
    name: str,
    metric: OwnMetric,
    classes: Sequence[str],
    rows: "pd.DataFrame",
    predictions: Predictions,
    labels: "Floats",
    weights: "Floats",
) -> "Floats":
    """A metric of `gate.metrics`, for each replicate of the weights.

    Args:
        name: Its name.
        metric: Its definition.
        classes: All classes; empty for a regression.
        rows: The evaluation rows (n).
        predictions: The predictions for them.
        labels: Their labels: positions of classes, or numbers.
        weights: How often each row is drawn (replicates, n).

    Raises:
        ConfigError: The function raises an error, or returns something else than numbers.
        DataError: The rows do not have the column `times`, or a row has no number in it.
    """
    if metric.costs:
        return mean(_costs(name, metric, classes, rows, predictions, labels), weights)
    return _of_function(name, metric, classes, rows, predictions, labels, weights)


def _costs(
    name: str,
    metric: OwnMetric,
    classes: Sequence[str],
    rows: "pd.DataFrame",
    predictions: Predictions,
    labels: "Floats",
) -> "Floats":
    """The cost of each row."""
    import numpy as np

    table = np.zeros((len(classes), len(classes)))
    for label, costs in metric.costs.items():
        for predicted, cost in costs.items():
            if label in classes and predicted in classes:  # a class may be missing in a window
                table[classes.index(label), classes.index(predicted)] = cost
    assert predictions.predicted is not None
    each: Floats = table[labels.astype(np.intp), predictions.predicted]
    return each if metric.times is None else each * _column(name, metric.times, rows)


def _column(name: str, column: str, rows: "pd.DataFrame") -> "Floats":
    import numpy as np
    import pandas as pd

    if column not in rows:
        raise DataError(
            f'gate.metrics.{name}.times is "{column}", missing in the evaluation rows; {allowed_values(column, rows.columns)}'
        )
    numbers: Floats = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=float)
    missing = int((~np.isfinite(numbers)).sum())
    if missing:
        raise DataError(f"gate.metrics.{name}.times: {column} is not a number in {missing:,} of {len(rows):,} evaluation rows")
    return numbers


def _of_function(
    name: str,
    metric: OwnMetric,
    classes: Sequence[str],
    rows: "pd.DataFrame",
    predictions: Predictions,
    labels: "Floats",
    weights: "Floats",
) -> "Floats":
    import numpy as np

    function = look_up(str(metric.function), ":", f"gate.metrics.{name}")
    truth, predicted = _as_source(classes, labels, predictions)
    seen = rows.assign(**{PROBABILITY.format(one): predictions.values[:, at] for at, one in enumerate(classes)})

    def call(chosen: Any) -> Any:
        try:
            returned = function(truth[chosen].copy(), predicted[chosen].copy(), seen.iloc[chosen].copy())
        except (Exception, SystemExit) as error:  # a team's code may raise anything
            why = clipped(f"{type(error).__name__}: {error}", _MAX_ERROR)
            raise ConfigError(f"gate.metrics.{name}: {metric.function} raised {why}") from error
        try:
            if returned is not None:
                return np.asarray(returned, dtype=float)
        except (TypeError, ValueError):
            pass
        raise ConfigError(
            f"gate.metrics.{name}: {metric.function} returned a {type(returned).__name__} that is no number; allowed: one number for each row, "
            "or one number"
        )

    everything = np.arange(len(labels))
    found = call(everything)
    if found.shape == labels.shape:
        return mean(found, weights)
    if found.shape != ():
        raise ConfigError(
            f"gate.metrics.{name}: {metric.function} returned an array of the shape {found.shape} for {len(labels):,} rows; allowed: one "
            "number for each row, or one number"
        )
    return np.array([float(call(np.repeat(everything, each.astype(np.intp)))) for each in weights])


def _as_source(classes: Sequence[str], labels: "Floats", predictions: Predictions) -> tuple[Any, Any]:
    """Labels and predictions as the team knows them: classes as text, or numbers."""
    import numpy as np

    if not classes:
        return labels, predictions.values
    names = np.array(classes, dtype=object)
    return names[labels.astype(np.intp)], names[predictions.predicted]
