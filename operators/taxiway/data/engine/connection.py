"""The DuckDB connection: its limits on memory and files, and its errors as Taxiway's."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError, TransientError
from taxiway.store import temp_folder

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

_BUFFER_BYTES = 1 << 20
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Unordered scans do not wait for the slowest thread.
    "preserve_insertion_order": "false",
    # Parquet statistics ignore NaN: DuckDB 2.0 would take isnan() as false by them and skip rows.
    "disabled_optimizers": "filter_pushdown,statistics_propagation",
}


USE_UTC = "SET TimeZone = 'UTC'"
"""Dates of times and hours in SQL that people write are those of UTC, and not of the machine's time zone."""


@contextmanager
def connect(*, memory_limit: str = "700MB", max_threads: int | None = None) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A new in-memory database in UTC that loads no extensions and spills to a temporary folder.

    Args:
        memory_limit: The memory beyond which it spills, such as `700MB`.
        max_threads: The largest number of threads; None for one for each core.
    """
    import duckdb

    with (
        temp_folder("duckdb") as folder,
        duckdb.connect(
            ":memory:", config={**_SETTINGS, "memory_limit": memory_limit, "temp_directory": str(folder)}
        ) as connection,
    ):
        run(connection, USE_UTC, "the settings")
        run(connection, "SET enable_progress_bar = false", "the settings")
        if max_threads is not None:
            run(connection, f"SET threads = least(current_setting('threads'), {max_threads:d})", "the settings")
        yield connection


def restricting_settings(files: Sequence[Path]) -> tuple[str, ...]:
    """Settings that restrict a connection to `files`, and that SQL cannot undo."""
    # DuckDB checks a path both as written in the view, with escaped glob characters, and unescaped.
    allowed = ", ".join(text for file in files for text in (path_literal(file), _quoted(str(file))))
    return (
        f"allowed_paths = [{allowed}]",
        "enable_external_access = false",
        "python_enable_replacements = false",
        "lock_configuration = true",
    )


def run(
    connection: "duckdb.DuckDBPyConnection", query: str, data_name: str, parameters: list[Any] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of a query.

    Args:
        connection: The connection.
        query: The query.
        data_name: The name of the data in errors.
        parameters: The values of its placeholders.

    Raises:
        DataError: The data cannot be read.
        TransientError: Memory and disk are not sufficient.
    """
    with read_errors(data_name):
        return connection.execute(query, parameters or []).fetchall()


def stream(
    connection: "duckdb.DuckDBPyConnection", query: str, data_name: str, batch_rows: int
) -> "tuple[pa.Schema, Iterator[pa.RecordBatch]]":
    """The Arrow schema of a query, and its rows in batches.

    Args:
        connection: The connection.
        query: The query.
        data_name: The name of the data in errors.
        batch_rows: The approximate number of rows in a batch.

    Raises:
        DataError: The data cannot be read. Also raised by the iterator.
        TransientError: Memory and disk are not sufficient. Also raised by the iterator.
    """
    with read_errors(data_name):
        reader = connection.sql(query).to_arrow_reader(batch_rows)
    return reader.schema, read_batches(reader, data_name)


def streamed_file(path: "Path | str") -> "pq.ParquetFile":
    """Open a Parquet file whose batches are read one after the other: by default, Arrow reads the whole file into memory ahead."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)


def read_batches(batches: "Iterator[pa.RecordBatch]", data_name: str) -> "Iterator[pa.RecordBatch]":
    """The batches of an Arrow reader, with its errors as Taxiway's.

    Args:
        batches: The reader of a query, or of a Parquet file.
        data_name: The name of the data in errors.

    Raises:
        DataError: The data cannot be read.
        TransientError: Memory and disk are not sufficient.
    """
    import duckdb
    import pyarrow as pa

    while True:
        with read_errors(data_name):
            try:
                batch = next(batches, None)
            except (OSError, pa.ArrowException) as error:
                # Arrow passes an error of DuckDB on as text.
                memory = str(error).startswith("Out of Memory Error")
                raise (duckdb.OutOfMemoryException if memory else duckdb.IOException)(str(error)) from None
        if batch is None:
            return
        yield batch


@contextmanager
def read_errors(data_name: str) -> Iterator[None]:
    """Raise DuckDB's errors about the files of a query as Taxiway's.

    Args:
        data_name: The name of the data in errors.

    Raises:
        DataError: The data cannot be read.
        TransientError: Memory and disk are not sufficient.
    """
    import duckdb

    try:
        with memory_errors(data_name):
            yield
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        raise DataError(f"{data_name} cannot be read: {error}; write it again at the source") from None


@contextmanager
def memory_errors(data_name: str) -> Iterator[None]:
    """Raise DuckDB's error about memory as Taxiway's, and all others unchanged.

    Args:
        data_name: The name of the data in errors.

    Raises:
        KeyboardInterrupt: The query was interrupted.
        TransientError: Memory and disk are not sufficient.
    """
    import duckdb

    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        if isinstance(error, duckdb.InterruptException) or str(error) == "Query interrupted":  # the latter by Ctrl-C
            raise KeyboardInterrupt from None
        raise
    except duckdb.OutOfMemoryException as error:
        raise TransientError(
            f"{data_name}: not enough memory, and not enough space in the temporary folder {tempfile.gettempdir()}: "
            f"{str(error).splitlines()[0]}; free space there, then try again"
        ) from None


def path_literal(path: Path) -> str:
    """A path as SQL text with its glob characters escaped; a view cannot have parameters."""
    return _quoted(re.sub(r"[*?\[]", lambda sign: f"[{sign[0]}]", str(path)))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
