"""The file of the request log: a damaged or replaced one is renamed and a new one started, and the oldest requests are deleted."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from taxiway.errors import ConfigError
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.set_aside import set_aside

log = logging.getLogger(__name__)

T = TypeVar("T")

_BESIDE = ("-wal", "-shm", "-journal")
_HEADER_BYTES = 16
_MAX_ROWS_BETWEEN = 1000


class _Identity(NamedTuple):
    """What changes if somebody else touches the files: their inodes, and the first bytes."""

    inode: int
    wal_inode: int
    header: bytes


class LogFile:
    """The SQLite database of a log. One thread writes; others read.

    Args:
        path: The file; created if it does not exist, migrated if it has an older schema, and renamed if it is
            not a request log.

    Raises:
        ConfigError: A later version of Taxiway has written the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # held by the writer, and while the file is replaced
        self._writing: sqlite3.Connection | None = None
        # Open as long as a connection is: closing any descriptor of a file releases all locks of the process on it, including
        # those of SQLite. Another process that reads would then assume that the log is unused, and remove its `-wal`.
        self._held: int | None = None
        self._inode = 0
        self._opened: _Identity | None = None  # that of the files which the writer has open
        with self._lock:
            try:
                self._open()
            except BaseException:
                self._disconnect()
                raise

    def use(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Read; if the file turns out to be damaged or missing, a new one is started and read."""
        inode = self._inode
        try:
            return self._read(read)
        except sqlite3.Error as error:
            with self._lock:
                self._repair(error, inode)
            return self._read(read)

    def write(self, write: Callable[[sqlite3.Connection], None]) -> None:
        """Write in one transaction; if the file turns out to be damaged or missing, a new one is started and written."""
        with self._lock:
            if self._opened is not None and self._identity() != self._opened:
                self._reopen()  # SQLite would continue to use the files that it has open
            try:
                write(self._connection())
            except sqlite3.Error as error:
                self._repair(error, self._inode)
                write(self._connection())
            if self._is_gone():  # it may have been gone before the commit
                self._reopen()
                write(self._connection())

    def close(self) -> None:
        """Close the connection of the writer."""
        with self._lock:
            self._disconnect()

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with closing(self._connect()) as connection:
            return read(connection)

    def _connect(self) -> sqlite3.Connection:
        # Without `mode=rw`, SQLite would make a missing file, readable by everybody.
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)

    def _repair(self, error: sqlite3.Error, inode: int) -> None:
        """Start a new file if the one with this `inode` is damaged or missing; raises `error` if it is neither.

        The caller holds the lock, as for all methods below.
        """
        if self._inode != inode:  # another thread has already started a new file
            return
        if _inode(self._path) != inode:
            self._reopen()
        elif self._is_damaged(error):
            self._start_new_file(error)
        else:
            raise error

    def _reopen(self) -> None:
        log.warning("%s was deleted, replaced or overwritten while it was in use; the requests in it are lost", self._path)
        overwritten = self._opened is not None and self._identity().header != self._opened.header
        self._disconnect()  # which writes what it still has of the old content into the file, so that it may look like a log again
        if overwritten and self._path.is_file():
            self._set_aside("it was overwritten")
        if not self._path.exists():
            set_aside(self._path, _BESIDE)  # a new file must not be filled from what was written for the old one
        self._open()

    def _open(self) -> None:
        """Open the file; one that is not a request log is renamed and replaced by a new one."""
        self._disconnect()
        if self._path.exists() and not self._path.is_file():
            self._set_aside(f"{self._path} is not a file")
        try:
            self._create()
        except sqlite3.Error as error:
            if not self._is_damaged(error):
                raise
            self._start_new_file(error)

    def _start_new_file(self, error: sqlite3.Error) -> None:
        self._disconnect()
        self._set_aside(str(error))
        self._create()

    def _set_aside(self, why: str) -> None:
        kept = set_aside(self._path, _BESIDE)
        log.warning("%s cannot be used (%s); it was renamed to %s, and a new one was started", self._path, why, kept.name)

    def _create(self) -> None:
        self._held = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)  # SQLite gives its other files the same mode
        with closing(self._connect()) as connection:
            self._migrate(connection)
        self._check()
        self._inode = _inode(self._path)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the file to the current version of the schema. Raises ConfigError if it has a later one."""
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > sql.VERSION:
            raise ConfigError(
                f"{self._path} has version {version} of the schema, and this gateway knows versions up to {sql.VERSION}: a later version of "
                "Taxiway has written it. Start that version, or give this gateway another state folder: --state FOLDER"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'requests'").fetchone()[0]:
            connection.executescript(sql.SCHEMA)
            return
        for known in range(version, sql.VERSION):
            connection.executescript(sql.MIGRATIONS[known])

    def _check(self) -> None:
        """Raise sqlite3.Error if the file is not a request log."""
        with closing(self._connect()) as connection:
            connection.execute(sql.ALL_COLUMNS).fetchall()

    def _connection(self) -> sqlite3.Connection:
        if self._held is None:
            self._held = os.open(self._path, os.O_RDONLY)
        if self._writing is None:
            self._writing = self._connect()
            self._writing.execute("SELECT 1 FROM rolled").fetchone()  # creates the `-wal`
            self._opened = self._identity()._replace(inode=os.fstat(self._held).st_ino)
        return self._writing

    def _disconnect(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = self._opened = None
        if self._held is not None:  # last
            os.close(self._held)
            self._held = None

    def _identity(self) -> "_Identity":
        try:
            header = os.pread(self._held, _HEADER_BYTES, 0) if self._held is not None else b""
        except OSError:
            header = b""
        return _Identity(_inode(self._path), _inode(self._path.with_name(f"{self._path.name}-wal")), header)

    def _is_gone(self) -> bool:
        """Whether the file that was just written is no longer the log, so that nobody will find in it what was written."""
        found, opened = self._identity(), self._opened
        return opened is not None and (found.inode, found.header) != (opened.inode, opened.header)

    def _is_damaged(self, error: sqlite3.Error) -> bool:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code != sqlite3.SQLITE_ERROR:
            return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        try:  # a mistake in a statement, or a file with other tables
            self._check()
        except sqlite3.Error:
            return True
        return False


def _inode(path: Path) -> int:
    """The inode of a file; 0 if it does not exist."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


class Retention:
    """Deletes the oldest requests of a log. A request that is not in the Parquet files yet is never deleted.

    Args:
        keep_rows: How many requests to keep, and how many labels.
        keep_bytes: How large the log may be.
    """

    def __init__(self, keep_rows: int, keep_bytes: int) -> None:
        self._keep_rows = keep_rows
        self._keep_bytes = keep_bytes
        self._rows_between = min(_MAX_ROWS_BETWEEN, max(1, keep_rows // 10))
        self._rows = self._bytes = 0

    def apply(self, connection: sqlite3.Connection, inserted: Sequence[Sequence[Any]]) -> None:
        """Delete what is too much, if enough was inserted since the last time."""
        self._rows += len(inserted)
        self._bytes += sum(len(value) for row in inserted for value in row if isinstance(value, str))
        if self._rows < self._rows_between and self._bytes < self._keep_bytes // 100:
            return
        self._rows = self._bytes = 0
        connection.execute(sql.DELETE_MANY, (self._keep_rows,))
        connection.execute(sql.DELETE_MANY_LABELS, (self._keep_rows,))
        excess = _used_bytes(connection) - self._keep_bytes
        if excess > 0:
            connection.execute(sql.DELETE_UNTIL, (_last_to_delete(connection, excess),))


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _last_to_delete(connection: sqlite3.Connection, excess: int) -> int:
    """The last of the oldest requests that together have `excess` bytes, or the last that may be deleted."""
    freed, last = 0, 0
    for seq, size in connection.execute(sql.OLDEST_ROLLED):
        last = seq
        freed += size
        if freed >= excess:
            break
    return last
