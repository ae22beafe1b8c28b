"""The schedule of a DAG: none, cron, or when a new span arrives; of a scoring also by an asset."""

from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from taxiway.hooks.config import poll_seconds
from taxiway.hooks.retraining import asset_of
from taxiway.hooks.sources import located_source
from taxiway.spec.base import NEW_SPAN, RETRAIN
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.scoring import AssetSchedule, Scoring
from taxiway.spec.source import Source, SqlSource


def schedule_of(pipeline: Pipeline) -> Any:
    """The value of the DAG's `schedule` argument.

    With `new_span` the DAG runs when the oldest span without a decision changes, and again while that span has none. The event only
    starts the run: ingest decides what to read, and skips the run if there is nothing to do. A source with a query for versions also
    runs by the clock, because only a run asks its database for corrected rows.
    """
    if pipeline.schedule == RETRAIN:
        return [asset_of(pipeline, RETRAIN)]
    if pipeline.schedule != NEW_SPAN:
        return pipeline.schedule
    return _on_new_span(pipeline.source, pipeline.name, pipeline.name)


def scoring_schedule_of(scoring: Scoring, index: str) -> Any:
    """The value of the `schedule` argument of a scoring's DAG; `index` has the spans that are scored."""
    if isinstance(scoring.schedule, AssetSchedule):
        return [Asset.ref(name=scoring.schedule.asset)]
    if scoring.schedule != NEW_SPAN:
        return scoring.schedule
    return _on_new_span(scoring.source, scoring.name, index)


def _on_new_span(source: Source, name: str, index: str) -> Any:
    from taxiway.triggers.new_span import NewSpanTrigger

    trigger = NewSpanTrigger(
        source=located_source(source).model_dump_json(by_alias=True, exclude_defaults=True),
        pipeline=index,
        poll_seconds=poll_seconds(),
    )
    asset = Asset(
        name=f"{name}.spans",
        uri=f"taxiway://{name.replace('.', '/')}/spans",
        watchers=[AssetWatcher(name=f"{name}.new_span", trigger=trigger)],
    )
    if not (isinstance(source, SqlSource) and source.version):
        return [asset]
    clock = "@hourly" if source.every == "hour" else "@daily"
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(clock, timezone="UTC"), assets=[asset])
