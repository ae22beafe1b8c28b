"""Metrics by their names in pipeline files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from taxiway.evaluation.metrics import labels, numbers, probabilities
from taxiway.evaluation.predictions import Predictions
from taxiway.spec.metrics import METRIC_FACTS, ParsedMetric, parse_metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MetricFunction = Callable[[Predictions, "Floats", "Floats"], "Floats"]


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: Its name in the pipeline file, with its parameter.
        direction: 1 if higher is better, -1 if lower is better.
        compute: The function of predictions, labels and weights.
    """

    name: str
    direction: int
    compute: MetricFunction


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        labels.accuracy,
        labels.balanced_accuracy,
        labels.f1,
        labels.f1_macro,
        labels.f1_weighted,
        labels.matthews_corrcoef,
        labels.precision,
        labels.recall,
        numbers.mae,
        numbers.mape,
        numbers.pinball_loss,
        numbers.r2,
        numbers.rmse,
        numbers.smape,
        probabilities.average_precision,
        probabilities.brier,
        probabilities.clipped_log_loss,
        probabilities.expected_calibration_error,
        probabilities.log_loss,
        probabilities.roc_auc,
        probabilities.top_k_accuracy,
    )
}
assert FUNCTIONS.keys() == METRIC_FACTS.keys()


def metric_of(name: str, classes: Sequence[str] = ()) -> Metric:
    """A metric by its name.

    Args:
        name: Its name in the pipeline file, with its parameter.
        classes: The classes of the predictions; empty for a regression.

    Raises:
        ValueError: There is no such metric, or it is of a class that is not one of these.
    """
    parsed = parse_metric(name)
    return Metric(name, parsed.facts.direction, partial(FUNCTIONS[parsed.name], **arguments_of(parsed, classes)))


def arguments_of(parsed: ParsedMetric, classes: Sequence[str]) -> dict[str, Any]:
    """The arguments of the function of a metric that its parameter gives, for these classes."""
    if parsed.parameter is None:
        return {}
    if parsed.parameter == "class":
        return {"of": classes.index(parsed.value)}
    return {parsed.parameter: int(parsed.value) if parsed.parameter == "k" else float(parsed.value)}
