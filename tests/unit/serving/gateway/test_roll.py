"""Rolling the log into Parquet files: every settled request is there once, whenever the roller was killed, and none is deleted before."""

import asyncio
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logged_requests import logged, read, request

from taxiway.serving.gateway.rolling import files
from taxiway.serving.gateway.rolling import roll as rolling
from taxiway.serving.gateway.rolling.roll import Rolled, roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.request_log import RequestLog


class KilledError(BaseException):
    """Ends the roller as a kill would: nothing after it is done."""


def test_a_second_call_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged(tmp_path, request(1, 0.0))
    write, second = rolling.PartitionFiles.write, []
    thread = threading.Thread(target=lambda: second.append(roll(tmp_path)))

    def meanwhile(new: files.PartitionFiles) -> int:
        written = write(new)  # not noted yet, so the second call would delete it
        if not thread.ident:
            thread.start()
            thread.join(0.2)
            assert thread.is_alive()
        return written

    monkeypatch.setattr(rolling.PartitionFiles, "write", meanwhile)
    assert roll(tmp_path) == Rolled(tmp_path / "log", requests=1, files=1)
    thread.join()
    assert second == [Rolled(tmp_path / "log")]
    assert read(tmp_path / "log", "request_id, row") == [("r1", 0), ("r1", 1)]


def test_requests_from_the_first_that_is_not_settled_wait(tmp_path: Path) -> None:
    now = time.time()
    logged(tmp_path, request(1, now - 100, "queued"), request(2, now, "dropped"), request(3, now, "queued"), request(4, now))
    assert roll(tmp_path).requests == 2
    assert roll(tmp_path).requests == 0
    assert roll(tmp_path, now=time.time() + 120).requests == 2
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
            killed.setattr(files.os, "fsync", kill)
        elif step == "second file":
            killed.setattr(files, "_sync", lambda target: kill() if list(target.parent.glob("day=*/*"))[1:] else None)
        else:
            killed.setitem(sql.SET_ROLLED, "requests", "not SQL")
        with pytest.raises((KilledError, sqlite3.OperationalError)):
            roll(tmp_path)
    logged(tmp_path, request(4, 86_400.0))
    assert roll(tmp_path).requests == 4
    assert sorted(read(tmp_path / "log", "request_id, row")) == [(f"r{n}", row) for n in range(1, 5) for row in (0, 1)]
    assert not list((tmp_path / "log").rglob("*.partial"))


def test_a_log_that_was_restored_from_a_backup_deletes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logged(tmp_path, *(request(n, 86_400.0) for n in range(1, 4)))
    roll(tmp_path)
    logged(tmp_path, request(4, 86_400.0))
    backup = (tmp_path / "requests.sqlite").read_bytes()  # the fourth request is not in the files yet
    logged(tmp_path, *(request(n, 86_400.0) for n in range(5, 8)))
    roll(tmp_path)
    (tmp_path / "requests.sqlite").write_bytes(backup)
    logged(tmp_path, request(50, 86_400.0))
    assert roll(tmp_path).requests == 1
    assert "was restored from a backup" in caplog.text
    expected = [(f"r{n}", row) for n in (*range(1, 8), 50) for row in (0, 1)]
    assert sorted(read(tmp_path / "log", "request_id, row")) == sorted(expected)
    assert roll(tmp_path) == Rolled(tmp_path / "log")


def test_a_new_log_does_not_replace_files_of_the_one_before(tmp_path: Path) -> None:
    logged(tmp_path, request(1, 86_400.0))
    roll(tmp_path)
    for path in tmp_path.glob("requests.sqlite*"):
        path.unlink()
    logged(tmp_path, request(2, 86_400.0))
    roll(tmp_path)
    assert sorted(read(tmp_path / "log", "DISTINCT request_id")) == [("r1",), ("r2",)]


@given(st.lists(st.sampled_from(["add", "mirror", "answer", "roll", "jump back"]), max_size=20), st.sampled_from([1, 10_000]))
def test_every_request_is_rolled_once_in_whatever_order_things_happen(steps: list[str], keep_rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, now, sent, rolled = Path(name), time.time(), 0, 0
        store_settings(folder, RollSettings(folder=folder / "log"))
        log = RequestLog(folder, keep_rows=keep_rows, keep_bytes=1 << 30)

        async def run() -> None:
            nonlocal now, sent, rolled
            for step in [*steps, "add"]:
                if step == "roll":
                    rolled += roll(folder).requests
                elif step == "answer":
                    await log.challenger_answered([(200, "[1, 2]", "", 1.0, f"r{sent}")])
                elif step == "jump back":
                    now -= 200_000
                else:
                    sent += 1
                    await log.add([request(sent, now, "queued" if step == "mirror" else None)])

        asyncio.run(run())
        rolled += roll(folder, now=time.time() + 1e6).requests
        log.close()
        assert rolled == sent
        assert sorted(read(folder / "log", "seq, row")) == [(seq, row) for seq in range(1, sent + 1) for row in (0, 1)]


def test_what_is_not_rolled_is_not_deleted(tmp_path: Path) -> None:
    def kept() -> list[int]:
        with closing(sqlite3.connect(tmp_path / "requests.sqlite")) as connection:
            return [seq for (seq,) in connection.execute("SELECT seq FROM requests ORDER BY seq")]

    logged(tmp_path, *(request(n, float(n)) for n in range(1, 31)), keep_rows=10)
    assert kept() == list(range(1, 31))
    assert roll(tmp_path).requests == 30
    logged(tmp_path, *(request(n, float(n)) for n in range(31, 36)), keep_rows=10)
    assert kept() == list(range(26, 36))
    logged(tmp_path, *(request(n, float(n)) for n in range(36, 56)), keep_rows=10)
    assert kept() == list(range(31, 56))
    assert roll(tmp_path).requests == 25
    assert sorted(read(tmp_path / "log", "DISTINCT seq")) == [(seq,) for seq in range(1, 56)]


def test_many_requests_are_read_in_parts_and_written_to_files_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "_READ_ROWS", 3)
    monkeypatch.setattr(rolling, "_FILE_ROWS", 6)
    logged(tmp_path, *(request(n, 86_400.0 * (n % 2)) for n in range(1, 20)))
    assert roll(tmp_path) == Rolled(tmp_path / "log", requests=19, files=7)
    assert sorted(read(tmp_path / "log", "DISTINCT seq, day::text")) == [(n, f"1970-01-0{n % 2 + 1}") for n in range(1, 20)]


def test_old_days_are_deleted(tmp_path: Path) -> None:
    logged(tmp_path, *(request(n, 86_400.0 * n) for n in range(5)), keep_days=2)
    others = [tmp_path / f"log/{name}/model=m/day=1970-01-01/sales.parquet" for name in ("requests", "sales")]
    for other in others:
        other.parent.mkdir(parents=True)
        other.write_bytes(b"")
    assert roll(tmp_path, now=86_400.0 * 4.5).deleted_days == 2
    assert all(other.exists() for other in others)
    for other in others:
        other.unlink()
    assert sorted(read(tmp_path / "log", "DISTINCT day::text")) == [("1970-01-03",), ("1970-01-04",), ("1970-01-05",)]
    assert roll(tmp_path, now=86_400.0 * 4.5) == Rolled(tmp_path / "log")
