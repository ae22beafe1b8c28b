"""The DuckDB connection: its limits on memory and files, and its errors as Taxiway's."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError, TransientError

if TYPE_CHECKING:
    import duckdb

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Beyond this, DuckDB spills to disk.
    "memory_limit": "700MB",
    # Unordered scans do not wait for the slowest thread.
    "preserve_insertion_order": "false",
    # Parquet statistics ignore NaN: DuckDB 2.0 would take isnan() as false by them and skip rows.
    "disabled_optimizers": "filter_pushdown,statistics_propagation",
}


@contextmanager
def connect() -> "Iterator[duckdb.DuckDBPyConnection]":
    """A new in-memory database that loads no extensions and spills to a temporary folder."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="taxiway-duckdb-") as folder,
        duckdb.connect(":memory:", config={**_SETTINGS, "temp_directory": folder}) as connection,
    ):
        yield connection


def locking(files: Sequence[Path]) -> tuple[str, ...]:
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
    connection: "duckdb.DuckDBPyConnection", query: str, what: str, parameters: list[Any] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of a query.

    Args:
        connection: The connection.
        query: The query.
        what: The name of the data in errors.
        parameters: The values of its placeholders.

    Raises:
        DataError: The data cannot be read.
        TransientError: Memory and disk are not sufficient.
    """
    with read_errors(what):
        return connection.execute(query, parameters or []).fetchall()


@contextmanager
def read_errors(what: str) -> Iterator[None]:
    """Raise DuckDB's errors about the files of a query as Taxiway's.

    Args:
        what: The name of the data in errors.

    Raises:
        DataError: The data cannot be read.
        TransientError: Memory and disk are not sufficient.
    """
    import duckdb

    try:
        with memory_errors(what):
            yield
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        raise DataError(f"{what} cannot be read: {error}; write it again at the source") from None


@contextmanager
def memory_errors(what: str) -> Iterator[None]:
    """Raise DuckDB's error about memory as Taxiway's, and all others unchanged.

    Args:
        what: The name of the data in errors.

    Raises:
        TransientError: Memory and disk are not sufficient.
    """
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise TransientError(
            f"{what}: not enough memory, and not enough space in the temporary folder {tempfile.gettempdir()}: "
            f"{str(error).splitlines()[0]}; free space there, then try again"
        ) from None


def path_literal(path: Path) -> str:
    """A path as SQL text with its glob characters escaped; a view cannot have parameters."""
    return _quoted(re.sub(r"[*?\[]", lambda sign: f"[{sign[0]}]", str(path)))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
