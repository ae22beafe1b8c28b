"""The Parquet files of a request log: `KIND/model=NAME/day=YYYY-MM-DD/LOG-FIRST-LAST.parquet`, of requests or of labels."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import quote

from taxiway.serving.request_files import OWN_NAME

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["requests", "labels"]
_PARTIAL = ".partial"


@dataclass
class _Part:
    first: int
    last: int
    tables: "list[pa.Table]" = field(default_factory=list)


class PartitionFiles:
    """Collects rows by model and day, and writes each partition's to a file.

    Args:
        folder: The folder of the files.
        kind: What the rows are.
        log_id: The id of the log, with which the names of its files begin.
    """

    def __init__(self, folder: Path, kind: Kind, log_id: str) -> None:
        self._folder = folder / kind
        self._log_id = log_id
        self._parts: dict[tuple[str, str], _Part] = {}
        self.size = 0
        """The size of the collected rows in bytes."""

    def add(self, model: str, day: str, first: int, last: int, rows: "pa.Table") -> None:
        """Add rows of a partition.

        Args:
            model: The registered model.
            day: The day, such as `2026-01-31`.
            first: The position of their first request or label in the log.
            last: That of the last one.
            rows: The rows.
        """
        part = self._parts.setdefault((model, day), _Part(first, last))
        part.last = last
        part.tables.append(rows)
        self.size += rows.nbytes

    def write(self) -> int:
        """Write what was added to new files; returns how many. They are on disk when this returns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for (model, day), part in self._parts.items():
            target = self._folder / f"model={quote(model, safe='')}" / f"day={day}"
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = target / f"{self._log_id}-{part.first:012}-{part.last:012}.parquet"
            temporary = path.with_suffix(_PARTIAL)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                pq.write_table(pa.concat_tables(part.tables, promote_options="default"), file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            _sync(target)
        files = len(self._parts)
        self._parts, self.size = {}, 0
        return files


def delete_unfinished(folder: Path, log_id: str, rolled: Mapping[Kind, int]) -> None:
    """Delete the files of a call that was killed before the log noted them.

    Args:
        folder: The folder of the files.
        log_id: The id of the log.
        rolled: Up to which position the log has been written, by its note.
    """
    for kind, last in rolled.items():
        for path in folder.glob(f"{kind}/model=*/day=*/{log_id}-*"):
            if path.suffix == _PARTIAL or int(path.name.split("-")[1]) > last:
                path.unlink()


def delete_old_days(folder: Path, keep_days: int | None, now: datetime) -> int:
    """Delete the files of all days but the newest `keep_days`; returns how many days, over all models. Files of others stay."""
    if keep_days is None:
        return 0
    oldest = f"day={(now - timedelta(days=keep_days)).date().isoformat()}"
    deleted = set()
    for kind in get_args(Kind):
        for path in folder.glob(f"{kind}/model=*/day=*/*.parquet"):
            if path.parent.name < oldest and OWN_NAME.fullmatch(path.name):
                path.unlink()
                deleted.add(path.parent)
    for day in deleted:
        if not any(day.iterdir()):
            day.rmdir()
    return len({day.name for day in deleted})


def day_of(at: float) -> str:
    """The day in UTC of a time in seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _sync(folder: Path) -> None:
    """Write the names of a folder to disk: the log must not note files that a power failure removes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
