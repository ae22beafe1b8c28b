"""Copy a source's files, convert them to Parquet, and check that they can be read to the end."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.connection import streamed_file
from taxiway.data.engine.one_file import write_as_one
from taxiway.data.engine.parquet_source import check_names
from taxiway.data.engine.storage_errors import LFS_PROBLEM, file_system, is_lfs_pointer
from taxiway.data.formats.convert import RawFile, ReadOptions, as_parquet, format_of, types_of
from taxiway.data.sources.reader import FoundSpan, Note, ignore
from taxiway.errors import DataError, TransientError
from taxiway.messages import counted, listed
from taxiway.store import temp_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PARQUET_MAGIC = b"PAR1"
_CHUNK_BYTES = 1 << 20


AS_NAMED = ReadOptions()


def read_table(found: FoundSpan, folder: Path, options: ReadOptions = AS_NAMED, *, note: Note = ignore) -> Path:
    """A checked Parquet copy of a joined table in `folder`; see `read_file`."""
    copy = read_file(found, folder, options, note=note)
    count_rows(copy, found.path)
    return copy


def read_file(found: FoundSpan, folder: Path, options: ReadOptions = AS_NAMED, *, note: Note = ignore) -> Path:
    """Copy the file of a span to `folder` as Parquet; several files become one.

    Args:
        found: The span.
        folder: Where to write the copy.
        options: How to read the file.
        note: Called with each note on what is doubtful about the file.

    Raises:
        ConfigError: The name does not show the format.
        DataError: The file is not valid.
        TransientError: The file was removed or changed while it was read.
    """
    raw = [_fetch_file(path, _folder_of(folder, at), options) for at, path in enumerate(found.files)]
    converted = as_parquet(raw, options)
    for doubt in converted.notes:
        note(doubt)
    if len(raw) == 1:
        return converted.files[0]
    for file, path in zip(converted.files, found.files, strict=True):
        _rows_and_columns(file, path)  # a part may have no rows
    copy = folder / "rows.parquet"
    write_as_one(converted.files, copy, found.path, dict(zip(converted.files, found.files, strict=True)))
    return copy


def _folder_of(folder: Path, number: int) -> Path:
    own = folder / str(number)
    own.mkdir()
    return own


def common_types(spans: Iterable[FoundSpan], options: ReadOptions = AS_NAMED) -> dict[str, str]:
    """The types of the columns of text files by the values of all files together; one file at a time is copied.

    Raises:
        ConfigError: As `read_file`.
        DataError: As `read_file`.
        TransientError: As `read_file`.
    """

    def copies() -> Iterable[RawFile]:
        for path in (path for span in spans for path in span.files):
            with temp_folder("types") as folder:
                yield _fetch_file(path, folder, options)

    return types_of(copies(), options)


def _fetch_file(path: str, folder: Path, options: ReadOptions) -> RawFile:
    kind = options.format or format_of(path)
    original = folder / "original"
    fetch(path, original)
    return RawFile(original, folder, kind, path)


def fetch(path: str, copy: Path) -> None:
    """Copy a file from any fsspec URL, so that it cannot change while it is checked.

    Raises:
        TransientError: The file was removed or changed while it was read.
    """
    fs, root = file_system(path)
    try:
        before = _state(fs, root)
        with fs.open(root, "rb") as original, copy.open("wb") as stream:
            shutil.copyfileobj(original, stream, _CHUNK_BYTES)
        after = _state(fs, root)
    except FileNotFoundError:
        raise TransientError(f"{path} was removed after it was found; a retry lists the source again") from None
    if before != after:
        raise TransientError(
            f"{path} changed while it was read; write files to a temporary name, then rename them. A retry reads it again"
        )


def _state(fs: "AbstractFileSystem", root: str) -> str:
    fs.invalidate_cache(root)
    return str(fs.ukey(root))


def count_rows(copy: Path, path: str) -> int:
    """Read a whole Parquet file and count its rows.

    Args:
        copy: The file.
        path: Its name in errors.

    Raises:
        DataError: The file is not a complete Parquet file, has no rows, or has columns without a name or with the same name.
    """
    rows, columns = _rows_and_columns(copy, path)
    if rows == 0:
        raise DataError(f"{path} has {counted(columns, 'column')} and no rows; write it again at the source, or remove it")
    return rows


def _rows_and_columns(copy: Path, path: str) -> tuple[int, int]:
    import pyarrow

    size = copy.stat().st_size
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); write it again at the source")
    if is_lfs_pointer(copy):
        raise DataError(f"{path} {LFS_PROBLEM}")
    with copy.open("rb") as stream:
        magic = stream.read(len(_PARQUET_MAGIC))
    if magic != _PARQUET_MAGIC:
        raise DataError(
            f"{path} is not Parquet: it begins with {magic!r}, not {_PARQUET_MAGIC!r}; write it as Parquet at the source"
        )
    try:
        with streamed_file(copy) as file:
            names = file.schema_arrow.names
            rows = sum(int(batch.num_rows) for batch in file.iter_batches())
    except (pyarrow.ArrowException, OSError) as error:
        if fixed := _fixed_size_lists(copy):
            raise DataError(
                f"{path} cannot be read: {error}. It has lists of a fixed size ({listed(fixed)}), which PyArrow cannot read if one of them is "
                "missing; write them as lists of any size at the source"
            ) from None
        raise DataError(f"{path} ({size:,} bytes) is truncated or corrupt: {error}; write it again at the source") from None
    if not all(name.strip() for name in names):
        raise DataError(
            f"{path} has no name for column {[bool(n.strip()) for n in names].index(False) + 1} of {len(names)}; name it at the source"
        )
    check_names(names, path)
    return rows, len(names)


def _fixed_size_lists(copy: Path) -> list[str]:
    """The columns of lists of a fixed size; none if the file has no schema that can be read."""
    import pyarrow
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(copy)
    except (pyarrow.ArrowException, OSError):
        return []
    return [field.name for field in schema if pyarrow.types.is_fixed_size_list(field.type)]
