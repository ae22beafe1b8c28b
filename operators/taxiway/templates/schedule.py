"""When a pipeline runs: never by itself, by cron, or when a new span arrives."""

from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from taxiway.hooks.config import poll_seconds
from taxiway.hooks.sources import source_of
from taxiway.spec.pipeline import Pipeline

NEW_SPAN = "new_span"
FLOOR_CRON = "@hourly"


def schedule_of(pipeline: Pipeline) -> Any:
    """What Airflow's DAG takes as schedule.

    `new_span` wakes the DAG when the oldest undecided span changes, and once an hour beside: an event only wakes, ingest decides
    what there is to do and skips where there is nothing.
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
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(FLOOR_CRON, timezone="UTC"), assets=[asset])
