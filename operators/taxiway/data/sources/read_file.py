"""Files of a source: copied to a place where nobody changes them, converted to Parquet, and read to the end once."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.formats.convert import as_parquet, format_of
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import DataError, TransientError
from taxiway.spec.base import Format

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PARQUET_MAGIC = b"PAR1"
_CHUNK_BYTES = 1 << 20


def read_table(found: FoundSpan, folder: Path, format: Format | None = None) -> Path:
    """The Parquet file, in `folder`, with the rows of a table that is joined, as checked as a span is."""
    copy = read_file(found, folder, format)
    count_rows(copy, found.path)
    return copy


def read_file(found: FoundSpan, folder: Path, format: Format | None = None, text_columns: Collection[str] = ()) -> Path:
    """The Parquet file, in `folder`, with the rows of a file that was found; `format` where its name does not tell.

    `text_columns` are those of CSV that are text whatever they hold.
    """
    kind = format or format_of(found.path)
    original = folder / "original"
    fetch(found.path, original)
    return as_parquet(original, folder, format=kind, what=found.path, text_columns=text_columns)


def fetch(path: str, copy: Path) -> None:
    """Copy a source's file, on any fsspec URL, to a place of our own, where nobody changes it while it is checked.

    Raises TransientError where it vanishes or changes meanwhile.
    """
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

    Raises DataError where it is empty, not Parquet, broken anywhere, without rows, or has two columns of one name.
    """
    import pyarrow
    import pyarrow.parquet

    size = copy.stat().st_size
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); have the source write it again")
    with copy.open("rb") as stream:
        magic = stream.read(len(_PARQUET_MAGIC))
    if magic != _PARQUET_MAGIC:
        raise DataError(
            f"{path} is not Parquet: it begins with {magic!r}, not {_PARQUET_MAGIC!r}; have the source write Parquet"
        )
    try:
        with pyarrow.parquet.ParquetFile(copy) as file:
            names = file.schema_arrow.names
            rows = sum(int(batch.num_rows) for batch in file.iter_batches())
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{path} is truncated or broken: of its {size:,} bytes, {error}; have the source write it again"
        ) from None
    if rows == 0:
        raise DataError(f"{path} has {len(names)} columns and no rows; have the source write it again, or remove it")
    if not all(name.strip() for name in names):
        raise DataError(
            f"{path} has a column without a name, at place {[bool(n.strip()) for n in names].index(False) + 1}; name it"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has more than one column named {', '.join(twice)}; have the source name each column once")
    return rows
