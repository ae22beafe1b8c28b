"""Logs of other versions: an older one is migrated with all its requests, a newer one is left as it is."""

import asyncio
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.errors import ConfigError
from taxiway.serving.gateway.request_ids import new_request_id
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.request_log import RequestLog

VERSION_0 = """
PRAGMA journal_mode = WAL;
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE, at REAL NOT NULL, model TEXT NOT NULL, payload TEXT NOT NULL, call TEXT NOT NULL,
    champion_version INTEGER NOT NULL, champion_status INTEGER NOT NULL,
    champion_answer TEXT NOT NULL, champion_error TEXT NOT NULL, champion_ms REAL NOT NULL,
    challenger_version INTEGER, challenger_owner TEXT, mirror TEXT,
    challenger_status INTEGER, challenger_answer TEXT, challenger_error TEXT, challenger_ms REAL);
CREATE INDEX by_challenger ON requests (model, challenger_version, challenger_owner)
    WHERE challenger_version IS NOT NULL;
"""


def older_log(folder: Path, rows: int) -> list[tuple[object, ...]]:
    """Write a log of version 0; returns its rows."""
    with closing(sqlite3.connect(folder / "requests.sqlite")) as connection, connection:
        connection.executescript(VERSION_0)
        values = [(f"r{n}", float(n), "m", "{}", f"r{n}", 1, 200, "[0.5]", "", 1.0) for n in range(rows)]
        connection.executemany(
            "INSERT INTO requests (request_id, at, model, payload, call, champion_version, champion_status, champion_answer, "
            "champion_error, champion_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        return list(connection.execute("SELECT * FROM requests ORDER BY seq"))


def read(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "requests.sqlite")) as connection:
        return list(connection.execute(query))


def opened(folder: Path) -> RequestLog:
    return RequestLog(folder, keep_rows=1000, keep_bytes=1 << 30)


def test_a_log_of_version_0_is_migrated_with_its_rows(tmp_path: Path) -> None:
    before = older_log(tmp_path, 50)
    log = opened(tmp_path)

    async def add() -> None:
        await log.add([LoggedRequest("new", 50.0, "m", "{}", "new", 1, 200, "[1]", "", 1.0, None, None, None, "fraud", 2.5)])

    asyncio.run(add())
    log.close()
    opened(tmp_path).close()  # a migrated log is opened again
    after = read(tmp_path, "SELECT * FROM requests ORDER BY seq")
    assert after[:50] == [(*row, "", None) for row in before]
    assert after[50][-2:] == ("fraud", 2.5)
    assert read(tmp_path, "PRAGMA user_version") == [(sql.VERSION,)]
    assert not list(tmp_path.glob("*.unreadable-*"))


def test_a_migration_that_does_not_end_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    before = older_log(tmp_path, 5)
    with closing(sqlite3.connect(tmp_path / "requests.sqlite")) as connection:
        connection.executescript(sql.MIGRATIONS[0].replace("COMMIT;", ""))
    assert read(tmp_path, "SELECT * FROM requests ORDER BY seq") == before
    assert read(tmp_path, "PRAGMA user_version") == [(0,)]
    opened(tmp_path).close()
    assert read(tmp_path, "SELECT count(*) FROM requests WHERE caller = ''") == [(5,)]


def test_a_log_of_a_later_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "requests.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {sql.VERSION + 1}")
    content = (tmp_path / "requests.sqlite").read_bytes()
    with pytest.raises(ConfigError, match="a later version of Taxiway has written it"):
        opened(tmp_path)
    assert (tmp_path / "requests.sqlite").read_bytes() == content
    assert not list(tmp_path.glob("*.unreadable-*"))


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_request_ids_are_ordered_by_time_and_tell_it(first: float, second: float) -> None:
    ids = [uuid.UUID(new_request_id(at)) for at in sorted((first, second))]
    assert [(each.version, each.variant) for each in ids] == [(7, uuid.RFC_4122)] * 2
    assert ids[0].hex[:12] <= ids[1].hex[:12]
    assert [each.int >> 80 for each in ids] == [int(at * 1000) for at in sorted((first, second))]
    assert (
        datetime.fromtimestamp((ids[0].int >> 80) / 1000, UTC).date() == datetime.fromtimestamp(min(first, second), UTC).date()
    )
