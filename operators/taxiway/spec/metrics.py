"""The names of the metrics, with the problem, direction and range of each."""

from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

Problem = Literal["classification", "regression"]


class MetricFacts(NamedTuple):
    """Facts about a metric.

    Attributes:
        problem: Classification or regression.
        sign: 1 if higher is better, -1 if lower is better.
        low: The smallest possible value.
        high: The largest possible value.
    """

    problem: Problem
    sign: int
    low: float
    high: float


METRIC_FACTS = {
    "accuracy": MetricFacts("classification", 1, 0.0, 1.0),
    "average_precision": MetricFacts("classification", 1, 0.0, 1.0),
    "brier": MetricFacts("classification", -1, 0.0, 1.0),
    "log_loss": MetricFacts("classification", -1, 0.0, inf),
    "mae": MetricFacts("regression", -1, 0.0, inf),
    "r2": MetricFacts("regression", 1, -inf, 1.0),
    "rmse": MetricFacts("regression", -1, 0.0, inf),
    "roc_auc": MetricFacts("classification", 1, 0.0, 1.0),
}

if TYPE_CHECKING:
    MetricName = str
else:
    MetricName = Literal[tuple(METRIC_FACTS)]


def metrics_of(problem: Problem) -> tuple[str, ...]:
    """The names of all metrics of a problem."""
    return tuple(name for name, facts in METRIC_FACTS.items() if facts.problem == problem)
