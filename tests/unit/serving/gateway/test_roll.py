"""Rolling the log into Parquet files: every settled request is there once, whenever the roller was killed, and none is deleted before."""

import asyncio
import hashlib
import hmac
import json
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.errors import ConfigError
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.rolling import files
from taxiway.serving.gateway.rolling import roll as rolling
from taxiway.serving.gateway.rolling.roll import Rolled, roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.request_log.files import read_request_log


class KilledError(BaseException):
    """Ends the roller as a kill would: nothing after it is done."""


VERSION = LoggedVersion(ModelColumns(("x",), ("z", "card", "name"), renamed={"old": "z"}))


def request(number: int, at: float, mirror: str | None = None, model: str = "a/b") -> LoggedRequest:
    body = f'{{"dataframe_records": [{{"x": {number}}}, {{"x": "y", "z": null}}]}}'
    challenger = (2, "run-1", mirror) if mirror else (None, None, None)
    return LoggedRequest(f"r{number}", at, model, body, "c", 1, 200, "[0.5, [0.25, 0.75]]", "", 1.0, *challenger, "me", 2.0)


def logged(folder: Path, *requests: LoggedRequest, keep_rows: int = 10_000, **settings: Any) -> None:
    store_settings(folder, RollSettings(folder=folder / "log", **{"settle_s": 60, **settings}))
    log = RequestLog(folder, keep_rows=keep_rows, keep_bytes=1 << 30)
    for each in requests:
        log.versions.note(each.model, each.champion_version, VERSION)

    async def add() -> None:
        for each in requests:
            await log.add([each])

    asyncio.run(add())
    log.close()


def read(folder: Path, what: str) -> list[Any]:
    files = f"{folder}/requests/*/*/*.parquet"
    return duckdb.sql(f"SELECT {what} FROM read_parquet('{files}', union_by_name = true, hive_partitioning = true)").fetchall()


def test_each_row_of_a_request_is_one_row(tmp_path: Path) -> None:
    logged(tmp_path, request(1, 86_400 * 1.5), request(2, 86_400 * 2.5, model="c"))
    assert roll(tmp_path) == Rolled(tmp_path / "log", requests=2, files=2)
    columns = 'request_id, row, caller, prediction, prediction_value, probabilities, "input.x", "input.z"'
    assert read(tmp_path / "log", f"{columns}, day::text") == [
        ("r1", 0, "me", "0.5", 0.5, None, "1", "null", "1970-01-02"),
        ("r1", 1, "me", "[0.25, 0.75]", None, [0.25, 0.75], '"y"', "null", "1970-01-02"),
        ("r2", 0, "me", "0.5", 0.5, None, "2", "null", "1970-01-03"),
        ("r2", 1, "me", "[0.25, 0.75]", None, [0.25, 0.75], '"y"', "null", "1970-01-03"),
    ]
    assert roll(tmp_path) == Rolled(tmp_path / "log")


def test_files_have_a_layout_and_those_of_a_newer_one_are_not_misread(tmp_path: Path) -> None:
    logged(tmp_path, request(1, 86_400 * 1.5), request(2, 86_400 * 2.5))
    roll(tmp_path)
    log = tmp_path / "log"

    def count() -> int:
        return read_request_log(log, lambda connection: len(connection.execute("SELECT 1 FROM requests").fetchall()))

    *_, newest = sorted(log.glob("requests/*/*/*.parquet"))
    assert pq.read_metadata(newest).metadata[b"taxiway.layout"] == b"1"
    assert count() == 4
    rows = pq.read_table(newest, partitioning=None)
    pq.write_table(rows.replace_schema_metadata(None), newest)
    assert count() == 4, "files from before there were layouts have none"
    pq.write_table(rows.replace_schema_metadata({"taxiway.layout": "2", "taxiway.version": "9.1"}), newest)
    with pytest.raises(
        ConfigError,
        match=r'has the layout "2".*reads layouts up to 1; a gateway of Taxiway 9\.1 .*Install that version or a later',
    ):
        count()
    pq.write_table(rows.replace_schema_metadata({"taxiway.layout": "-1"}), newest)
    with pytest.raises(ConfigError, match=r'has the layout "-1".*; no gateway writes such a file: move it out of the folder'):
        count()


def test_inputs_that_the_model_does_not_take_are_no_columns(tmp_path: Path) -> None:
    """A caller chooses their names: thousands of columns made every query slow, and `X` renamed the column `x` for all."""
    sent = [{"x": 1, "X": 2, "key": "k"}, {"x": 3, "old": "sent by its former name"}, {f"made up {n}": n for n in range(5_000)}]
    bodies = [json.dumps({"dataframe_records": [row]}) for row in sent]
    requests = [
        LoggedRequest(f"r{at}", 0.0, "m", body, "c", 1, 200, "[1]", "", 1.0, None, None, None) for at, body in enumerate(bodies)
    ]
    logged(tmp_path, *requests)
    roll(tmp_path)
    rows = read(tmp_path / "log", '"input.x", "input.z", other_inputs')
    assert rows[0] == ("1", None, {"X": "2", "key": '"k"'})
    assert rows[1] == ("3", '"sent by its former name"', None)
    assert rows[2] == (None, None, {f"made up {n}": str(n) for n in range(5_000)})
    (path,) = (tmp_path / "log").glob("requests/*/*/*.parquet")
    names = pq.read_schema(path).names
    assert {name for name in names if name.startswith("input.")} == {"input.x", "input.z", "input.card", "input.name"}


def test_the_spelling_of_the_newest_version_names_the_column_of_all(tmp_path: Path) -> None:
    """DuckDB takes `input.Carrier` and `input.carrier` for the same column, and renames one of them."""
    log = RequestLog(tmp_path, keep_rows=100, keep_bytes=1 << 30)
    store_settings(tmp_path, RollSettings(folder=tmp_path / "log"))
    log.versions.note("m", 1, LoggedVersion(ModelColumns((), ("Carrier",))))
    log.versions.note("m", 2, LoggedVersion(ModelColumns((), ("carrier",), renamed={"Carrier": "carrier"})))

    async def add() -> None:
        for version, name in ((1, "Carrier"), (2, "carrier"), (2, "Carrier")):
            body = json.dumps({"dataframe_records": [{name: "UA"}]})
            await log.add(
                [LoggedRequest(f"{version}{name}", 0.0, "m", body, "c", version, 200, "[1]", "", 1.0, None, None, None)]
            )

    asyncio.run(add())
    log.close()
    roll(tmp_path)
    (path,) = (tmp_path / "log").glob("requests/*/*/*.parquet")
    assert [name for name in pq.read_schema(path).names if name.startswith("input.")] == ["input.carrier"]
    assert read(tmp_path / "log", '"input.carrier", other_inputs') == [('"UA"', None)] * 3


def test_the_predicted_class_is_written(tmp_path: Path) -> None:
    body = '{"dataframe_records": [{"x": 1}, {"x": 2}]}'
    log = RequestLog(tmp_path, keep_rows=100, keep_bytes=1 << 30)
    store_settings(tmp_path, RollSettings(folder=tmp_path / "log"))
    log.versions.note("m", 1, LoggedVersion(VERSION.columns, ("early", "late"), 0.3))
    log.versions.note("m", 2, LoggedVersion(VERSION.columns, ("early", "late", "never")))
    answers = {1: "[[0.65, 0.35], [0.71, 0.29]]", 2: "[[0.2, 0.2, 0.6], [0.5, 0.4, 0.1]]", 3: "[[0.1, 0.9], [0.9, 0.1]]"}
    log.versions.note("m", 4, LoggedVersion(VERSION.columns, ("early", "late")))
    answers[4] = '[[0.1], "a team answers anything"]'

    async def add() -> None:
        for version, answer in answers.items():
            await log.add([LoggedRequest(f"r{version}", 0.0, "m", body, "c", version, 200, answer, "", 1.0, None, None, None)])

    asyncio.run(add())
    log.close()
    roll(tmp_path)
    assert read(tmp_path / "log", "champion_version, predicted_class, len(classes)") == [
        *((1, "late", 2), (1, "early", 2)),
        *((2, "never", 3), (2, "early", 3)),
        *((3, None, None), (3, None, None)),
        *((4, None, None), (4, None, None)),
    ]


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


def assert_no_other_key_is_used(state: Path) -> None:
    """Otherwise, equal values would silently get other hashes."""
    key = state / "hash.key"
    kept = key.read_bytes()
    for other in (b"", b"x", b"x" * 32, None):
        if other is None:
            key.unlink()
        else:
            key.write_bytes(other)
        with pytest.raises(ConfigError, match=r"is missing: |is not the key with which"):
            roll(state)
        assert other is None or key.read_bytes() == other
    key.write_bytes(kept)
    assert roll(state) == Rolled(state / "log")


def test_private_columns_are_omitted_or_hashed_with_the_key_of_the_folder(tmp_path: Path) -> None:
    body = '{"dataframe_records": [{"name": "Ada", "card": "1234", "x": 1}, {"name": "Ada", "card": null, "x": 2}]}'
    ok = LoggedRequest("r1", 0.0, "m", body, "c", 1, 200, "[1, 2]", "", 1.0, None, None, None)
    bad = LoggedRequest("r2", 0.0, "m", body, "c", 1, 400, "", "Ada is not a number", 1.0, None, None, None)
    logged(tmp_path, ok, bad, omit_columns=("name",), hash_columns=("card",))
    roll(tmp_path)
    key = (tmp_path / "hash.key").read_bytes()
    assert (tmp_path / "hash.key").stat().st_mode & 0o077 == 0
    hashed = hmac.new(key, b'"1234"', hashlib.sha256).hexdigest()[:32]
    rows = read(tmp_path / "log", 'request_id, "input.card", "input.x", body, champion_error')
    cells = [(hashed, "1"), ("null", "2")]
    assert rows == [(name, *each, None, None) for name in ("r1", "r2") for each in cells]
    assert_no_other_key_is_used(tmp_path)
    everything = str(duckdb.sql(f"SELECT * FROM '{tmp_path}/log/requests/*/*/*.parquet'").fetchall())
    assert hashed in everything
    assert "Ada" not in everything
    assert "1234" not in everything
