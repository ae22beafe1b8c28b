"""Choose the decision threshold of a classifier of two classes.

Only the order of predicted probabilities and the cost of mistakes decide where to cut (Elkan, "The foundations of cost-sensitive
learning", IJCAI 2001), so the threshold is chosen on rows that the estimator was not fitted on.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.evaluation.metrics.by_name import Metric
from taxiway.evaluation.predictions import Predictions
from taxiway.features.labels import DECISION_THRESHOLD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST = 200


def choose_threshold(metric: Metric, probabilities: "Floats", labels: "Floats") -> float:
    """The threshold with the best value of a metric; of equally good ones the one nearest to 0.5.

    Args:
        metric: The metric.
        probabilities: The probabilities of both classes for held-out rows (n, 2).
        labels: The labels of these rows: 0 or 1 (n).
    """
    import numpy as np

    all_alike = np.ones((1, len(labels)))

    def value(at: float) -> float:
        predicted = (probabilities[:, 1] >= at).astype(np.intp)
        return metric.sign * float(metric.compute(Predictions(probabilities, predicted, 1), labels, all_alike)[0])

    found = {at: value(at) for at in candidates(probabilities[:, 1])}
    defined = {at: value for at, value in found.items() if np.isfinite(value)}
    if not defined:
        return DECISION_THRESHOLD
    best = max(defined.values())
    return min((at for at, value in defined.items() if value == best), key=lambda at: abs(at - DECISION_THRESHOLD))


def candidates(probabilities: "Floats") -> Sequence[float]:
    """Thresholds between neighbouring probabilities: all, or 200 evenly spaced ones, and 0.5."""
    import numpy as np

    distinct = np.unique(probabilities)
    between = (distinct[1:] + distinct[:-1]) / 2
    if len(between) > _MOST:
        between = between[np.linspace(0, len(between) - 1, _MOST).astype(int)]
    inside = between[(between > 0) & (between < 1)]
    return [*inside.tolist(), DECISION_THRESHOLD]
