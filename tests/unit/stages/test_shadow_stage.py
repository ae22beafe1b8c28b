"""The shadow stage: an outage of the gateway's registry is an error that is retried, and days that were learned are not replayed."""

from datetime import UTC, date, datetime
from typing import Any, Literal

import pytest

from taxiway.errors import TransientError
from taxiway.records import Snapshot, Span
from taxiway.serving.api import ChallengerStatus, ModelStatus
from taxiway.stages.shadow.evidence import first_new_day, require_loaded

OWNER = "dag/run@1"


def status(version: int, owner: str, state: Literal["loading", "serving"]) -> ModelStatus:
    held = ChallengerStatus(version=version, owner=owner, state=state, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    return ModelStatus(model="flights.late", champion=1, since=None, problem="MLflow does not answer", challenger=held)


def test_a_challenger_that_could_not_be_loaded_is_no_verdict() -> None:
    with pytest.raises(TransientError, match=r"flights\.late version 2 cannot be compared.*MLflow does not answer"):
        require_loaded(status(2, OWNER, "loading"), 2, OWNER)


@pytest.mark.parametrize(
    "other", [status(2, OWNER, "serving"), status(2, "dag/other@1", "loading"), status(3, OWNER, "loading")]
)
def test_few_pairs_of_a_loaded_challenger_are_decided(other: ModelStatus) -> None:
    require_loaded(other, 2, OWNER)
    require_loaded(other.model_copy(update={"challenger": None}), 2, OWNER)


@pytest.mark.parametrize(
    ("every", "names", "first"),
    [
        ("day", ["2026-03-01", "2026-03-02"], date(2026, 3, 4)),
        ("day", ["2026-03-02", "2026-03-01"], date(2026, 3, 4)),
        ("hour", ["2026-03-01T04", "2026-03-01T05"], date(2026, 3, 2)),
        ("hour", ["2026-03-01T20", "2026-03-01T21"], date(2026, 3, 3)),
        ("week", ["2026-W08", "2026-W09"], date(2026, 3, 3)),
        ("month", ["2026-01", "2026-02"], date(2026, 3, 2)),
    ],
)
def test_a_day_is_new_if_it_is_after_all_spans_in_every_time_zone(every: Any, names: list[str], first: date) -> None:
    learned, scored = (Span(source=name, name=name, rows=1, content="0" * 32) for name in names)
    assert first_new_day(Snapshot(pipeline="flights.late", training=(learned,), evaluation=(scored,)), every) == first
