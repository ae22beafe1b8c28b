"""The learning curve of a training: how good models are that are trained on parts of its rows."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taxiway.messages import counted, decimal_texts
from taxiway.records import Candidate, FeatureSet, LearningCurve
from taxiway.spec.metrics import metric_key
from taxiway.spec.monitor import default_metric
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source.selection import Split
from taxiway.stages.context import StageContext

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from taxiway.store import StageKey
    from taxiway.training.learning_curve.parts import NotMeasured
    from taxiway.training.learning_curve.predictions import PredictedBySize

    Floats = NDArray[np.float64]


def wants_learning_curve(context: StageContext) -> bool:
    """Whether the pipeline has `monitor.retrain.learning_curve`."""
    section = context.pipeline.monitor
    return section is not None and section.retrain is not None and section.retrain.learning_curve


def learning_curve(
    context: StageContext, features: FeatureSet, replaced: Mapping[str, Any], candidate: Candidate, key: "StageKey"
) -> LearningCurve | None:
    """Measure the learning curve, and record it.

    It is cached, so a retry does not measure it again.

    Args:
        context: The run.
        features: The training rows.
        replaced: Parameters that replace those of `model.params`.
        candidate: The version that was trained on all rows.
        key: The key of that version.

    Returns:
        The curve; None if it could not be measured, and the log says why.
    """
    from taxiway.store.cache import keep, made_before
    from taxiway.training.learning_curve.parts import NotMeasured
    from taxiway.training.learning_curve.predictions import predicted_by_size

    section = context.pipeline.monitor
    metric = (section and section.metric) or default_metric(len(features.classes))
    group_by = group_column(context.pipeline)
    params = {**key.params, "metric": metric, "threshold": candidate.threshold, **({"group_by": group_by} if group_by else {})}
    ours = replace(key, stage="learning_curve", params=params)
    found = made_before(context.store, ours, LearningCurve)
    if found is None:
        started = time.monotonic()
        predicted = predicted_by_size(features, context.pipeline.model, replaced, store=context.store, group_by=group_by)
        measured = (
            predicted if isinstance(predicted, NotMeasured) else _scored(features, metric, candidate.threshold, predicted)
        )
        if isinstance(measured, NotMeasured):
            context.log.warning("the learning curve is not known: %s", measured.reason)
            return None
        found = measured
        keep(context.store, ours, found)
        context.recorder.metrics({"learning_curve.seconds": time.monotonic() - started})
    _record(context, found, group_by)
    return found


def group_column(pipeline: Pipeline) -> str | None:
    """The column whose values say which training rows belong together: that of `source.split.by`, else of `gate.group_by`."""
    split = pipeline.source.split
    return (split.by if isinstance(split, Split) else None) or pipeline.gate.group_by


def _record(context: StageContext, curve: LearningCurve, group_by: str | None) -> None:
    """Record the curve, and log its points and what twice as many rows would gain."""
    from taxiway.monitoring.retraining.expected_gain import ExpectedGain, interval_text
    from taxiway.monitoring.retraining.learning_curve import gain_of_rows

    by_size = dict(zip(curve.sizes, curve.values, strict=True))
    context.recorder.record(curve)
    context.recorder.history({f"learning_curve.{metric_key(curve.metric)}": by_size})
    texts = zip(decimal_texts(*curve.values), curve.sizes, strict=True)
    points = ", ".join(f"{value} with {counted(rows, 'row')}" for value, rows in texts)
    twice = gain_of_rows(curve, curve.rows)
    gain = (
        f"twice as many training rows would gain {interval_text(twice.value, twice.low, twice.high)}"
        if isinstance(twice, ExpectedGain)
        else f"what more rows would gain is not known: the curve {twice.reason}"
    )
    held_out = f"{curve.held_out:,} held-out training rows{f' of whole groups by {group_by}' if group_by else ''}"
    context.log.info("learning curve: %s of %s: %s; %s", curve.metric, held_out, points, gain)


def _scored(
    features: FeatureSet, metric: str, threshold: float | None, predicted: "PredictedBySize"
) -> "LearningCurve | NotMeasured":
    """The values and covariances of the metric; why not, if fewer than two are defined."""
    import numpy as np

    from taxiway.evaluation.metrics import metric_of
    from taxiway.evaluation.predictions import positive_class, predictions_of
    from taxiway.stats.bootstrap import covariances
    from taxiway.training.learning_curve.parts import MIN_SIZES, NotMeasured

    classes = features.classes
    sides = [predictions_of(answers, classes, classes, positive_class(classes), threshold) for answers in predicted.answers]
    values, between = covariances(metric_of(metric, classes).compute, predicted.labels, sides, predicted.groups)
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(np.diag(between)))
    if len(known) < MIN_SIZES:
        unknown = len(sides) - len(known)
        return NotMeasured(f"{metric} of the held-out rows, or its error, is not a number for {unknown} of {len(sides)} models")
    return LearningCurve(
        features=features.digest,
        metric=metric,
        rows=features.row_count,
        held_out=len(predicted.labels),
        sizes=tuple(predicted.sizes[at] for at in known),
        values=tuple(float(values[at]) for at in known),
        covariances=tuple(tuple(float(each) for each in between[at][known]) for at in known),
    )
