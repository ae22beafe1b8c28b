"""From the files of a plan to a Snapshot: their whole, checked copies in the store.

Which spans a run reads is in `plan`. Whether the rows are right is not asked here, only whether they can be read.
"""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.spans import FoundSpan
from taxiway.errors import BadData, ConfigError, TransientError
from taxiway.records import Snapshot, Span
from taxiway.store.store import Store

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PARQUET_MAGIC = b"PAR1"
_CHUNK_BYTES = 1 << 20


def ingest(plan: tuple[FoundSpan, ...], *, pipeline: str, source: str, store: Store) -> Snapshot:
    """Copy each planned file into `store` and check the copy; the last span is the evaluation, those before it training.

    Each file is read once. The same files give the same snapshot, whatever their times and however often.

    Raises BadData naming the file where one is truncated, not Parquet or without rows, and TransientError where one vanished
    or changed while it was read; there is no snapshot then.
    """
    if len(plan) < 2:
        raise ConfigError(
            f"a plan has at least one span to train on and one to evaluate on, got {len(plan)}; see plan.plan_window"
        )
    spans = tuple(_ingest_one(found, source, store) for found in plan)
    return Snapshot(pipeline=pipeline, training=spans[:-1], evaluation=spans[-1:])


def _ingest_one(found: FoundSpan, source: str, store: Store) -> Span:
    folder = Path(tempfile.mkdtemp(prefix="taxiway-ingest-"))
    try:
        copy = folder / "span.parquet"
        _copy(found.path, copy)
        rows = count_rows(copy, found.path)
        return Span(source=source, name=found.name, version=found.version, rows=rows, content=store.put_file(copy))
    finally:
        shutil.rmtree(folder)


def _copy(path: str, copy: Path) -> None:
    """Copy a source's file to a place of our own, where nobody changes it while it is checked."""
    import fsspec

    fs, root = fsspec.core.url_to_fs(path)
    try:
        before = _state(fs, root)
        with fs.open(root, "rb") as original, copy.open("wb") as stream:
            shutil.copyfileobj(original, stream, _CHUNK_BYTES)
        after = _state(fs, root)
    except FileNotFoundError:
        raise TransientError(f"{path} vanished after it was found; a retry looks again at what the source holds") from None
    if before != after:
        raise TransientError(
            f"{path} changed while it was read; have the source write beside and rename. A retry reads it anew"
        )


def _state(fs: "AbstractFileSystem", root: str) -> str:
    fs.invalidate_cache(root)
    return str(fs.ukey(root))


def count_rows(copy: Path, path: str) -> int:
    """Read every page of the Parquet file `copy`; returns its number of rows. `path` is what people know it by.

    Raises BadData where it is empty, not Parquet, broken anywhere, without rows, or has two columns of one name.
    """
    import pyarrow
    import pyarrow.parquet

    size = copy.stat().st_size
    if size == 0:
        raise BadData(f"{path} is empty (0 bytes); have the source write it again")
    with copy.open("rb") as stream:
        magic = stream.read(len(_PARQUET_MAGIC))
    if magic != _PARQUET_MAGIC:
        raise BadData(f"{path} is not Parquet: it begins with {magic!r}, not {_PARQUET_MAGIC!r}; have the source write Parquet")
    try:
        with pyarrow.parquet.ParquetFile(copy) as file:
            names = file.schema_arrow.names
            rows = sum(int(batch.num_rows) for batch in file.iter_batches())
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(
            f"{path} is truncated or broken: of its {size:,} bytes, {error}; have the source write it again"
        ) from None
    if rows == 0:
        raise BadData(f"{path} has {len(names)} columns and no rows; have the source write it again, or remove it")
    if not all(name.strip() for name in names):
        raise BadData(
            f"{path} has a column without a name, at place {[bool(n.strip()) for n in names].index(False) + 1}; name it"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadData(f"{path} has more than one column named {', '.join(twice)}; have the source name each column once")
    return rows
