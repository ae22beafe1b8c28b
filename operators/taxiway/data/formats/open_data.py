"""Open data outside a pipeline, given by a path, a pattern or a URL, as one table."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.engine.storage_errors import file_system, storage_errors
from taxiway.data.formats.convert import RawFile, ReadOptions, as_parquet, format_of
from taxiway.errors import ConfigError, DataError
from taxiway.messages import counted, listed
from taxiway.spec.source.span_pattern import is_hidden
from taxiway.store import temp_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_HIVE_FOLDER = re.compile(r"/([^/=]+)=[^/=]*(?=/)")
AS_DETECTED = ReadOptions()


@contextmanager
def open_data(data: Path | str, options: ReadOptions = AS_DETECTED) -> Iterator[Table]:
    """Open data as one table. CSV and JSON lines are converted to Parquet in a temporary folder.

    Args:
        data: A file, a pattern whose files are one table, or a URL that fsspec reads.
        options: How the files are read.

    Raises:
        ConfigError: There is no such file, or its extension is unknown.
        DataError: A file cannot be read or has other columns than the first, or there are no rows.
    """
    fs, found = _found(data)
    with temp_folder("data") as folder:
        raw = [_local(fs, path, folder / str(at), options) for at, path in enumerate(found)]
        converted = as_parquet(raw, options)
        files = [_named_as_original(file, path) for file, path in zip(converted.files, found, strict=True)]
        notes = (*converted.notes, *_folder_notes(data, found))
        with open_table(files, str(data), notes, dict(zip(files, _shown(found), strict=True))) as table:
            if table.row_count == 0:
                raise DataError(f"{data} has {counted(len(table.columns), 'column')} and no rows; write it again at the source")
            yield table


def files_of(data: Path | str) -> list[str]:
    """The files of `data`, each as `open_data` takes it, in the order of their names; numbers in names are ordered as numbers.

    Raises:
        ConfigError: There is no such file.
    """
    fs, found = _found(data)
    return [str(fs.unstrip_protocol(path)) if "://" in str(data) else path for path in found]


def _found(data: Path | str) -> "tuple[AbstractFileSystem, list[str]]":
    fs, root = file_system(str(data))
    with storage_errors(str(data)) if "://" in str(data) else nullcontext():
        found = [root] if fs.isfile(root) else sorted(_match_files(fs, root), key=_in_order)
        problem = "is a folder" if not found and fs.isdir(root) else "does not exist"
    if not found:
        raise ConfigError(f"{data} {problem}; allowed: a file, a pattern such as 'folder/2024-*.csv', or a URL")
    return fs, found


def _match_files(fs: "AbstractFileSystem", pattern: str) -> list[str]:
    """The files that match a pattern; a `*` at the start of a name does not match hidden files, as in the pattern of a source."""
    name = PurePosixPath(pattern).name
    files = [path for path in fs.glob(pattern) if fs.isfile(path)]
    return [path for path in files if not (is_hidden(own := PurePosixPath(path).name) and own[0] != name[0])]


def _in_order(path: str) -> list[tuple[int, str]]:
    """A key that sorts day-2 before day-10."""
    return [(int(part) if part.isdecimal() else 0, part) for part in re.split(r"([0-9]+)", path)]


def _local(fs: "AbstractFileSystem", path: str, folder: Path, options: ReadOptions) -> RawFile:
    """A file on this machine, and the folder for its Parquet file."""
    kind = options.format or format_of(path)
    folder.mkdir()
    if "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
        original = Path(path)
    else:
        original = folder / "original"
        with storage_errors(path):
            fs.get_file(path, str(original))
    return RawFile(original, folder, kind, path)


def _named_as_original(file: Path, path: str) -> Path:
    """The Parquet file under the name of the original, by which errors name it."""
    return file if str(file) == path else file.rename(file.with_name(Path(path).name))


def _shown(found: list[str]) -> list[str]:
    """The names of files in messages, with the folders in which they differ if their names are alike."""
    names = [Path(path).name for path in found]
    if len(set(names)) == len(names):
        return names
    folder = os.path.commonpath([str(Path(path).parent) for path in found])
    return [path.removeprefix(f"{folder}/") for path in found]


def _folder_notes(data: Path | str, found: Iterable[str]) -> Iterator[str]:
    names = dict.fromkeys(name for path in found for name in _HIVE_FOLDER.findall(path))
    if names:
        yield f"{data}: folders are not read as columns, so there is no {listed(names)}; write the column into the files"
