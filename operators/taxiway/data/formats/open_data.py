"""Data that lie outside a pipeline, named by a path, a pattern or a URL, as one table."""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.formats.convert import as_parquet, format_of
from taxiway.errors import ConfigError, DataError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@contextmanager
def open_data(data: Path | str, text_columns: Collection[str] = ()) -> Iterator[Table]:
    """Open a file, all files that a pattern matches as one table, or what a URL that fsspec reads names.

    CSV and JSON lines, which may be compressed with gzip, become Parquet in a folder of their own; local Parquet is read where it
    lies. `text_columns` are those of CSV that are text whatever they hold.

    Raises ConfigError where nothing is there or the name does not tell the format, DataError where a file cannot be read, has no
    rows, or other columns than the first.
    """
    fs, found = _found(data)
    with tempfile.TemporaryDirectory(prefix="taxiway-data-") as folder:
        files = [_local(fs, path, Path(folder, str(at)), text_columns) for at, path in enumerate(found)]
        with open_table(files, str(data)) as table:
            if table.row_count == 0:
                raise DataError(f"{data} has {len(table.columns)} columns and no rows; have the source write it again")
            yield table


def files_of(data: Path | str) -> list[str]:
    """The files that `data` names or matches, by name, each as `open_data` takes it. Raises ConfigError where nothing is there."""
    fs, found = _found(data)
    return [str(fs.unstrip_protocol(path)) if "://" in str(data) else path for path in found]


def _found(data: Path | str) -> "tuple[AbstractFileSystem, list[str]]":
    import fsspec

    try:
        fs, root = fsspec.core.url_to_fs(str(data))
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{data} cannot be opened: {error}; give a path, or a URL that fsspec reads here") from None
    found = [root] if fs.isfile(root) else sorted(path for path in fs.glob(root) if fs.isfile(path))
    if not found:
        folder = "is a folder" if fs.isdir(root) else "does not exist"
        raise ConfigError(f"{data} {folder}; give a file, a pattern such as 'folder/2024-*.csv', or a URL")
    return fs, found


def _local(fs: "AbstractFileSystem", path: str, folder: Path, text_columns: Collection[str]) -> Path:
    """A Parquet file on this machine with the rows of a file."""
    kind = format_of(path)
    folder.mkdir()
    if "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
        original = Path(path)
    else:
        original = folder / "original"
        fs.get_file(path, str(original))
    rows = as_parquet(original, folder, format=kind, what=path, text_columns=text_columns)
    # Errors name files by their names.
    return rows if rows == original else rows.rename(folder / Path(path).name)
