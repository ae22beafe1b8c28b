"""The schedule of a DAG: none, or at times, when a new span arrives, when monitoring says so, and when assets are updated."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import (
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronTriggerTimetable,
    MultipleCronTriggerTimetable,
)

from taxiway.hooks.config import poll_seconds
from taxiway.hooks.retraining import asset_of
from taxiway.hooks.sources import located_source
from taxiway.spec.base import NEW_SPAN, RETRAIN, AssetSchedule, Schedule, time_of
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.scoring import Scoring
from taxiway.spec.source import Source, SqlSource


def schedule_of(pipeline: Pipeline) -> Any:
    """The value of the DAG's `schedule` argument: a run for each event of any of its assets, and at its times.

    With `new_span` the DAG runs when the oldest span without a decision changes, and again while that span has none. The event only
    starts the run: ingest decides what to read, and skips the run if there is nothing to do. A source with a query for versions also
    runs by the clock, because only a run asks its database for corrected rows.
    """
    evidence = [asset_of(pipeline, RETRAIN)] if RETRAIN in pipeline.schedule else []
    return _schedule(pipeline.schedule, pipeline.source, pipeline.name, pipeline.name, evidence)


def scoring_schedule_of(scoring: Scoring, index: str) -> Any:
    """The value of the `schedule` argument of a scoring's DAG; `index` has the spans that are scored."""
    return _schedule(scoring.schedule, scoring.source, scoring.name, index, [])


def _schedule(schedule: Schedule, source: Source, name: str, index: str, assets: Sequence[Asset]) -> Any:
    named = [Asset.ref(name=each.asset) for each in schedule if isinstance(each, AssetSchedule)]
    spans = [_spans(source, name, index)] if NEW_SPAN in schedule else []
    found: list[Any] = [*assets, *spans, *named]
    times = list(filter(None, (time_of(schedule), _time_of_versions(source) if spans else None)))
    if not found:
        return times[0] if times else None
    any_of_them = found if len(found) == 1 else AssetAny(*found)
    if not times:
        return any_of_them
    return AssetOrTimeSchedule(timetable=_timetable(times), assets=any_of_them)


def _timetable(times: Sequence[str]) -> CronTriggerTimetable | MultipleCronTriggerTimetable:
    if len(times) == 1:
        return CronTriggerTimetable(times[0], timezone="UTC")
    return MultipleCronTriggerTimetable(*times, timezone="UTC")


def _time_of_versions(source: Source) -> str | None:
    if not (isinstance(source, SqlSource) and source.version):
        return None
    return "@hourly" if source.every == "hour" else "@daily"


def _spans(source: Source, name: str, index: str) -> Asset:
    from taxiway.triggers.new_span import NewSpanTrigger

    trigger = NewSpanTrigger(
        source=located_source(source).model_dump_json(by_alias=True, exclude_defaults=True),
        pipeline=index,
        poll_seconds=poll_seconds(),
    )
    return Asset(
        name=f"{name}.spans",
        uri=f"taxiway://{name.replace('.', '/')}/spans",
        watchers=[AssetWatcher(name=f"{name}.new_span", trigger=trigger)],
    )
