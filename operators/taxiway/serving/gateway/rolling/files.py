"""The Parquet files of a request log: `KIND/model=NAME/day=YYYY-MM-DD/LOG-FIRST-LAST.parquet`, of requests or of labels."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import quote

from taxiway.serving.gateway.rolling.access import make_folder, open_new
from taxiway.serving.request_log.files import OWN_NAME, layout_metadata

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
        self._root, self._folder = folder, folder / kind
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
        """Write what was added to new files; returns how many. They are on disk when this returns.

        Raises:
            ConfigError: They are to be shared with a group that the gateway's user is not in.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        for (model, day), part in self._parts.items():
            target = self._folder / f"model={quote(model, safe='')}" / f"day={day}"
            make_folder(target, self._root)
            path = target / f"{self._log_id}-{part.first:012}-{part.last:012}.parquet"
            temporary = path.with_suffix(_PARTIAL)
            with open_new(temporary) as file:
                rows = pa.concat_tables(part.tables, promote_options="default").replace_schema_metadata(layout_metadata())
                pq.write_table(rows, file, compression="zstd", write_page_checksum=True)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            _sync(target)
        files = len(self._parts)
        self._parts, self.size = {}, 0
        return files


def not_noted(folder: Path, kind: Kind, log_id: str, rolled: int) -> list[Path]:
    """The files of a log with requests, or labels, that follow the position up to which it has noted them."""
    found = folder.glob(f"{kind}/model=*/day=*/{log_id}-*.parquet")
    return [path for path in found if OWN_NAME.fullmatch(path.name) and int(path.name.split("-")[1]) > rolled]


def positions_in(path: Path) -> set[tuple[int, str]]:
    """The positions in the log of the rows of a file, with the ids of their requests."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["seq", "request_id"], partitioning=None)
    return set(zip(*(column.to_pylist() for column in table.columns), strict=True))


def delete_partial(folder: Path, log_id: str) -> None:
    """Delete the files that were not written to their end."""
    for path in folder.glob(f"*/model=*/day=*/{log_id}-*{_PARTIAL}"):
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
