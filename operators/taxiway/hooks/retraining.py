"""The assets of monitoring, and why a run that one of them has started trains again."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from taxiway.spec.base import RETRAIN
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from taxiway.records import Promotion
    from taxiway.spec.monitor.action import Action
    from taxiway.stages.context import StageContext

ALERTS = "alerts"
"""The asset that is updated when a champion begins to predict worse."""
CHAMPION = "champion"
"""The asset that is updated when another version has become champion."""


def asset_of(pipeline: Pipeline, kind: str) -> Asset:
    """An asset of a pipeline: `champion`, or one that monitoring updates: `alerts`, or `retrain` when the model is to be trained again."""
    return Asset(name=f"{pipeline.name}.{kind}", uri=f"taxiway://{pipeline.team}/{pipeline.pipeline}/{kind}")


def note_trigger(stage: "StageContext", context: "Context") -> None:
    """Note in the MLflow run why it trains again and what it does, if monitoring has started it."""
    from taxiway.stages.monitor.retraining import training_tags

    decision = _decision(stage.pipeline, context)
    if decision:
        stage.log.info("%s", decision.get("message") or "started by an event without a reason")
        stage.recorder.tags(training_tags(decision))


def action_of(pipeline: Pipeline, context: "Context") -> "Action | None":
    """What a DAG run does that monitoring has started; None for another run."""
    from taxiway.stages.monitor.retraining import action_of_policy

    decision = _decision(pipeline, context) if pipeline.monitor is not None else None
    return action_of_policy(decision, pipeline.monitor.actions) if decision and pipeline.monitor is not None else None


def _decision(pipeline: Pipeline, context: "Context") -> "Mapping[str, Any] | None":
    """The newest decision to train again by which a DAG run was started."""
    given: Any = context.get("triggering_asset_events") or {}
    events = given.get(asset_of(pipeline, RETRAIN)) or ()
    found: Mapping[str, Any] | None = events[-1].extra if events else None
    return found


def promotion_evidence(promotion: "Promotion") -> dict[str, Any]:
    """The content of an event of the asset `champion`."""
    before = promotion.from_version or "none"
    return {
        "message": f"version {promotion.to_version} of {promotion.model} is champion; before: {before}; {promotion.reason}",
        "version": promotion.to_version,
        "before": promotion.from_version,
        "by": promotion.by,
    }


def started_by(context: "Context") -> str:
    """What has started a DAG run, in a sentence with the evidence of the newest events."""
    given: Any = context.get("triggering_asset_events") or {}
    updated = [_event_text(asset, events[-1]) for asset, events in given.items() if events]
    if updated:
        return "; ".join(updated)
    run: Any = context["dag_run"]
    kind = getattr(run.run_type, "value", run.run_type)
    if kind == "scheduled":
        return f"the schedule, for {run.logical_date:%Y-%m-%d %H:%M} UTC" if run.logical_date else "the schedule"
    user = getattr(run, "triggering_user_name", None)
    return f"{kind} run{f' by {user}' if user else ''}"


def _event_text(asset: Any, event: Any) -> str:
    evidence = (event.extra or {}).get("message")
    return f"the asset {asset.name} was updated{f': {evidence}' if evidence else ''}"
