"""The scores of baselines on the rows and with the code that the candidate is scored with."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from taxiway.evaluation.baselines.fit import FittedBaseline
from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.predictions import Predictions, predictions_of
from taxiway.features.encoding import predict_rows
from taxiway.messages import error_line
from taxiway.records import Baseline, BaselineModel, Interval, MetricValue
from taxiway.records.evaluation import BaselineName
from taxiway.spec.metrics import metric_key

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
Scored = Mapping[BaselineName, tuple[BaselineModel, Predictions]]
"""The baselines whose predictions could be made, by name."""


def score_baselines(
    baselines: Sequence[FittedBaseline], frame: "pd.DataFrame", classes: Sequence[str], positive: int | None
) -> Scored:
    """The predictions of baselines; one that cannot predict is left out with a warning.

    Args:
        baselines: The baselines.
        frame: The raw columns of the candidate, from `model_frame`.
        classes: All classes of the comparison; empty for a regression.
        positive: See `Predictions.positive`.
    """
    scored: dict[BaselineName, tuple[BaselineModel, Predictions]] = {}
    for baseline in baselines:
        name = baseline.record.name
        try:
            answers = predict_rows(baseline.predict, frame)
            scored[name] = (baseline.record, predictions_of(answers, baseline.classes, classes, positive, baseline.threshold))
        except Exception as error:  # of any library, about any rows
            _log.warning("the candidate is not compared with a %s model, which could not predict: %s", name, error_line(error))
    return scored


def baseline_results(
    scored: Scored, intervals: Sequence[tuple[Interval, Interval]], comparison: Comparison, metrics: Sequence[str]
) -> tuple[Baseline, ...]:
    """The records of baselines; without those whose interval cannot be computed.

    Args:
        scored: The baselines.
        intervals: The interval of the comparison metric for each of them, and that of candidate minus baseline.
        comparison: The rows and their labels.
        metrics: All metrics of the evaluation.
    """
    main = comparison.gate.comparison_metric
    others = [name for name in metrics if name != main]
    return tuple(
        Baseline(
            name=record.name,
            metric=main,
            score=score,
            difference=difference,
            others=_values(predictions, comparison, others),
            rows=record.rows,
        )
        for (record, predictions), (score, difference) in zip(scored.values(), intervals, strict=True)
        if all(map(math.isfinite, (score.value, score.low, score.high, difference.low, difference.high)))
    )


def baseline_metrics(baselines: Sequence[Baseline]) -> dict[str, float]:
    """The scores of baselines by their names in MLflow, such as `baseline.linear.roc_auc`."""
    return {
        f"baseline.{baseline.name}.{metric_key(metric)}": value
        for baseline in baselines
        for metric, value in [(baseline.metric, baseline.score.value), *((one.metric, one.value) for one in baseline.others)]
    }


def _values(predictions: Predictions, comparison: Comparison, metrics: Sequence[str]) -> tuple[MetricValue, ...]:
    """The metrics that can be computed for a baseline."""
    import numpy as np

    found, ones = [], np.ones((1, len(comparison.labels)))
    for name in metrics:
        try:
            value = float(comparison.metric(name)(predictions, comparison.labels, ones)[0])
        except Exception as error:  # a team's own metric may raise anything
            _log.warning("%s cannot be computed for a baseline: %s", name, error_line(error))
            continue
        if math.isfinite(value):
            found.append(MetricValue(metric=name, value=value))
    return tuple(found)
