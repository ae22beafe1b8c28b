"""One span's Parquet file as a DuckDB view, safe against whatever its columns, values and folders are called.

In the view `span` the columns are named c0, c1, ... by their place in the file: no name from the data gets into SQL.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import BadData

if TYPE_CHECKING:
    import duckdb

_TYPES = (
    ("boolean", re.compile(r"BOOLEAN")),
    ("integer", re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")),
    ("number", re.compile(r"FLOAT|DOUBLE|DECIMAL\(.*\)")),
    ("string", re.compile(r"VARCHAR|ENUM\(.*\)")),
    ("date", re.compile(r"DATE")),
    ("datetime", re.compile(r"TIMESTAMP.*")),
)
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(frozen=True)
class Column:
    """A column by its name in the file, its name in the view, what it holds (`other`: nested, binary) and DuckDB's word for that."""

    name: str
    sql: str
    type: str
    storage: str


class Table:
    """The view `span` on an open DuckDB connection; `what` is how errors name the file."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", columns: tuple[Column, ...], what: str) -> None:
        self._connection = connection
        self.columns = columns
        self._what = what

    def column(self, name: str) -> Column:
        """The column of this name. Raises KeyError if there is none."""
        return {column.name: column for column in self.columns}[name]

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises BadData where the file cannot be read."""
        return run(self._connection, query, self._what, parameters)


@contextmanager
def open_table(path: Path, what: str) -> Iterator[Table]:
    """Open a Parquet file; `what` is how errors name it."""
    with connect() as connection:
        yield Table(connection, add_view(connection, "span", path, what), what)


def connect() -> "duckdb.DuckDBPyConnection":
    """A database of its own in memory, that fetches no extensions."""
    import duckdb

    return duckdb.connect(":memory:", config=_SETTINGS)


def add_view(
    connection: "duckdb.DuckDBPyConnection", view: str, path: Path, what: str, *, numbered: bool = False
) -> tuple[Column, ...]:
    """Name a Parquet file `view`, a word of our own; returns its columns. Raises BadData where the file cannot be read.

    Where it is `numbered`, the view has a column `row` besides: the place of each row in the file, from 0.
    """
    names = _names(path, what)
    listing = ", ".join([*(f"c{at}" for at in range(len(names))), *(["row"] if numbered else [])])
    # Without hive_partitioning=false a folder called `a=b` anywhere in the path becomes a column.
    source = f"read_parquet({_literal(path)}, hive_partitioning = false, file_row_number = {str(numbered).lower()})"
    run(connection, f"CREATE VIEW {view} AS SELECT * FROM {source} AS file({listing})", what)  # noqa: S608 our own names
    types = [str(row[1]) for row in run(connection, f"DESCRIBE {view}", what)]
    return tuple(
        Column(name, f"c{at}", _type_of(storage), storage)
        for at, (name, storage) in enumerate(zip(names, types[: len(names)], strict=True))
    )


def run(
    connection: "duckdb.DuckDBPyConnection", query: str, what: str, parameters: list[Any] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of a query; `what` is how errors name the data. Raises BadData where they cannot be read."""
    import duckdb

    try:
        return connection.execute(query, parameters or []).fetchall()
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        raise BadData(f"{what} cannot be read: {error}; have the source write it again") from None


def _names(path: Path, what: str) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return list(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(f"{what} cannot be read: {error}; have the source write it again") from None


def _literal(path: Path) -> str:
    """A path as SQL text, its glob signs taken literally: a view takes no parameters."""
    return "'" + re.sub(r"[*?\[]", lambda sign: f"[{sign[0]}]", str(path)).replace("'", "''") + "'"


def _type_of(storage: str) -> str:
    return next((name for name, expression in _TYPES if expression.fullmatch(storage)), "other")
