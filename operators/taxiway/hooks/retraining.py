"""The assets of monitoring, and why a run that one of them has started trains again."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from taxiway.spec.base import RETRAIN
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext

ALERTS = "alerts"
"""The asset that is updated when a champion begins to predict worse."""


def asset_of(pipeline: Pipeline, kind: str) -> Asset:
    """The asset of a pipeline that is updated by monitoring: `alerts`, or `retrain` when the model is to be trained again."""
    return Asset(name=f"{pipeline.name}.{kind}", uri=f"taxiway://{pipeline.team}/{pipeline.pipeline}/{kind}")


def note_trigger(stage: "StageContext", context: "Context") -> None:
    """Note in the MLflow run why it trains again, if monitoring has started it."""
    from taxiway.stages.monitor.retraining import training_tags

    given: Any = context.get("triggering_asset_events") or {}
    events = given.get(asset_of(stage.pipeline, RETRAIN)) or ()
    extra = events[-1].extra if events else None
    if extra:
        stage.log.info("%s", extra.get("message"))
        stage.recorder.tags(training_tags(extra))
