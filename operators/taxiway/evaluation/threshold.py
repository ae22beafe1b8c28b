"""Choose the decision threshold of a classifier of two classes.

Only the order of predicted probabilities and the cost of mistakes decide where to cut (Elkan, "The foundations of cost-sensitive
learning", IJCAI 2001), so the threshold is chosen on rows that the estimator was not fitted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.evaluation.metrics.by_name import Metric, metric_of
from taxiway.evaluation.metrics.own import OwnMetricFunction
from taxiway.evaluation.predictions import Predictions
from taxiway.features.labels import DECISION_THRESHOLD
from taxiway.spec.model.threshold import ChosenThreshold
from taxiway.spec.own_metric import OwnMetric
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_CANDIDATES = 200


@dataclass(frozen=True)
class ThresholdRule:
    """How the decision threshold of a model is found: of a candidate, of the trials of a sweep, and of the baselines.

    Attributes:
        given: `model.threshold`: a probability, how to choose one, or None for 0.5.
        costs: The costs by which it is chosen; None if it is not.
    """

    given: float | ChosenThreshold | None = None
    costs: OwnMetric | None = None

    @classmethod
    def of(cls, pipeline: Pipeline) -> "ThresholdRule":
        """The rule of a pipeline."""
        return cls(pipeline.model.threshold, pipeline.threshold_costs)

    def key(self) -> dict[str, Any]:
        """What the threshold depends on besides the predictions, for the keys of stages."""
        given = self.given.model_dump(mode="json") if isinstance(self.given, ChosenThreshold) else self.given
        return {"threshold": given, "costs": self.costs.model_dump(mode="json") if self.costs else None}

    def threshold(self, classes: Sequence[str], probabilities: "Floats", labels: "Floats") -> float | None:
        """The decision threshold of a model; None for 0.5, also if it is to be chosen and no threshold is better than another.

        Args:
            classes: The two classes of the model.
            probabilities: Its probabilities for rows that it was not fitted on (n, 2). They count only if a threshold is chosen.
            labels: The labels of these rows: 0 or 1 (n).
        """
        import pandas as pd

        if not isinstance(self.given, ChosenThreshold):
            return self.given
        metric = (
            Metric(self.given.by, -1, OwnMetricFunction(self.given.by, self.costs, classes, pd.DataFrame()))
            if self.costs is not None
            else metric_of(self.given.by, classes)
        )
        return choose_threshold(metric, probabilities, labels)


def choose_threshold(metric: Metric, probabilities: "Floats", labels: "Floats") -> float | None:
    """The threshold with the best value of a metric, of equally good ones the one nearest to 0.5; None if all are equally good.

    Args:
        metric: The metric.
        probabilities: The probabilities of both classes for held-out rows (n, 2).
        labels: The labels of these rows: 0 or 1 (n).
    """
    import numpy as np

    equal_weights = np.ones((1, len(labels)))

    def score_at(threshold: float) -> float:
        predicted = (probabilities[:, 1] >= threshold).astype(np.intp)
        return metric.direction * float(metric.compute(Predictions(probabilities, predicted, 1), labels, equal_weights)[0])

    scores = {threshold: score_at(threshold) for threshold in candidates(probabilities[:, 1])}
    defined = {threshold: score for threshold, score in scores.items() if np.isfinite(score)}
    if len(set(scores.values())) == 1 or not defined:
        return None
    best = max(defined.values())
    equally_good = (threshold for threshold, score in defined.items() if score == best)
    return min(equally_good, key=lambda threshold: abs(threshold - DECISION_THRESHOLD))


def candidates(probabilities: "Floats") -> Sequence[float]:
    """Thresholds between neighbouring probabilities, 0 and 1: all, or 200 evenly spaced ones, and 0.5.

    The first predicts the second class for all rows whose probability is above 0, and the last one for none whose is below 1, which
    can be best by costs.
    """
    import numpy as np

    distinct = np.unique([0, *probabilities, 1])
    between = (distinct[1:] + distinct[:-1]) / 2
    if len(between) > _MAX_CANDIDATES:
        between = between[np.linspace(0, len(between) - 1, _MAX_CANDIDATES).astype(int)]
    inside = between[(between > 0) & (between < 1)]
    return [*inside.tolist(), DECISION_THRESHOLD]
