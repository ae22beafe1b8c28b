"""The learning curve that the last training of a pipeline measured."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.monitoring.retraining.learning_curve import MeasuredCurve, Unknown
from taxiway.records import LearningCurve, Snapshot
from taxiway.records.data import span_order
from taxiway.spec.monitor.action import Spans
from taxiway.spec.source import FileSource
from taxiway.spec.source.span_pattern import pattern_in_file
from taxiway.stages.context import StageContext
from taxiway.store import LOST
from taxiway.tracking import tags
from taxiway.tracking.run import refs_of

if TYPE_CHECKING:
    from mlflow.entities import Run


def measured_curve(context: StageContext, runs: "Sequence[Run]", metric: str) -> MeasuredCurve | Unknown | None:
    """The learning curve of the last training.

    Args:
        context: The run.
        runs: The MLflow runs of the trainings, oldest first, at least one.
        metric: The metric.

    Returns:
        The curve, or why it does not count; None if the last training was to measure none.
    """
    run = runs[-1]
    digests = {ref.record: ref.digest for ref in refs_of(run.data.tags)}
    try:
        curve = context.store.get(LearningCurve, digests[LearningCurve.__name__])
        snapshot = context.store.get(Snapshot, digests[Snapshot.__name__])
    except KeyError:
        section = context.pipeline.monitor
        is_wanted = section is not None and section.retrain is not None and section.retrain.learning_curve
        return Unknown(_why_none(run)) if is_wanted else None
    except LOST:
        return Unknown("is lost: its record cannot be read from the store")
    if curve.metric != metric:
        return Unknown(f"is of the metric {curve.metric}, and {metric} is monitored")
    newest, window = max(runs, key=_span), _window(context)
    if window != "all" and _span(run) < _span(newest):  # a source that is one span has no older one
        names = f"{run.data.tags.get(tags.SPAN)}, and not on the newest one, {newest.data.tags.get(tags.SPAN)}"
        return Unknown(f"does not show it: that one was on span {names}")
    action, spans = json.loads(run.data.tags.get(tags.ACTION) or "{}"), len(snapshot.training)
    before = action.get("window", window)
    has_all = before == "all" or (before is not None and spans < before)
    return MeasuredCurve(curve, window, spans, has_all, _trained_share(snapshot), is_filtered=snapshot.rows is not None)


def _span(run: "Run") -> tuple[int, ...]:
    """The sort key of the span that a training was on; of one that failed before it read a span, before all others."""
    return span_order(run.data.tags.get(tags.SPAN) or "")


def _why_none(run: "Run") -> str:
    if json.loads(run.data.tags.get(tags.ACTION) or "{}").get("action") == "recalibrate":
        return "is missing, because it recalibrated the model"
    return "is missing: it failed, or the log of its task train has the reason"


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
