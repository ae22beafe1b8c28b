"""Finds damaged files of a request log, which are left out with a warning."""

import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.connection import connect, path_literal
from taxiway.serving.request_log.columns import INPUT

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

_damaged_inside: set[tuple[Path, int, int]] = set()
"""The files that are known to be damaged inside, for as long as they are the same: to find that out, all files are read."""
_MAGIC = b"PAR1"
_TYPES = {
    "seq": "BIGINT",
    "row": "BIGINT",
    "request_id": "VARCHAR",
    "received_at": "TIMESTAMP WITH TIME ZONE",
    "champion_version": "BIGINT",
    "champion_status": "BIGINT",
    "labelled_at": "TIMESTAMP WITH TIME ZONE",
    "label": "VARCHAR",
}
"""The types of columns that a gateway writes; inputs are texts."""
_DAMAGED = "%s is damaged, so its rows are left out; restore it from a backup, or delete it"


def is_damaged(path: Path) -> bool:
    """Whether a file does not begin and end as a Parquet file, is none, or is known to be damaged inside."""
    try:
        status = path.stat()
        damaged = not stat.S_ISREG(status.st_mode) or _state(path, status) in _damaged_inside
        if not damaged:
            with path.open("rb") as file:
                begins = file.read(len(_MAGIC))
                file.seek(max(len(_MAGIC), status.st_size - len(_MAGIC)))
                damaged = not begins == file.read() == _MAGIC
    except FileNotFoundError:  # its day has just been deleted
        return True
    if damaged:
        log.warning(_DAMAGED, path)
    return damaged


def readable_of(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files of which all values can be read and have the types that a gateway writes; this takes as long as reading them.

    The others are remembered, with a warning for each.
    """
    import duckdb

    found = []
    with connect() as connection:
        for path in paths:
            try:
                foreign = _foreign_columns(connection, path)
                connection.execute(f"SELECT max(hash(COLUMNS(*))) FROM read_parquet({path_literal(path)})").fetchall()  # noqa: S608 (the path is quoted)
            except duckdb.Error:
                if path.exists():
                    log.warning(_DAMAGED, path)
                    _damaged_inside.add(_state(path, path.stat()))
            else:
                if not foreign:
                    found.append(path)
                    continue
                log.warning("no gateway has written %s: %s; its rows are left out. Move it out of the folder", path, foreign)
                _damaged_inside.add(_state(path, path.stat()))
    return tuple(found)


def _foreign_columns(connection: "duckdb.DuckDBPyConnection", path: Path) -> str:
    """Which columns of a file have another type than a gateway writes, for people; empty if none has."""
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({path_literal(path)})").fetchall()  # noqa: S608 (the path is quoted)
    wanted = {name: _TYPES.get(name, "VARCHAR" if name.startswith(INPUT) else kind) for name, kind, *_ in described}
    return ", ".join(f"{name} is {kind} instead of {wanted[name]}" for name, kind, *_ in described if kind != wanted[name])


def _state(path: Path, status: os.stat_result) -> tuple[Path, int, int]:
    """What changes if a file is replaced."""
    return path, status.st_size, status.st_mtime_ns
