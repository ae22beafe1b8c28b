"""The schedule of a pipeline's DAG: none, cron, or when a new span arrives."""

from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from taxiway.hooks.config import poll_seconds
from taxiway.hooks.sources import source_of
from taxiway.spec.pipeline import Pipeline

NEW_SPAN = "new_span"
HOURLY = "@hourly"


def schedule_of(pipeline: Pipeline) -> Any:
    """The value of the DAG's `schedule` argument.

    With `new_span` the DAG runs when the oldest span without a decision changes, and also once an hour. The event only starts the
    run: ingest decides what to read, and skips the run if there is nothing to do.
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
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(HOURLY, timezone="UTC"), assets=[asset])
