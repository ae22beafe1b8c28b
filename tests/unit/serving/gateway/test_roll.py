"""Rolling the log into Parquet files: every settled request is there once, whenever the roller was killed."""

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.errors import ConfigError
from taxiway.serving.gateway.rolling import roll as rolling
from taxiway.serving.gateway.rolling.roll import Rolled, roll
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.request_log import LoggedRequest, RequestLog


class KilledError(BaseException):
    """Ends the roller as a kill would: nothing after it is done."""


def request(number: int, at: float, mirror: str | None = None, model: str = "a/b") -> LoggedRequest:
    body = f'{{"dataframe_records": [{{"x": {number}}}, {{"x": "y", "z": null}}]}}'
    challenger = (2, "run-1", mirror) if mirror else (None, None, None)
    return LoggedRequest(f"r{number}", at, model, body, "c", 1, 200, "[0.5, [0.25, 0.75]]", "", 1.0, *challenger, "me", 2.0)


def logged(folder: Path, *requests: LoggedRequest) -> None:
    log = RequestLog(folder, keep_rows=10_000, keep_bytes=1 << 30)

    async def add() -> None:
        await log.add(list(requests))

    asyncio.run(add())
    log.close()


def read(folder: Path, what: str) -> list[Any]:
    files = f"{folder}/requests/*/*/*.parquet"
    return duckdb.sql(f"SELECT {what} FROM read_parquet('{files}', union_by_name = true, hive_partitioning = true)").fetchall()


def test_each_row_of_a_request_is_one_row(tmp_path: Path) -> None:
    logged(tmp_path, request(1, 86_400 * 1.5), request(2, 86_400 * 2.5, model="c"))
    assert roll(tmp_path, tmp_path / "log", 60) == Rolled(requests=2, files=2)
    columns = 'request_id, row, caller, prediction, prediction_value, probabilities, "input.x", "input.z"'
    assert read(tmp_path / "log", f"{columns}, day::text") == [
        ("r1", 0, "me", "0.5", 0.5, None, "1", "null", "1970-01-02"),
        ("r1", 1, "me", "[0.25, 0.75]", None, [0.25, 0.75], '"y"', "null", "1970-01-02"),
        ("r2", 0, "me", "0.5", 0.5, None, "2", "null", "1970-01-03"),
        ("r2", 1, "me", "[0.25, 0.75]", None, [0.25, 0.75], '"y"', "null", "1970-01-03"),
    ]
    assert roll(tmp_path, tmp_path / "log", 60) == Rolled()


def test_a_second_call_does_not_delete_the_files_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged(tmp_path, request(1, 0.0))
    write = rolling._write

    def meanwhile(*arguments: Any) -> int:
        files = write(*arguments)
        with pytest.raises(ConfigError, match="is being written to Parquet files by another process"):
            roll(tmp_path, tmp_path / "log", 60)
        return files

    monkeypatch.setattr(rolling, "_write", meanwhile)
    assert roll(tmp_path, tmp_path / "log", 60) == Rolled(requests=1, files=1)
    assert read(tmp_path / "log", "request_id, row") == [("r1", 0), ("r1", 1)]


def test_requests_from_the_first_that_is_not_settled_wait(tmp_path: Path) -> None:
    now = time.time()
    logged(tmp_path, request(1, now - 100, "queued"), request(2, now, "dropped"), request(3, now, "queued"), request(4, now))
    assert roll(tmp_path, tmp_path / "log", 60).requests == 2
    assert roll(tmp_path, tmp_path / "log", 60).requests == 0
    assert roll(tmp_path, tmp_path / "log", -60).requests == 2
    assert sorted(read(tmp_path / "log", "request_id")) == sorted((f"r{n}",) for n in (1, 2, 3, 4) for _ in range(2))


@pytest.mark.parametrize("step", ["fsync", "second file", "note"])
def test_a_roller_that_is_killed_at_any_step_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    logged(tmp_path, *(request(n, 86_400.0 * n) for n in range(1, 4)))

    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as killed:
        if step == "fsync":
            killed.setattr(rolling.os, "fsync", kill)
        elif step == "second file":
            write = rolling.predicted_rows
            killed.setattr(rolling, "predicted_rows", lambda part: kill() if part[0]["seq"] > 1 else write(part))
        else:
            killed.setattr(sql, "SET_ROLLED", "not SQL")
        with pytest.raises((KilledError, sqlite3.OperationalError)):
            roll(tmp_path, tmp_path / "log", 60)
    logged(tmp_path, request(4, 86_400.0))
    assert roll(tmp_path, tmp_path / "log", 60).requests == 4
    assert sorted(read(tmp_path / "log", "request_id, row")) == [(f"r{n}", row) for n in range(1, 5) for row in (0, 1)]
    assert not list((tmp_path / "log").rglob("*.partial"))


def test_a_new_log_does_not_replace_files_of_the_one_before(tmp_path: Path) -> None:
    logged(tmp_path, request(1, 86_400.0))
    roll(tmp_path, tmp_path / "log", 60)
    for path in tmp_path.glob("requests.sqlite*"):
        path.unlink()
    logged(tmp_path, request(2, 86_400.0))
    roll(tmp_path, tmp_path / "log", 60)
    assert sorted(read(tmp_path / "log", "DISTINCT request_id")) == [("r1",), ("r2",)]


@given(st.lists(st.sampled_from(["add", "mirror", "answer", "roll", "jump back"]), max_size=20))
def test_every_request_is_rolled_once_in_whatever_order_things_happen(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, now, sent, rolled = Path(name), time.time(), 0, 0
        log = RequestLog(folder, keep_rows=10_000, keep_bytes=1 << 30)

        async def run() -> None:
            nonlocal now, sent, rolled
            for step in [*steps, "add"]:
                if step == "roll":
                    rolled += roll(folder, folder / "log", 600).requests
                elif step == "answer":
                    await log.challenger_answered([(200, "[1, 2]", "", 1.0, f"r{sent}")])
                elif step == "jump back":
                    now -= 200_000
                else:
                    sent += 1
                    await log.add([request(sent, now, "queued" if step == "mirror" else None)])

        asyncio.run(run())
        rolled += roll(folder, folder / "log", -1e6).requests
        log.close()
        assert rolled == sent
        assert sorted(read(folder / "log", "seq, row")) == [(seq, row) for seq in range(1, sent + 1) for row in (0, 1)]
