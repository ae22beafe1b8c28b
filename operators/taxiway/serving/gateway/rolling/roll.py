"""Appends settled requests of the log, and labels, to Parquet files, each exactly once."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from taxiway.errors import ConfigError
from taxiway.serving.gateway.rolling.access import make_folder
from taxiway.serving.gateway.rolling.files import (
    Kind,
    PartitionFiles,
    day_of,
    delete_old_days,
    delete_partial,
    not_noted,
    positions_in,
)
from taxiway.serving.gateway.rolling.labels import label_rows
from taxiway.serving.gateway.rolling.predicted_rows import PrivateColumns, predicted_rows
from taxiway.serving.gateway.rolling.settings import RollSettings, hash_key, read_settings
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.logged_version import read_renames, read_versions
from taxiway.serving.gateway.state.request_log import FILE

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_READ_ROWS = 1000
_READ_CHARACTERS = 8 << 20
_FILE_ROWS = 100_000
_FILE_BYTES = 128 << 20


@dataclass(frozen=True)
class Rolled:
    """What a call of `roll` wrote.

    Attributes:
        folder: The folder of the files.
        requests: How many requests.
        labels: How many labels.
        files: How many files.
        deleted_days: How many days are older than is kept, and were deleted.
    """

    folder: Path
    requests: int = 0
    labels: int = 0
    files: int = 0
    deleted_days: int = 0


def roll(state: Path, now: float | None = None) -> Rolled:
    """Write the requests that have settled since the last call, and the labels; then delete the days that are too old.

    The name of a file has the id of the log, and the first and the last request in it. The log notes up to which request it was written
    after the files are complete. A call that was killed before that is repeated by the next one, which first deletes its files. A call
    waits for another one on the same log.

    Args:
        state: The state folder of a gateway, which may be running.
        now: The time in seconds since 1970; None for the clock's.

    Raises:
        ConfigError: It is not the state folder of a gateway, or the files' folder cannot be made or written.
        sqlite3.Error: The log cannot be read, or what was written cannot be noted.
        OSError: The files cannot be written.
    """
    settings, now = read_settings(state), time.time() if now is None else now
    _require_writable(settings.folder)
    uri = f"{(state / FILE).absolute().as_uri()}?mode=rw"
    with _turn(state), closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        _recover(connection, settings.folder)
        log_id, requests, labels = connection.execute(sql.ROLLED).fetchone()
        private = private_columns(state, settings, read_renames(connection))
        part = partial(_roll, connection, settings.folder, log_id)
        of_requests = part("requests", requests, (now - settings.settle_s,), _requests_table(connection, private))
        of_labels = part("labels", labels, (), lambda _, rows: label_rows(rows))
    deleted = delete_old_days(settings.folder, settings.keep_days, datetime.fromtimestamp(now, UTC))
    return Rolled(settings.folder, of_requests.rows, of_labels.rows, of_requests.files + of_labels.files, deleted)


def _require_writable(folder: Path) -> None:
    """Make the folder of the files, even if nothing is to be written yet: that it cannot be written is known from the start."""
    try:
        make_folder(folder, folder)
        if os.access(folder, os.W_OK | os.X_OK):
            return
        problem = "it cannot be written by this user"
    except FileExistsError:
        problem = "it is a file"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise ConfigError(
        f"the request log cannot be written to {folder}: {problem}; check the folder that taxiway serve --log-folder names"
    )


def private_columns(state: Path, settings: RollSettings, renamed: Mapping[str, str]) -> PrivateColumns:
    """The columns that are not written as they are; `renamed` has the present name of columns by their former name."""
    key = hash_key(state, settings.folder) if settings.hash_columns else b""
    omitted, hashed = (both_names(names, renamed) for names in (settings.omit_columns, settings.hash_columns))
    return PrivateColumns(frozenset(omitted), frozenset(hashed), key)


def both_names(names: Iterable[str], renamed: Mapping[str, str]) -> list[str]:
    """Names of columns with their present and former ones, those that are given first."""
    given = list(names)
    present = [renamed[name] for name in given if name in renamed]
    former = [old for old, new in renamed.items() if new in {*given, *present}]
    return list(dict.fromkeys([*given, *present, *former]))


def _recover(connection: sqlite3.Connection, folder: Path) -> None:
    """Delete the files of a call that was killed before the log noted them: they are written again.

    Files that the log has not noted may also be of a log that was restored from an older backup. Then they have requests that the log
    does not have, and nothing is deleted: the log gets a new id, and what it has in common with the files counts as written.
    """
    log_id, *rolled = connection.execute(sql.ROLLED).fetchone()
    kinds: tuple[Kind, ...] = get_args(Kind)
    files = {kind: not_noted(folder, kind, log_id, done) for kind, done in zip(kinds, rolled, strict=True)}
    written = {kind: set().union(*map(positions_in, paths)) for kind, paths in files.items()}
    known = {kind: _positions(connection, kind, written[kind]) for kind in kinds}
    delete_partial(folder, log_id)
    if written == known:
        for path in (path for paths in files.values() for path in paths):
            path.unlink()
        return
    log.warning("the request log was restored from a backup: %s has later requests, which are kept", folder)
    with connection:
        connection.execute(sql.SET_LOG_ID)
        for kind, done in zip(kinds, rolled, strict=True):
            connection.execute(sql.SET_ROLLED[kind], (max([done, *(seq for seq, _ in known[kind])]),))


def _positions(connection: sqlite3.Connection, kind: Kind, written: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of some positions that the log has with the same request."""
    if not written:
        return set()
    seqs = [seq for seq, _ in written]
    rows = connection.execute(sql.POSITIONS[kind], (min(seqs), max(seqs)))
    return written & {(seq, request_id) for seq, request_id in rows}


@contextmanager
def _turn(state: Path) -> Iterator[None]:
    """Wait for another call: each would take the files of the other for those of one that was killed, and delete them."""
    with (state / "roll.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _requests_table(
    connection: sqlite3.Connection, private: PrivateColumns
) -> "Callable[[str, Sequence[sqlite3.Row]], pa.Table]":
    """The function that converts requests of a model to a table. A version is logged together with its first request."""

    def table(model: str, requests: Sequence[sqlite3.Row]) -> "pa.Table":
        versions = read_versions(connection, model, {each["champion_version"] for each in requests})
        return predicted_rows(requests, versions, private)

    return table


class _Written(NamedTuple):
    rows: int
    files: int


def _roll(
    connection: sqlite3.Connection,
    folder: Path,
    log_id: str,
    kind: Kind,
    last: int,
    values: tuple[float, ...],
    to_table: "Callable[[str, Sequence[sqlite3.Row]], pa.Table]",
) -> _Written:
    """Write the rows of one kind that follow `last`, in files of bounded size; each is noted in the log when it is complete."""
    new = PartitionFiles(folder, kind, log_id)
    rows = files = waiting = 0
    while True:
        read = _read(connection, sql.TO_ROLL[kind], (last, *values))
        for (model, day), group in groupby(sorted(read, key=_partition), key=_partition):
            part = list(group)
            new.add(model, day, part[0]["seq"], part[-1]["seq"], to_table(model, part))
        waiting += len(read)
        last = read[-1]["seq"] if read else last
        if waiting and (not read or waiting >= _FILE_ROWS or new.size >= _FILE_BYTES):
            files += new.write()
            with connection:
                connection.execute(sql.SET_ROLLED[kind], (last,))
            rows, waiting = rows + waiting, 0
        if not read:
            return _Written(rows, files)


def _read(connection: sqlite3.Connection, statement: str, values: tuple[float, ...]) -> list[sqlite3.Row]:
    """The first rows of a query, of bounded number and size."""
    read: list[sqlite3.Row] = []
    size = 0
    with closing(connection.execute(statement, values)) as found:
        for row in found:
            read.append(row)
            size += sum(len(value) for value in row if isinstance(value, str))
            if len(read) >= _READ_ROWS or size >= _READ_CHARACTERS:
                break
    return read


def _partition(row: sqlite3.Row) -> tuple[str, str]:
    """The model, and the day of the prediction; Python's sort is stable, so the rows of one partition stay in order."""
    return row["model"], day_of(row["partition_at"])
