"""Estimated performance of a classifier on rows without labels, from its probabilities.

Confidence-based performance estimation (CBPE) as in NannyML: a row of which the second class has the calibrated probability 0.7 counts
as 0.7 rows of this class and 0.3 rows of the first. All metrics are those of `taxiway.evaluation.metrics` with these weights.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.predictions import Predictions
from taxiway.records import Interval
from taxiway.spec.metrics import facts_of
from taxiway.stats.bootstrap import standard_interval, within
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONDITION = (
    "The estimate holds as long as rows with the same probability have each class as often as among the reference rows. It sees rows that "
    "are harder for the model. It does not see that the relation of features and label has changed (concept drift), and after a drift of "
    "features it can be less exact than its interval says. Only labels show either."
)
"""When the estimates of this module hold, for people."""
_SIMULATIONS = 200
_SIMULATED_CELLS = 100_000
_BATCH_CELLS = 2_000_000
_MAX_NUMBERS = 100_000_000


def estimated(
    metric: str, predictions: Predictions, probabilities: "Floats", classes: Sequence[str], confidence: float
) -> Interval:
    """Estimate a metric of a classifier.

    The value is the metric of the expected confusion matrix; for `roc_auc` and `average_precision`, of the expected rows of each class
    at each threshold. For metrics that are means of rows, such as `accuracy` and `log_loss`, it is the expected value; for ratios, it
    differs from it by a term that decreases as 1/n.

    The interval is where the metric of these rows will be when their labels are known, if the condition holds. Its standard error comes
    from 200 simulations of the labels with a fixed seed. They use at most 100,000 cells (rows times classes): of more, a random part is
    simulated, and the standard error is scaled by the square root of the rows. It does not contain the error of the calibration, so the
    reference rows should be several times as many as these. Of NannyML's car loans, all 99% intervals contain the realised metric before
    the features drift; after it, those of `roc_auc`, `accuracy`, `f1` and `log_loss` do in all of five chunks, those of `precision` in
    two, and those of `recall` in none.

    Args:
        metric: The name of the metric of a classification.
        predictions: What the model has predicted for the rows.
        probabilities: The calibrated probabilities of the classes (n, classes); see `Calibration.probabilities`.
        classes: The classes.
        confidence: The confidence level, such as 0.99.

    Returns:
        The estimate; NaN bounds if the metric cannot be computed in some simulation, as without a row of a class.

    Raises:
        DataError: There are too many rows for so many classes.
    """
    import numpy as np

    rows, count = probabilities.shape
    if rows * count**2 > _MAX_NUMBERS:
        most = _MAX_NUMBERS // count**2
        raise DataError(
            f"{metric} of {rows:,} rows with {count:,} classes needs too much memory; allowed: at most {most:,} rows"
        )
    facts, compute = facts_of(metric), metric_of(metric, classes).compute
    value = expected(metric, predictions, probabilities, classes)
    rng = np.random.default_rng(SEED)
    simulated = min(rows, max(1, _SIMULATED_CELLS // count))
    some = rng.choice(rows, simulated, replace=False)
    labelled = _cells(predictions.take(some), count)
    draws = np.concatenate([compute(*labelled, weights) for weights in _simulations(probabilities[some], rng)])
    error = float(np.std(draws, ddof=1)) * math.sqrt(simulated / rows)
    return within(standard_interval(value, error, confidence, rows), facts.low, facts.high)


def expected(metric: str, predictions: Predictions, probabilities: "Floats", classes: Sequence[str]) -> float:
    """The value of `estimated` without its interval."""
    cells = _cells(predictions, probabilities.shape[1])
    return float(metric_of(metric, classes).compute(*cells, probabilities.reshape(1, -1))[0])


def _cells(predictions: Predictions, count: int) -> "tuple[Predictions, Floats]":
    """Each row once for each class, and that class as its label."""
    import numpy as np

    rows = len(predictions.values)
    return predictions.take(np.repeat(np.arange(rows), count)), np.tile(np.arange(count, dtype=float), rows)


def _simulations(probabilities: "Floats", rng: "np.random.Generator") -> "Iterator[Floats]":
    """Simulated labels as weights, in batches (simulations, cells): 1 for the class that is drawn for a row, else 0."""
    import numpy as np

    ends = np.cumsum(probabilities, axis=1)
    ends[:, -1] = np.inf  # each row has a class, however its probabilities are rounded
    starts = np.hstack([np.zeros((len(ends), 1)), ends[:, :-1]])
    each = min(_SIMULATIONS, max(1, _BATCH_CELLS // probabilities.size))
    for first in range(0, _SIMULATIONS, each):
        drawn = rng.random((min(each, _SIMULATIONS - first), len(ends), 1))
        yield ((starts <= drawn) & (drawn < ends)).reshape(len(drawn), -1).astype(float)
