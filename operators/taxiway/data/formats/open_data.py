"""Open data outside a pipeline, given by a path, a pattern or a URL, as one table."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.engine.storage_errors import storage_errors
from taxiway.data.formats.convert import as_parquet, format_of
from taxiway.errors import ConfigError, DataError
from taxiway.store import temp_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@contextmanager
def open_data(data: Path | str, text_columns: Collection[str] = ()) -> Iterator[Table]:
    """Open data as one table. CSV and JSON lines are converted to Parquet in a temporary folder.

    Args:
        data: A file, a pattern whose files are one table, or a URL that fsspec reads.
        text_columns: The columns of CSV files to read as text, whatever their values.

    Raises:
        ConfigError: There is no such file, or its extension is unknown.
        DataError: A file cannot be read or has other columns than the first, or there are no rows.
    """
    fs, found = _found(data)
    with temp_folder("data") as folder:
        files = [_local(fs, path, folder / str(at), text_columns) for at, path in enumerate(found)]
        with open_table(files, str(data)) as table:
            if table.row_count == 0:
                raise DataError(f"{data} has {len(table.columns)} columns and no rows; write it again at the source")
            yield table


def files_of(data: Path | str) -> list[str]:
    """The files of `data`, in the order of their names, each as `open_data` takes it.

    Raises:
        ConfigError: There is no such file.
    """
    fs, found = _found(data)
    return [str(fs.unstrip_protocol(path)) if "://" in str(data) else path for path in found]


def _found(data: Path | str) -> "tuple[AbstractFileSystem, list[str]]":
    import fsspec

    try:
        fs, root = fsspec.core.url_to_fs(str(data))
    except (ValueError, ImportError) as error:
        raise ConfigError(
            f"{data} cannot be opened: {error}; allowed: a path, or a URL of an installed fsspec file system"
        ) from None
    with storage_errors(str(data)) if "://" in str(data) else nullcontext():
        found = [root] if fs.isfile(root) else sorted(path for path in fs.glob(root) if fs.isfile(path))
        problem = "is a folder" if not found and fs.isdir(root) else "does not exist"
    if not found:
        raise ConfigError(f"{data} {problem}; allowed: a file, a pattern such as 'folder/2024-*.csv', or a URL")
    return fs, found


def _local(fs: "AbstractFileSystem", path: str, folder: Path, text_columns: Collection[str]) -> Path:
    """A Parquet file on this machine with the rows of a file."""
    kind = format_of(path)
    folder.mkdir()
    if "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
        original = Path(path)
    else:
        original = folder / "original"
        with storage_errors(path):
            fs.get_file(path, str(original))
    rows = as_parquet(original, folder, format=kind, what=path, text_columns=text_columns)
    # Errors name files by their names.
    return rows if rows == original else rows.rename(folder / Path(path).name)
