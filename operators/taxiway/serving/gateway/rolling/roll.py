"""Appends settled requests of the log to Parquet files, each exactly once."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from taxiway.errors import ConfigError
from taxiway.serving.gateway.rolling.predicted_rows import predicted_rows
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.request_log import FILE

_BATCH = 10_000
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Rolled:
    """What a call of `roll` wrote.

    Attributes:
        requests: How many requests.
        files: How many files.
        deleted: How many requests the gateway had deleted from its log before they could be written.
    """

    requests: int = 0
    files: int = 0
    deleted: int = 0


def roll(state: Path, folder: Path, settle_s: float) -> Rolled:
    """Write the requests that have settled since the last call to `FOLDER/requests/model=NAME/day=YYYY-MM-DD/`.

    The name of a file has the id of the log and the first and the last request in it. The log notes up to which request it was written
    after the files are complete. A call that was killed before that is repeated by the next one, which first deletes its files.

    Args:
        state: The state folder of a gateway, which may be running.
        folder: Where to write.
        settle_s: A request that a challenger has not answered is written after so many seconds.

    Raises:
        ConfigError: Another call writes the log.
    """
    rolled = Rolled()
    uri = f"{(state / FILE).absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True)) as connection, _only_call(state):
        connection.row_factory = sqlite3.Row
        log_id, last = connection.execute(sql.ROLLED).fetchone()
        _delete_unfinished(folder, log_id, last)
        while requests := connection.execute(sql.SETTLED, (last, time.time() - settle_s, _BATCH)).fetchall():
            files = _write(folder, log_id, requests)
            deleted = requests[-1]["seq"] - last - len(requests)
            last = requests[-1]["seq"]
            with connection:
                connection.execute(sql.SET_ROLLED, (last,))
            rolled = Rolled(rolled.requests + len(requests), rolled.files + files, rolled.deleted + deleted)
    return rolled


@contextmanager
def _only_call(state: Path) -> Iterator[None]:
    """Refuse a second call: it would take the files of the first for those of one that was killed, and delete them."""
    with (state / "roll.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"the request log in {state} is being written to Parquet files by another process; wait for it"
            ) from None
        yield


def _delete_unfinished(folder: Path, log_id: str, last: int) -> None:
    for path in folder.glob(f"requests/model=*/day=*/{log_id}-*"):
        if path.suffix == _PARTIAL or int(path.name.split("-")[1]) > last:
            path.unlink()


def _write(folder: Path, log_id: str, requests: list[sqlite3.Row]) -> int:
    import pyarrow.parquet as pq

    files = 0
    for (model, day), group in groupby(sorted(requests, key=_partition), key=_partition):
        part = list(group)
        target = folder / "requests" / f"model={quote(model, safe='')}" / f"day={day}"
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = target / f"{log_id}-{part[0]['seq']:012}-{part[-1]['seq']:012}.parquet"
        temporary = path.with_suffix(_PARTIAL)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            pq.write_table(predicted_rows(part), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync(target)
        files += 1
    return files


def _sync(folder: Path) -> None:
    """Write the names of a folder to disk: the log must not note files that a power failure removes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _partition(request: sqlite3.Row) -> tuple[str, str]:
    """The model, and the day in UTC; Python's sort is stable, so requests of one partition stay in order."""
    return request["model"], datetime.fromtimestamp(request["at"], UTC).date().isoformat()
