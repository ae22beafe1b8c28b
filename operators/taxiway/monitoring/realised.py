"""Realised performance: the metrics of a model on rows whose labels are known by now."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.metrics.deciding import deciding_rows, is_share
from taxiway.evaluation.metrics.few_rows import with_few_rows
from taxiway.evaluation.predictions import Predictions
from taxiway.records import Interval
from taxiway.spec.metrics import facts_of
from taxiway.stats.bootstrap import compare, within
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_RESAMPLED_ROWS = 100_000


def realised(metric: str, predictions: Predictions, labels: "Floats", classes: Sequence[str], confidence: float) -> Interval:
    """Compute a metric with the interval of `taxiway.stats.bootstrap`, which ends at the metric's possible values.

    It is wider if few rows decide the metric, see `taxiway.evaluation.metrics.few_rows`.

    Of more than 100,000 rows, a random part is resampled, and its standard error is scaled by the square root of the rows.

    Unlike that of an estimate, the interval is of the metric on all rows of which these are a sample.

    Args:
        metric: The name of the metric.
        predictions: What the model has predicted for the rows.
        labels: The labels: positions of classes, or numbers (n).
        classes: The classes; empty for a regression.
        confidence: The confidence level, such as 0.99.
    """
    import numpy as np

    facts, compute, rows = facts_of(metric), metric_of(metric, classes).compute, len(labels)

    def bounded(interval: Interval) -> Interval:
        deciding = deciding_rows(metric, predictions, labels, classes)
        wider = with_few_rows(interval, confidence, facts.low, facts.high, deciding, is_share_of_rows=is_share(metric))
        return within(wider, facts.low, facts.high)

    if rows <= _RESAMPLED_ROWS:
        return bounded(compare(compute, labels, predictions, None, confidence).candidate)
    part = np.random.default_rng(SEED).choice(rows, _RESAMPLED_ROWS, replace=False)
    of_part = compare(compute, labels[part], predictions.take(part), None, confidence).candidate
    value = float(compute(predictions, labels, np.ones((1, rows)))[0])
    margin = (of_part.high - of_part.low) / 2 * math.sqrt(_RESAMPLED_ROWS / rows)
    return bounded(Interval(value=value, low=value - margin, high=value + margin, rows=rows))
