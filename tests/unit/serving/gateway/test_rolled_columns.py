"""The columns of the Parquet files that a log is rolled into: what they hold, how they are named, and which are hashed or left out."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from logged_requests import VERSION, logged, read, request

from taxiway.errors import ConfigError
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.rolling.roll import Rolled, roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.request_log.files import read_request_log


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
