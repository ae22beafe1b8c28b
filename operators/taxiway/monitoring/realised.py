"""Realised performance: the metrics of a model on rows whose labels are known by now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.predictions import Predictions
from taxiway.records import Interval
from taxiway.spec.metrics import facts_of
from taxiway.stats.bootstrap import compare, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def realised(metric: str, predictions: Predictions, labels: "Floats", classes: Sequence[str], confidence: float) -> Interval:
    """Compute a metric with the interval of `taxiway.stats.bootstrap`, which ends at the metric's possible values.

    Unlike that of an estimate, the interval is of the metric on all rows of which these are a sample.

    Args:
        metric: The name of the metric.
        predictions: What the model has predicted for the rows.
        labels: The labels: positions of classes, or numbers (n).
        classes: The classes; empty for a regression.
        confidence: The confidence level, such as 0.99.
    """
    facts = facts_of(metric)
    found = compare(metric_of(metric, classes).compute, labels, predictions, None, confidence).candidate
    return within(found, facts.low, facts.high)
