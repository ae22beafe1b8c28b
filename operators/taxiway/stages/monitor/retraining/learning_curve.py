"""The learning curve that the last training of a pipeline measured."""

import json
from typing import TYPE_CHECKING

from taxiway.monitoring.retraining.learning_curve import MeasuredCurve
from taxiway.records import LearningCurve, Snapshot
from taxiway.spec.monitor.action import Spans
from taxiway.spec.source import FileSource
from taxiway.spec.source.span_pattern import pattern_in_file
from taxiway.stages.context import StageContext
from taxiway.store import LOST
from taxiway.tracking import tags
from taxiway.tracking.run import refs_of

if TYPE_CHECKING:
    from mlflow.entities import Run


def measured_curve(context: StageContext, run: "Run", metric: str) -> MeasuredCurve | None:
    """The learning curve of a training.

    Args:
        context: The run.
        run: The MLflow run of the training.
        metric: The metric.

    Returns:
        The curve; None if there is none of this metric, or if a record is lost.
    """
    digests = {ref.record: ref.digest for ref in refs_of(run.data.tags)}
    try:
        curve = context.store.get(LearningCurve, digests[LearningCurve.__name__])
        snapshot = context.store.get(Snapshot, digests[Snapshot.__name__])
    except (KeyError, *LOST):
        return None
    if curve.metric != metric:
        return None
    action, window, spans = json.loads(run.data.tags.get(tags.ACTION) or "{}"), _window(context), len(snapshot.training)
    before = action.get("window", window)
    has_all = before == "all" or (before is not None and spans < before)
    return MeasuredCurve(curve, window, spans, has_all, _trained_share(snapshot), is_filtered=snapshot.rows is not None)


def _trained_share(snapshot: Snapshot) -> float:
    """The share of labelled rows that the training has got, by its sample and its split."""
    sampled = snapshot.sample.fraction if snapshot.sample is not None else 1.0
    return sampled * (1 - snapshot.split.evaluation if snapshot.split is not None else 1.0)


def _window(context: StageContext) -> Spans | None:
    """How many spans a training reads by the pipeline file; `all` of a source that is one span, which grows."""
    source = context.pipeline.source
    if isinstance(source, FileSource) and pattern_in_file(source.spans).is_one_span:
        return "all"
    return source.window if isinstance(source.window, int) else None
