"""The request log: what was committed is there, what was not is told, and it does not grow for ever."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from taxiway.serving.api import ChallengerStatus
from taxiway.serving.gateway.state import request_log
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.request_log import RequestLog

MODEL = "flights.late"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RequestLog]:
    opened = RequestLog(tmp_path, keep_rows=500, keep_bytes=4 << 30)
    yield opened
    opened.close()


def request(number: int, *, mirror: str | None = None, owner: str = "run-1") -> LoggedRequest:
    challenger = (2, owner, mirror) if mirror else (None, None, None)
    return LoggedRequest(f"r{number}", float(number), MODEL, "{}", f"r{number}", 1, 200, "[0.5]", "", 10.0, *challenger)


def test_what_was_awaited_is_on_disk(log: RequestLog, tmp_path: Path) -> None:
    async def write() -> None:
        await log.add([request(1), request(2)])
        with closing(sqlite3.connect(tmp_path / "requests.sqlite")) as other:
            assert other.execute("SELECT request_id FROM requests ORDER BY seq").fetchall() == [("r1",), ("r2",)]

    asyncio.run(write())


def test_a_write_that_fails_says_so_and_the_next_one_succeeds(log: RequestLog) -> None:
    async def write() -> None:
        await log.add([request(1)])
        with pytest.raises(sqlite3.IntegrityError):
            await log.add([request(1)])
        await log.add([request(2)])

    asyncio.run(write())


def note_as_rolled(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "requests.sqlite")) as other, other:
        other.execute("UPDATE rolled SET seq = (SELECT max(seq) FROM requests)")


def test_the_newest_rows_are_kept(log: RequestLog, tmp_path: Path) -> None:
    async def write() -> None:
        for start in range(0, 3000, 100):
            await log.add([request(number) for number in range(start, start + 100)])
            note_as_rolled(tmp_path)

    asyncio.run(write())
    with closing(sqlite3.connect(tmp_path / "requests.sqlite")) as other:
        rows, newest = other.execute("SELECT count(*), max(at) FROM requests").fetchone()
    assert rows == 500
    assert newest == 2999


def test_pairs_are_of_one_owner_and_counted_apart(log: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    async def write() -> None:
        await log.add([request(1, mirror="queued"), request(2, mirror="queued"), request(3, mirror="dropped")])
        await log.add([request(4, mirror="queued"), request(5), request(6, mirror="queued", owner="run-2")])
        await log.add([request(7, mirror="queued"), request(8, mirror="queued")])
        await log.challenger_answered(
            [
                (200, "[0.6]", "", 11.0, "r1"),
                (500, "", "broken", 1.0, "r2"),
                (200, "[0.1]", "", 9.0, "r6"),
                (200, "[0.2]", "", 9.0, "r7"),
            ]
        )

    asyncio.run(write())
    found = log.pairs(MODEL, 2, "run-1", limit=10)
    assert [pair.request_id for pair in found.pairs] == ["r1", "r2", "r7"]
    assert found.pairs[0].challenger.predictions == [0.6]
    assert (found.pairs[1].challenger.predictions, found.pairs[1].challenger.error) == (None, "broken")
    assert (found.dropped, found.unanswered) == (1, 1), "r4 is lost, r8 is on its way"
    assert [pair.request_id for pair in log.pairs(MODEL, 2, "run-1", limit=1).pairs] == ["r7"], "the newest are kept"
    assert [pair.body for pair in found.pairs] == [None, None, None]
    assert [pair.body for pair in log.pairs(MODEL, 2, "run-1", limit=10, bodies=2).pairs] == [None, "{}", "{}"]
    monkeypatch.setattr(request_log, "MAX_BODIES_BYTES", 3)
    assert [pair.body for pair in log.pairs(MODEL, 2, "run-1", limit=10, bodies=9).pairs] == [None, None, "{}"], (
        "the newest fit"
    )
    status = ChallengerStatus.model_validate({"version": 2, "owner": "run-1", "state": "serving", "expires_at": 0})
    counted = log.counted(MODEL, status)
    assert (counted.mirrored, counted.answered, counted.errors, counted.dropped) == (5, 2, 1, 1)


def test_requests_without_a_pair_are_counted_since_the_oldest_pair(log: RequestLog) -> None:
    async def write() -> None:
        for start in (0, 100):
            await log.add([request(start + number, mirror="dropped" if number < 20 else "queued") for number in range(100)])
        await log.challenger_answered([(200, "[0.5]", "", 1.0, f"r{start + n}") for start in (0, 100) for n in range(22, 100)])

    asyncio.run(write())
    whole, newest = log.pairs(MODEL, 2, "run-1", limit=1000), log.pairs(MODEL, 2, "run-1", limit=100)
    assert (len(whole.pairs), whole.dropped, whole.unanswered) == (156, 40, 4)
    assert (len(newest.pairs), newest.dropped, newest.unanswered) == (100, 20, 2), "those before the oldest pair do not count"


def test_pairs_with_labels_are_those_whose_rows_all_have_one(log: RequestLog) -> None:
    def label(number: int, row: int, text: str) -> tuple[str, int, str, float, str, float, str]:
        return (f"r{number}", row, MODEL, float(number), text, 1.0, "ann")

    async def write() -> None:
        both = replace(request(1, mirror="queued"), champion_answer="[0.5, 0.6]")
        await log.add(
            [both, *(request(number, mirror="queued") for number in (2, 3, 4)), request(5, mirror="dropped"), request(6)]
        )
        await log.challenger_answered([(200, "[0.5]", "", 1.0, f"r{number}") for number in (1, 2, 3)])
        await log.add_labels([label(3, 0, "1"), label(1, 1, '"late"'), label(2, 0, "0"), label(3, 0, "2"), label(3, 0, "2")])
        await log.add_labels([label(4, 0, "1"), label(5, 0, "1"), label(6, 0, "1"), label(99, 0, "1")])

    def seen(limit: int = 10) -> list[tuple[str, tuple[object, ...] | None]]:
        return [(pair.request_id, pair.labels) for pair in log.labelled_pairs(MODEL, 2, "run-1", limit)]

    asyncio.run(write())
    assert seen() == [("r3", (2,)), ("r2", (0,))], "the first row of r1 has no label, r4 no answer, r5 and r6 no challenger"
    asyncio.run(log_labels(log, [label(1, 0, '"early"')]))
    assert seen() == [("r3", (2,)), ("r1", ("early", "late")), ("r2", (0,))]
    assert seen(limit=1) == [("r3", (2,))], "those that were labelled first"
    status = ChallengerStatus.model_validate({"version": 2, "owner": "run-1", "state": "serving", "expires_at": 0})
    assert log.counted(MODEL, status).labelled == 3
    assert log.labelled_pairs(MODEL, 2, "run-2", 10) == ()


async def log_labels(log: RequestLog, labels: list[tuple[str, int, str, float, str, float, str]]) -> None:
    await log.add_labels(labels)
