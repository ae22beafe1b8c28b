"""What has changed within a day, in sentences: promotions and their kinds, new alerts, failed and blocked runs."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from taxiway.records import Outcome, Promotion
from taxiway_ui.history.timeline import promotion_kind
from taxiway_ui.monitoring.runs import NewAlert
from taxiway_ui.overview.rows import Row
from taxiway_ui.runs.states import State

CHANGED_WITHIN = timedelta(days=1)
MAX_CHANGES = 5
"""How many changes are shown."""


@dataclass(frozen=True)
class Change:
    """Something that has changed.

    Attributes:
        at: When.
        kind: What it is: a kind of promotion, `alert`, `failed` or `blocked`.
        pipeline: The pipeline.
        message: What has changed, after the name of the pipeline.
        run: The run that it is about; None if it is about none.
    """

    at: datetime
    kind: str
    pipeline: str
    message: str
    run: str | None = None


def changes(
    rows: Sequence[Row], promotions: Iterable[Promotion], alerts: Iterable[NewAlert], now: datetime
) -> tuple[Change, ...]:
    """What has changed within a day, newest first; of each alert and run at most the newest one of its pipeline.

    Args:
        rows: The lines of the pipelines.
        promotions: The newest promotions of these pipelines.
        alerts: The newest alerts.
        now: The time that it is now.
    """
    found = [
        *(Change(made.at, promotion_kind(made), made.model, _promoted(made)) for made in promotions),
        *(Change(alert.at, "alert", alert.pipeline, alert.message) for alert in alerts),
        *(change for row in rows for change in _runs(row)),
    ]
    recent = [change for change in found if now - CHANGED_WITHIN < change.at]
    return tuple(heapq.nlargest(MAX_CHANGES + 1, recent, key=lambda change: change.at))


def _promoted(made: Promotion) -> str:
    before = f"version {made.from_version}" if made.from_version is not None else "no version"
    if made.to_version is None:
        return f"{before} was retired by {made.by}: {made.reason.removeprefix('retired: ')}"
    after = f"version {made.to_version} is the champion, after {before}"
    return after if made.verdict is not None and not made.forced else f"{after}, by {made.by}: {made.reason}"


def _runs(row: Row) -> Iterator[Change]:
    last, decision = row.last, row.decision
    if row.state is State.FAILED and last is not None and last.ended is not None:
        where = f", in {last.stopped_at}" if last.stopped_at else ""
        yield Change(last.ended, "failed", row.name, f"a run failed before a decision{where}", last.run)
    if decision is not None and decision.outcome is Outcome.BLOCKED and row.decided_at is not None:
        reason = decision.reasons[0] if decision.reasons else "its data did not pass"
        yield Change(row.decided_at, "blocked", row.name, f"span {decision.span.label} was blocked: {reason}", decision.run)
