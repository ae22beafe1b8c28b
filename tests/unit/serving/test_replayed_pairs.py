"""Replay of logged requests: which requests are chosen, that they are sent unchanged, and that others are left out."""

import asyncio
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from taxiway.errors import ConfigError
from taxiway.features.signature import ModelColumns
from taxiway.models.predictor import Predictor
from taxiway.records.shadow_pairs import Pair
from taxiway.serving import replayed_pairs as replaying
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.replayed_pairs import Replay, replayed_pairs

MODEL, OWNER = "flights.late", "flights.late/run-1@1"
CHAMPION = ModelColumns(("x",), ("card",), optional=("card",))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


def request(number: int, rows: list[dict[str, Any]], answer: list[Any], **changes: Any) -> LoggedRequest:
    body = json.dumps({"dataframe_records": rows})
    content: dict[str, Any] = {
        "request_id": f"r{number}",
        "at": NOON + number,
        "model": MODEL,
        "payload": body,
        "call_id": f"c{number}",
        "champion_version": 1,
        "champion_status": 200,
        "champion_answer": json.dumps(answer),
        "champion_error": "",
        "champion_ms": 5.0,
        "challenger_version": None,
        "challenger_owner": None,
        "mirror": None,
    }
    return LoggedRequest(**(content | changes))


def logged(folder: Path, *requests: LoggedRequest, labels: dict[tuple[str, int], Any] | None = None, **settings: Any) -> None:
    store_settings(folder, RollSettings(folder=folder / "log", settle_s=0, **settings))
    log = RequestLog(folder, keep_rows=1000, keep_bytes=1 << 30)
    log.versions.note(MODEL, 1, LoggedVersion(CHAMPION))

    async def add() -> None:
        await log.add(list(requests))
        of_rows = [(name, row, MODEL, NOON, json.dumps(label), NOON, "") for (name, row), label in (labels or {}).items()]
        await log.add_labels(of_rows)

    asyncio.run(add())
    log.close()
    roll(folder)


def challenger(asked: list[Any] | None = None) -> Predictor:
    """Answers x plus, where it is sent, the delay, which the champion does not take."""

    def predict(cells: Any) -> Any:
        if asked is not None:
            asked.append({name: list(values) for name, values in cells.items()})
        return [x + (0 if delay is None else delay) for x, delay in zip(cells["x"], cells["delay"], strict=True)]

    return Predictor(ModelColumns(("x", "delay"), (), optional=("delay",)), predict, "original")


def replayed(folder: Path, predictor: Predictor | None = None, *, bodies: int = 100, **changes: Any) -> tuple[Pair, ...]:
    content: dict[str, Any] = {
        "folder": folder / "log",
        "model": MODEL,
        "champion": 1,
        "challenger": 2,
        "owner": OWNER,
        "since": date(2026, 2, 28),
        "until": date(2026, 3, 2),
    }
    return replayed_pairs(Replay(**(content | changes)), predictor or challenger(), CHAMPION, bodies=bodies)


def test_a_request_is_asked_again_as_it_was_sent(tmp_path: Path) -> None:
    rows = [{"x": 1.5, "card": "a", "delay": 2}, {"x": 2, "card": None, "delay": None}]
    logged(tmp_path, request(1, rows, [1.0, 2.0]), labels={("r1", 0): 3, ("r1", 1): 4.5, ("r9", 0): 1})
    asked: list[Any] = []
    (pair,) = replayed(tmp_path, challenger(asked))
    assert asked == [{"x": [1.5, 2], "delay": [2, None]}]
    assert (pair.champion.version, pair.champion.predictions) == (1, [1.0, 2.0])
    assert (pair.challenger.version, pair.challenger.predictions) == (2, [3.5, 2])
    assert pair.labels == (3.0, 4.5)
    assert (pair.request_id, pair.at, pair.champion.latency_ms) == ("r1", datetime.fromtimestamp(NOON + 1, UTC), 0)
    assert pair.body is not None
    sent = json.loads(pair.body)["dataframe_split"]
    assert [dict(zip(sent["columns"], cells, strict=True)) for cells in sent["data"]] == rows


def test_only_answers_of_the_champion_on_these_days_are_replayed(tmp_path: Path) -> None:
    row = [{"x": 1, "delay": 1}]
    logged(
        tmp_path,
        request(1, row, [1]),
        request(2, row, [1], champion_version=3),
        request(3, row, [], champion_status=500, champion_answer="", champion_error="broken"),
        request(4, row, [1], at=NOON - 3 * DAY),
        request(5, row, [1], at=NOON + 3 * DAY),
        request(6, row, [1], challenger_version=2, challenger_owner=OWNER, mirror="dropped"),
        request(7, row, [1], challenger_version=9, challenger_owner="another/run@1", mirror="dropped"),
        request(8, row, [1], model="flights.other"),
    )
    assert [pair.request_id for pair in replayed(tmp_path)] == ["r1", "r7"]
    assert replayed(tmp_path, since=date(2025, 1, 1), until=date(2025, 1, 2)) == ()


def test_the_newest_whole_requests_are_replayed_and_the_newest_have_bodies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"x": 1, "delay": 1}
    logged(tmp_path, *(request(number, [row] * 3, [1, 1, 1]) for number in range(10)))
    monkeypatch.setattr(replaying, "MAX_ROWS", 20)
    monkeypatch.setattr(replaying, "_REQUESTS_AT_ONCE", 2)
    found = replayed(tmp_path, bodies=3)
    assert [pair.request_id for pair in found] == [f"r{number}" for number in range(4, 10)], "six requests have 18 rows"
    assert [pair.body is not None for pair in found] == [False, False, False, True, True, True]


def test_a_request_has_labels_once_all_of_its_rows_have_one(tmp_path: Path) -> None:
    rows = [{"x": 1, "delay": 1}, {"x": 2, "delay": 1}]
    logged(
        tmp_path,
        request(1, rows, [[0.5, 0.5], [0.5, 0.5]]),
        request(2, rows, [[0.5, 0.5], [0.5, 0.5]]),
        labels={("r1", 0): "01", ("r1", 1): "no", ("r2", 1): "no"},
    )
    assert [pair.labels for pair in replayed(tmp_path)] == [("01", "no"), None]


def test_a_challenger_that_fails_a_request_is_only_counted(tmp_path: Path) -> None:
    logged(tmp_path, request(1, [{"x": "late", "delay": 1}], [1]), request(2, [{"x": 1, "delay": 1}], [1]))
    first, second = replayed(tmp_path)
    assert first.challenger.predictions is None
    assert "the model failed" in first.challenger.error
    assert second.challenger.predictions == [2]


def test_a_replay_that_is_killed_has_the_same_pairs_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged(tmp_path, *(request(number, [{"x": number, "delay": 1}], [1]) for number in range(6)))
    whole = replayed(tmp_path)
    monkeypatch.setattr(replaying, "_REQUESTS_AT_ONCE", 2)
    healthy, calls = challenger(), 0

    def dies_at_the_second(cells: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return healthy.predict(cells)

    files = sorted(tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        replayed(tmp_path, Predictor(healthy.columns, dies_at_the_second, "original"))
    assert sorted(tmp_path.rglob("*")) == files
    assert replayed(tmp_path) == whole


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"hash_columns": ("card",)}, "request r1 cannot be replayed from .*the log has hashes instead of values"),
        ({"omit_columns": ("x",)}, "request r1 cannot be replayed, because the log does not have its x"),
    ],
)
def test_private_inputs_cannot_be_replayed_and_the_error_says_why(
    tmp_path: Path, settings: dict[str, tuple[str, ...]], says: str
) -> None:
    logged(tmp_path, request(1, [{"x": 1, "card": "secret", "delay": 1}], [1]), **settings)
    with pytest.raises(ConfigError, match=says):
        replayed(tmp_path)


def test_a_folder_that_is_missing_is_an_error_and_not_an_empty_log(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        replayed(tmp_path)
