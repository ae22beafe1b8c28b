"""The schedule of a pipeline's DAG: none, cron, or when a new span arrives."""

from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from taxiway.hooks.config import poll_seconds
from taxiway.hooks.sources import source_of
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import SqlSource

NEW_SPAN = "new_span"


def schedule_of(pipeline: Pipeline) -> Any:
    """The value of the DAG's `schedule` argument.

    With `new_span` the DAG runs when the oldest span without a decision changes, and again while that span has none. The event only
    starts the run: ingest decides what to read, and skips the run if there is nothing to do. A source with a query for versions also
    runs by the clock, because only a run asks its database for corrected rows.
    """
    if pipeline.schedule != NEW_SPAN:
        return pipeline.schedule
    from taxiway.triggers.new_span import NewSpanTrigger

    trigger = NewSpanTrigger(
        source=source_of(pipeline).model_dump_json(by_alias=True, exclude_defaults=True),
        pipeline=pipeline.name,
        poll_seconds=poll_seconds(),
    )
    asset = Asset(
        name=f"{pipeline.name}.spans",
        uri=f"taxiway://{pipeline.team}/{pipeline.pipeline}/spans",
        watchers=[AssetWatcher(name=f"{pipeline.name}.new_span", trigger=trigger)],
    )
    if not (isinstance(pipeline.source, SqlSource) and pipeline.source.version):
        return [asset]
    clock = "@hourly" if pipeline.source.every == "hour" else "@daily"
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(clock, timezone="UTC"), assets=[asset])
