"""Try the metrics of a team's own before anything is trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError, DataError
from taxiway.evaluation.metrics.own import OwnMetricFunction
from taxiway.evaluation.predictions import Predictions, positive_class, predictions_of
from taxiway.features.labels import true_labels
from taxiway.messages import counted
from taxiway.spec.gate import Gate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROWS = 1_000
_SURE = 0.9


def try_own_metrics(gate: Gate, rows: "pd.DataFrame", label: str, classes: Sequence[str]) -> None:
    """Compute the metrics of a team's own on a few rows, with predictions that are right and wrong.

    Args:
        gate: The `gate` section.
        rows: Training rows; the first 1,000 with a label are used.
        label: The label.
        classes: The classes; empty for a regression.

    Raises:
        ConfigError: A metric cannot be computed; a value that is not a finite number is not an error.
    """
    import numpy as np

    own = {name: gate.metrics[name] for name in gate.metrics_used if name in gate.metrics}
    few = rows[rows[label].notna()].head(_ROWS).reset_index(drop=True) if own else rows.head(0)
    if few.empty:
        return
    labels = true_labels(few[label], tuple(classes))
    by_row = {entry.metric for entry in gate.conditions}
    predictions, ones = _made_up(labels, classes), np.ones((1, len(few)))
    for name, metric in own.items():
        try:
            function = OwnMetricFunction(name, metric, classes, few)
            function(predictions, labels, ones)
            if name in by_row:
                function.by_row(predictions, labels)
        except (ConfigError, DataError) as error:
            raise ConfigError(
                f"{error}. Tried on {counted(len(few), 'training row')} with made-up predictions, before training",
                key=f"gate.metrics.{name}",
            ) from error


def _made_up(labels: "Floats", classes: Sequence[str]) -> Predictions:
    """As a prediction of each row, the label of the row before it."""
    import numpy as np

    guessed = np.roll(labels, 1)
    if not classes:
        return Predictions(guessed)
    values = np.full((len(labels), len(classes)), (1 - _SURE) / (len(classes) - 1))
    values[np.arange(len(labels)), guessed.astype(np.intp)] = _SURE
    return predictions_of(values, classes, classes, positive_class(classes))
