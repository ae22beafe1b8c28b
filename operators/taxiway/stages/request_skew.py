"""The logged requests that a new span is compared with, for skew between training and serving."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.schema.model import SERVING
from taxiway.messages import counted
from taxiway.records import Snapshot
from taxiway.spec.monitor import Monitor
from taxiway.spec.source.periods import period_of
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.windows.log_windows import log_folder, oldest_day
from taxiway.store import temp_folder

if TYPE_CHECKING:
    from taxiway.data.schema.model import Schema


@contextmanager
def logged_requests(context: StageContext, snapshot: Snapshot) -> "Iterator[Path | None]":
    """A Parquet file with the inputs of the requests that the newest span is compared with, which is deleted after the block.

    These are the requests of the period that the span is named by, in UTC. If spans are numbers, they are those of the newest windows until
    the day, in UTC, on which the snapshot is validated first: later reports on it read the same requests, so a waiver by command holds.

    Args:
        context: The run.
        snapshot: Its snapshot.

    Returns:
        The file; None if the pipeline has no section `monitor`, the schema has no limits of skew, or there are no requests.
    """
    section, schema = context.pipeline.monitor, context.schema()
    if section is None or not _is_limited(schema):
        yield None
        return
    from taxiway.serving.request_log.sent_inputs import export_sent_inputs

    names = [each.name for each in schema.features if each.name in schema.key or each.expected_in(SERVING)]
    since, until = _period(context, section, snapshot)
    folder = log_folder(context, section)
    with temp_folder("requests") as place:
        path = place / "requests.parquet"
        rows = 0
        if folder.is_dir():  # a gateway writes it with the first requests
            rows = export_sent_inputs(
                folder, context.pipeline.name, path, since=since, until=until, types=schema.types, names=names
            )
        context.log.info("%s from %s until %s in %s, for skew", counted(rows, "logged row"), since, until, folder)
        yield path if rows else None


def _is_limited(schema: "Schema") -> bool:
    return bool(schema.feature_skew is not None and schema.key) or any(each.skew is not None for each in schema.features)


def _period(context: StageContext, section: Monitor, snapshot: Snapshot) -> tuple[datetime, datetime]:
    """The time of the first requests, and that after the last ones."""
    every = context.pipeline.source.named_by
    if every is None:
        first = _first_validated(context, snapshot)
        return _midnight(oldest_day(first, section.window, section.windows)), _midnight(first)
    period = period_of(snapshot.target_span.name, every)
    return period.begins, period.ends


def _first_validated(context: StageContext, snapshot: Snapshot) -> date:
    """The day on which a snapshot is validated first, in UTC."""
    ref = f"skew/{snapshot.pipeline}/{snapshot.digest}"
    try:
        return date.fromisoformat(context.store.get_ref(ref) or "")
    except ValueError:  # it is now, or the ref is damaged
        today = context.clock().date()
        context.store.set_ref(ref, today.isoformat())
        return today


def _midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)
