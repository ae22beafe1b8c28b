"""The assets of monitoring, and why a run that one of them has started trains again."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from taxiway.spec.base import RETRAIN
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from taxiway.spec.action import Action
    from taxiway.stages.context import StageContext

ALERTS = "alerts"
"""The asset that is updated when a champion begins to predict worse."""


def asset_of(pipeline: Pipeline, kind: str) -> Asset:
    """The asset of a pipeline that is updated by monitoring: `alerts`, or `retrain` when the model is to be trained again."""
    return Asset(name=f"{pipeline.name}.{kind}", uri=f"taxiway://{pipeline.team}/{pipeline.pipeline}/{kind}")


def note_trigger(stage: "StageContext", context: "Context") -> None:
    """Note in the MLflow run why it trains again and what it does, if monitoring has started it."""
    from taxiway.stages.monitor.retraining import training_tags

    decision = _decision(stage.pipeline, context)
    if decision:
        stage.log.info("%s", decision.get("message"))
        stage.recorder.tags(training_tags(decision))


def action_of(pipeline: Pipeline, context: "Context") -> "Action | None":
    """What a DAG run does that monitoring has started; None for another run."""
    from taxiway.stages.monitor.retraining import action_in

    decision = _decision(pipeline, context) if pipeline.monitor is not None else None
    return action_in(decision) if decision else None


def _decision(pipeline: Pipeline, context: "Context") -> "Mapping[str, Any] | None":
    """The newest decision to train again by which a DAG run was started."""
    given: Any = context.get("triggering_asset_events") or {}
    events = given.get(asset_of(pipeline, RETRAIN)) or ()
    found: Mapping[str, Any] | None = events[-1].extra if events else None
    return found
