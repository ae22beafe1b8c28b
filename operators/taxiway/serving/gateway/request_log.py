"""The request log: SQLite in the gateway's state folder, written by one thread that commits whatever has gathered.

Also the gateway's own memory: which models it follows and which challengers it was asked to load. The newest `keep_rows`
requests are kept, older ones are deleted as new ones come. Only one gateway at a time may use a state folder.
"""

import asyncio
import contextlib
import fcntl
import json
import queue
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from taxiway.errors import ConfigError
from taxiway.records.shadow_pairs import Answer, Pair, PairedLog
from taxiway.serving.answer_check import LoggedAnswer
from taxiway.serving.api import ChallengerStatus, Remote

_FILE = "requests.sqlite"
_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE, at REAL NOT NULL, model TEXT NOT NULL, payload TEXT NOT NULL, call TEXT NOT NULL,
    champion_version INTEGER NOT NULL, champion_status INTEGER NOT NULL,
    champion_answer TEXT NOT NULL, champion_error TEXT NOT NULL, champion_ms REAL NOT NULL,
    challenger_version INTEGER, challenger_owner TEXT, mirror TEXT,
    challenger_status INTEGER, challenger_answer TEXT, challenger_error TEXT, challenger_ms REAL);
CREATE INDEX IF NOT EXISTS by_challenger ON requests (model, challenger_version, challenger_owner)
    WHERE challenger_version IS NOT NULL;
CREATE TABLE IF NOT EXISTS followed (model TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS challengers (
    model TEXT PRIMARY KEY, version INTEGER, owner TEXT, expires_at REAL, address TEXT, token TEXT);
"""
_INSERT = """
INSERT INTO requests (request_id, at, model, payload, call, champion_version, champion_status, champion_answer, champion_error,
champion_ms, challenger_version, challenger_owner, mirror) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ANSWER = """
UPDATE requests SET challenger_status = ?, challenger_answer = ?, challenger_error = ?, challenger_ms = ? WHERE request_id = ?
"""
_PAIRS = """
SELECT request_id, call, at, champion_version, champion_answer, champion_error, champion_ms, challenger_answer,
challenger_error, challenger_ms FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ? AND challenger_status IS NOT NULL ORDER BY seq DESC LIMIT ?
"""
_BODIES = """
SELECT request_id, payload FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ? AND challenger_status IS NOT NULL ORDER BY seq DESC LIMIT ?
"""
_ANSWERS = {
    "champion": """
SELECT champion_version, request_id, payload, champion_answer FROM requests
WHERE model = ? AND champion_status = 200 ORDER BY seq""",
    "challenger": """
SELECT challenger_version, request_id, payload, challenger_answer FROM requests
WHERE model = ? AND challenger_status = 200 ORDER BY seq""",
}
_COUNTS = """
SELECT count(*) FILTER (WHERE mirror = 'queued'), count(*) FILTER (WHERE challenger_status = 200),
count(*) FILTER (WHERE challenger_status <> 200), count(*) FILTER (WHERE mirror = 'dropped') FROM requests
WHERE model = ? AND challenger_version = ? AND challenger_owner = ?
"""
# A challenger answers in the order in which it was asked (several workers: nearly), so what is older than its newest answer and has none is lost;
# what is newer is on its way.
_LOST = """
SELECT count(*) FROM requests
WHERE model = ?1 AND challenger_version = ?2 AND challenger_owner = ?3 AND mirror = 'queued' AND challenger_status IS NULL
AND seq < (SELECT max(seq) FROM requests WHERE model = ?1 AND challenger_version = ?2 AND challenger_owner = ?3
AND challenger_status IS NOT NULL)
"""
_HELD = "SELECT version, owner, expires_at, address, token FROM challengers WHERE model = ?"
_RETENTION_EVERY = 1000
MAX_BODIES_BYTES = 16 << 20
"""Of the bodies that `RequestLog.pairs` returns, together."""

Statement = tuple[str, Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class LoggedRequest:
    """A row as it is when the champion has dealt with the request; the challenger's part follows when it is known.

    `call` is shared by requests that were predicted together. `mirror` is `queued`, `dropped`, or None without a challenger.
    """

    request_id: str
    at: float
    model: str
    payload: str
    call: str
    champion_version: int
    champion_status: int
    champion_answer: str
    champion_error: str
    champion_ms: float
    challenger_version: int | None
    challenger_owner: str | None
    mirror: str | None


@dataclass(frozen=True)
class Lease:
    """A challenger that somebody asked for, until a time (seconds since 1970); `remote` where it is not the gateway's to load."""

    version: int
    owner: str
    expires_at: float
    remote: Remote | None = None


class RequestLog:
    """The log of one gateway. Writes are queued in order and answered by a future; reads open a connection of their own."""

    def __init__(self, folder: Path, keep_rows: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # requests may hold what is nobody else's business
        self._path = folder / _FILE
        self._keep_rows = keep_rows
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ConfigError(f"{folder} is in use by another gateway; give each its own state folder") from None
        with contextlib.suppress(FileExistsError):
            self._path.touch(mode=0o600, exist_ok=False)  # SQLite gives its other files the same mode
        with closing(sqlite3.connect(self._path)) as connection:
            connection.executescript(_SCHEMA)
        self._queue: queue.SimpleQueue[tuple[Statement, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._inserted = 0
        self._writer = threading.Thread(target=self._write_all, name="request-log", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Write what is queued, then release the folder."""
        self._queue.put(None)
        self._writer.join()
        self._lock.close()

    def add(self, requests: list[LoggedRequest]) -> asyncio.Future[None]:
        """Append rows; done once they are committed, which a kill of the gateway does not undo."""
        return self._submit(_INSERT, [astuple(request) for request in requests])

    def challenger_answered(self, answers: list[tuple[int, str, str, float, str]]) -> asyncio.Future[None]:
        """Complete rows: status, answer, error, latency in ms, request id."""
        return self._submit(_ANSWER, answers)

    def remember(self, model: str) -> asyncio.Future[None]:
        """Follow `model` again after a restart."""
        return self._submit("INSERT OR IGNORE INTO followed VALUES (?)", [(model,)])

    def hold(self, model: str, lease: Lease) -> asyncio.Future[None]:
        """Load this challenger again after a restart."""
        remote = (lease.remote.address, lease.remote.token) if lease.remote else (None, None)
        row = (model, lease.version, lease.owner, lease.expires_at, *remote)
        return self._submit("INSERT OR REPLACE INTO challengers VALUES (?, ?, ?, ?, ?, ?)", [row])

    def release(self, model: str) -> asyncio.Future[None]:
        """Forget the challenger of `model`."""
        return self._submit("DELETE FROM challengers WHERE model = ?", [(model,)])

    def followed(self) -> list[str]:
        """The models to follow again."""
        return [model for (model,) in self._read("SELECT model FROM followed ORDER BY model")]

    def lease(self, model: str) -> Lease | None:
        """The challenger to load again, expired or not."""
        for version, owner, expires_at, address, token in self._read(_HELD, model):
            return Lease(version, owner, expires_at, Remote(address=address, token=token) if address else None)
        return None

    def counted(self, model: str, status: ChallengerStatus) -> ChallengerStatus:
        """`status` with what became of the requests of its version and owner."""
        mirrored, answered, errors, dropped = self._read(_COUNTS, model, status.version, status.owner)[0]
        return status.model_copy(update={"mirrored": mirrored, "answered": answered, "errors": errors, "dropped": dropped})

    def pairs(self, model: str, version: int, owner: str, limit: int, bodies: int = 0) -> PairedLog:
        """The newest `limit` requests that both sides dealt with, oldest first; the newest `bodies` of them with their bodies."""
        *_, dropped = self._read(_COUNTS, model, version, owner)[0]
        rows = reversed(self._read(_PAIRS, model, version, owner, limit))
        known = self._bodies(model, version, owner, bodies)
        return PairedLog(
            model=model,
            version=version,
            owner=owner,
            pairs=tuple(_pair(version, row, known) for row in rows),
            dropped=dropped,
            unanswered=self._read(_LOST, model, version, owner)[0][0],
        )

    def _bodies(self, model: str, version: int, owner: str, most: int) -> dict[str, str]:
        """The newest bodies by request id, at most `MAX_BODIES_BYTES` of them."""
        found: dict[str, str] = {}
        size = 0
        with closing(sqlite3.connect(self._path)) as connection:
            for request_id, body in connection.execute(_BODIES, (model, version, owner, most)):
                if size + len(body.encode()) <= MAX_BODIES_BYTES:  # one that is too large leaves room for the others
                    size += len(body.encode())
                    found[request_id] = body
        return found

    def _submit(self, sql: str, rows: Sequence[Sequence[Any]]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(((sql, rows), done))
        return done

    def _read(self, sql: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self._path)) as connection:
            return connection.execute(sql, values).fetchall()

    def _write_all(self) -> None:
        with closing(sqlite3.connect(self._path)) as connection:
            while (first := self._queue.get()) is not None:
                gathered, last = [first], False
                while not self._queue.empty():
                    item = self._queue.get()
                    if item is None:
                        last = True
                        break
                    gathered.append(item)
                error = self._commit(connection, [statement for statement, _ in gathered])
                loop = gathered[0][1].get_loop()
                loop.call_soon_threadsafe(_settle, [done for _, done in gathered], error)
                if last:
                    return

    def _commit(self, connection: sqlite3.Connection, statements: list[Statement]) -> Exception | None:
        try:
            with connection:
                for sql, rows in statements:
                    connection.executemany(sql, rows)
                    self._inserted += len(rows) if sql is _INSERT else 0
                if self._inserted >= _RETENTION_EVERY:
                    self._inserted = 0
                    oldest = "(SELECT max(seq) FROM requests) - ?"
                    connection.execute(f"DELETE FROM requests WHERE seq <= {oldest}", (self._keep_rows,))  # noqa: S608
        except sqlite3.Error as error:
            return error
        return None


def _settle(futures: list[asyncio.Future[None]], error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def logged_answers(folder: Path, model: str, side: Literal["champion", "challenger"]) -> dict[int, list[LoggedAnswer]]:
    """All answers of one side in the log of the gateway whose state folder this is, by version, oldest first."""
    found: dict[int, list[LoggedAnswer]] = {}
    with closing(sqlite3.connect(f"{(folder / _FILE).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for version, request_id, body, answer in connection.execute(_ANSWERS[side], (model,)):
            found.setdefault(version, []).append(LoggedAnswer(request_id, body, json.loads(answer)))
    return found


def _pair(version: int, row: tuple[Any, ...], bodies: Mapping[str, str]) -> Pair:
    request_id, call, at, champion, *answers = row
    return Pair(
        request_id=request_id,
        call=call,
        at=datetime.fromtimestamp(at, UTC),
        champion=_answer(champion, *answers[:3]),
        challenger=_answer(version, *answers[3:]),
        body=bodies.get(request_id),
    )


def _answer(version: int, predictions: str, error: str, latency_ms: float) -> Answer:
    return Answer(
        version=version, predictions=json.loads(predictions) if predictions else None, error=error, latency_ms=latency_ms
    )
