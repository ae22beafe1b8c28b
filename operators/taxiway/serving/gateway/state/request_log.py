"""The request log of a gateway: an SQLite database in its state folder.

One thread writes, and commits all waiting writes at once. The log keeps the newest requests, and deletes older ones once they are in
the Parquet files (`rolling`). Only one gateway at a time may use a state folder.
"""

import asyncio
import contextlib
import fcntl
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from taxiway.errors import ConfigError, RequestError
from taxiway.records.shadow_pairs import Answer, Pair, PairedLog
from taxiway.serving.api import ChallengerStatus
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.log_file import LogFile, Retention
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersions

T = TypeVar("T")

FILE = "requests.sqlite"
MAX_BODIES_BYTES = 16 << 20
"""The limit of all bodies together that `RequestLog.pairs` returns."""
MAX_UNCOMMITTED = 1000
"""How many requests may be answered before they are committed, with `log: fast`."""

Statement = tuple[str, Sequence[Sequence[Any]]]


_NAMES = [each.name for each in fields(LoggedRequest)]
_MODEL, _VERSION = _NAMES.index("model"), _NAMES.index("champion_version")


class RequestLog:
    """The log of one gateway. Writes are queued, and return a future that is done when they are committed.

    Args:
        folder: The state folder; created if needed.
        keep_rows: How many requests to keep.
        keep_bytes: How large the log may be.

    Raises:
        ConfigError: Another gateway uses the folder, or a later version of Taxiway has written the log.
    """

    def __init__(self, folder: Path, keep_rows: int, keep_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # requests may be confidential
        with contextlib.suppress(FileExistsError), (folder / ".gitignore").open("x") as ignored:
            ignored.write("*\n")
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ConfigError(
                f"another gateway uses the state folder {folder}; give each gateway its own: --state FOLDER"
            ) from None
        self._problems = Problems("the request log")
        self._file = LogFile(folder / FILE)
        self._retention = Retention(keep_rows, keep_bytes)
        self.versions = LoggedVersions()
        """The versions that answer."""
        self.uncommitted = 0
        """How many requests wait to be committed; only the event loop changes it."""
        self._queue: queue.SimpleQueue[tuple[Statement, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="request-log", daemon=True)
        self._writer.start()

    @property
    def problem(self) -> str:
        """Why requests cannot be logged at the moment, so that they are refused; empty if they can."""
        return self._problems.text

    def close(self) -> None:
        """Commit the queued writes, then release the folder."""
        self._queue.put(None)
        self._writer.join()
        self._lock.close()

    def add(self, requests: list[LoggedRequest]) -> asyncio.Future[None]:
        """Append rows."""
        self.uncommitted += len(requests)
        committed = self._submit(sql.INSERT, [astuple(request) for request in requests])
        committed.add_done_callback(lambda _: self._committed(len(requests)))
        return committed

    @property
    def may_answer_first(self) -> bool:
        """Whether the added requests may be answered before they are committed.

        They may not if more than `MAX_UNCOMMITTED` wait, which is how many are lost if the gateway is killed, or if the log cannot be
        written.
        """
        return self.uncommitted <= MAX_UNCOMMITTED and not self.problem

    def _committed(self, requests: int) -> None:
        self.uncommitted -= requests

    def challenger_answered(self, answers: list[tuple[int, str, str, float, str]]) -> asyncio.Future[None]:
        """Add answers of the challenger: status, predictions, error, latency in ms and request id."""
        return self._submit(sql.ANSWER, answers)

    def counted(self, model: str, status: ChallengerStatus) -> ChallengerStatus:
        """The status of a challenger with the counts of its requests."""
        names = ("mirrored", "answered", "errors", "dropped", "labelled")
        counts = self._read(sql.COUNTS, model, status.version, status.owner)[0]
        return status.model_copy(update=dict(zip(names, counts, strict=True)))

    def pairs(self, model: str, version: int, owner: str, limit: int, bodies: int = 0) -> PairedLog:
        """The answers of champion and challenger to the same requests, oldest first.

        Args:
            model: The registered model.
            version: The challenger's version.
            owner: The challenger's owner.
            limit: How many pairs, the newest ones.
            bodies: How many of them, the newest ones, have the bodies of their requests; together at most `MAX_BODIES_BYTES`.
        """
        rows = self._read(sql.PAIRS, model, version, owner, limit)[::-1]
        # If older pairs are left out, so are older requests without a pair: the gate compares their numbers.
        since = rows[0][0] if len(rows) == limit else 0
        known = self._bodies(model, version, owner, bodies)
        return PairedLog(
            model=model,
            version=version,
            owner=owner,
            pairs=tuple(_pair(version, row, known) for _, *row in rows),
            dropped=self._read(sql.DROPPED, model, version, owner, since)[0][0],
            unanswered=self._read(sql.LOST, model, version, owner, since)[0][0],
        )

    def labelled_pairs(self, model: str, version: int, owner: str, limit: int) -> tuple[Pair, ...]:
        """The answers of champion and challenger to the requests all of whose rows have labels.

        The requests that were labelled first come first, so that those that come later do not displace any.

        Args:
            model: The registered model.
            version: The challenger's version.
            owner: The challenger's owner.
            limit: How many pairs.
        """
        labels: dict[str, dict[int, Any]] = {}
        for request_id, row, label in self._read(sql.LABELS_OF_PAIRS, model, version, owner):
            labels.setdefault(request_id, {})[row] = json.loads(label)  # the newest label of a row is the last
        pairs = [_pair(version, row, {}) for _, *row in self._read(sql.LABELLED_PAIRS, model, version, owner, limit)]
        return tuple(
            pair.model_copy(update={"labels": tuple(of_rows[row] for row in range(len(of_rows)))})
            for pair in pairs
            if len(of_rows := labels.get(pair.request_id, {})) == len(pair.champion.predictions or ())
        )

    def _bodies(self, model: str, version: int, owner: str, most: int) -> dict[str, str]:
        """The newest bodies by request id, at most `MAX_BODIES_BYTES` of them."""

        def read(connection: sqlite3.Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            size = 0
            for request_id, body in connection.execute(sql.BODIES, (model, version, owner, most)):
                if size + len(body.encode()) <= MAX_BODIES_BYTES:  # skips a body that is too large, not the ones after it
                    size += len(body.encode())
                    found[request_id] = body
            return found

        return self._reading(read)

    def add_labels(self, labels: Sequence[tuple[str, int, str, float, str, float, str]]) -> asyncio.Future[None]:
        """Append labels: request id, row, model, time of the request, label as JSON, time of the label and caller."""
        return self._submit(sql.ADD_LABELS, labels)

    def probe(self) -> None:
        """If the log could not be written, try it again: a gateway that is not ready gets no requests that would do so."""
        if self.problem:
            self._submit(sql.PROBE, [()]).add_done_callback(lambda tried: tried.exception())

    def read_all(self) -> None:
        """Read all requests and labels; if the log is damaged, it is renamed and a new one started."""
        for statement in sql.READ_ALL:
            self._read(statement)

    def not_rolled(self) -> int:
        """How many requests are not in the Parquet files yet."""
        return int(self._read(sql.NOT_ROLLED)[0][0])

    def _submit(self, statement: str, rows: Sequence[Sequence[Any]]) -> asyncio.Future[None]:
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(((statement, rows), committed))
        return committed

    def _read(self, query: str, *values: Any) -> list[Any]:
        return self._reading(lambda connection: connection.execute(query, values).fetchall())

    def _reading(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._file.use(read)
        except sqlite3.Error as error:
            raise RequestError(503, f"the request log cannot be read: {error}; try again later") from error

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            waiting, last = [first], False
            while not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    last = True
                    break
                waiting.append(item)
            error = self._commit([statement for statement, _ in waiting])
            loop = waiting[0][1].get_loop()
            with contextlib.suppress(RuntimeError):  # the loop was closed before its last writes were done
                loop.call_soon_threadsafe(_resolve, [committed for _, committed in waiting], error)
            if last:
                break
        self._file.close()

    def _commit(self, statements: list[Statement]) -> Exception | None:
        def write(connection: sqlite3.Connection) -> None:
            with connection:
                for statement, rows in statements:
                    connection.executemany(statement, rows)
                inserted = [row for statement, rows in statements if statement is sql.INSERT for row in rows]
                # With each commit, because the file may be a new one.
                self.versions.write(connection, {(row[_MODEL], row[_VERSION]) for row in inserted})
                self._retention.apply(connection, inserted)

        try:
            self._file.write(write)
        except Exception as error:  # of any kind: this thread has to continue with the next requests
            self._problems.begin(
                "write",
                f"the request log cannot be written, so requests are refused, or were seconds ago: {error}; check the disk's space and the folder",
            )
            return error
        self._problems.end_if_quiet("write")  # on a full disk, some writes succeed
        return None


def _resolve(futures: list[asyncio.Future[None]], error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _pair(version: int, row: list[Any], bodies: Mapping[str, str]) -> Pair:
    request_id, call_id, at, champion, *answers = row
    return Pair(
        request_id=request_id,
        call=call_id,
        at=datetime.fromtimestamp(at, UTC),
        champion=_answer(champion, *answers[:3]),
        challenger=_answer(version, *answers[3:]),
        body=bodies.get(request_id),
    )


def _answer(version: int, predictions: str, error: str, latency_ms: float) -> Answer:
    return Answer(
        version=version, predictions=json.loads(predictions) if predictions else None, error=error, latency_ms=latency_ms
    )
