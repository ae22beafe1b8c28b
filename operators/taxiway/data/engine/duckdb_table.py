"""Parquet files as DuckDB views; no name from the data gets into SQL.

In the view `span` the columns are named c0, c1, ... by their order in the first file. The view `numbered` also has `row_number`, the
row's number in its file, from 0, and `file`, the path of that file. A view of `plain_view` has some of the columns with fewer types: integers as
64 or 128 bits, all other numbers, dates and times as doubles; and for each of them a column h0, h1, ... with the hash of the value
itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.columns import Column, hash_of_value_sql, plain_sql, type_of
from taxiway.data.engine.connection import connect, memory_errors, read_errors, restricting_settings, run
from taxiway.data.engine.parquet_source import ParquetSource, parquet_source
from taxiway.records.digests import digest_of_bytes, digest_of_file

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Column", "Table", "add_view", "open_table"]


class Table:
    """The views of some files on an open DuckDB connection; `what` is the name of the data in errors."""

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        columns: tuple[Column, ...],
        data_name: str,
        paths: tuple[Path, ...],
        source: str,
        notes: tuple[str, ...] = (),
        file_names: Mapping[Path, str] | None = None,
    ) -> None:
        self._connection = connection
        self.columns = columns
        self.paths = paths
        self.source = f"{source} AS file({', '.join(column.sql for column in columns)})"
        """An SQL table expression of the files, with the columns of the view `span`."""
        self.notes = notes
        """What is doubtful about the files that the rows were read from."""
        self.file_names = file_names
        """The name of each file in messages; None if nobody knows the files by a name."""
        self._data_name = data_name
        self._views: set[str] = set()

    @cached_property
    def file_digests(self) -> tuple[str, ...]:
        """The digest of each file's content."""
        return tuple(digest_of_file(path) for path in self.paths)

    @property
    def digest(self) -> str:
        """The digest of the files' contents, in their order."""
        return digest_of_bytes("".join(self.file_digests).encode())

    @property
    def one_file(self) -> bool:
        """Whether there is only one file, so that `row_number` identifies a row."""
        return len(self.paths) == 1

    @cached_property
    def row_count(self) -> int:
        """The number of rows, from the files' metadata."""
        return int(self.rows("SELECT count(*) FROM span")[0][0])

    def column(self, name: str) -> Column:
        """The column of this name. Raises KeyError if there is none."""
        return {column.name: column for column in self.columns}[name]

    def plain_view(self, columns: Iterable[Column]) -> str:
        """The name of a view `plain_...` with some columns; a view of all would cost more to bind than a query of a few to run."""
        wanted = tuple(columns)
        name = f"plain_{'_'.join(column.sql for column in wanted)}"
        if name not in self._views:
            run(self._connection, f"CREATE VIEW {name} AS {_plain_query({c.sql: c for c in wanted}, {})}", self._data_name)
            self._views.add(name)
        return name

    def plain_query(self, columns: Sequence[Column], query: str, constants: Mapping[str, float] | None = None) -> str:
        """A query of `plain`, in which these columns are c0, c1 and so on, so that columns of the same types have the same query.

        Args:
            columns: The columns.
            query: The query.
            constants: Further columns of `plain`, which have this number in every row.
        """
        plain = _plain_query({f"c{at}": column for at, column in enumerate(columns)}, constants or {})
        return f"WITH plain AS NOT MATERIALIZED ({plain}) SELECT * FROM ({query})"

    def plain_rows(
        self, columns: Sequence[Column], query: str, constants: Mapping[str, float] | None = None
    ) -> list[tuple[Any, ...]]:
        """All rows of a query of `plain`; see `plain_query`."""
        return self.rows(self.plain_query(columns, query, constants))

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises DataError if a file cannot be read."""
        return run(self._connection, query, self._data_name, parameters)

    def rows_unchecked(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query with user-written SQL; DuckDB's errors about it are raised unchanged."""
        with memory_errors(self._data_name):
            return self._connection.execute(query).fetchall()

    def arrays(self, query: str) -> "dict[str, NDArray[Any]]":
        """The columns of a query as arrays, masked if null. Raises DataError if a file cannot be read."""
        with read_errors(self._data_name):
            found: dict[str, Any] = self._connection.execute(query).fetchnumpy()
            return found

    def in_order(self, names: Sequence[str], condition: str = "true", by: str | None = None) -> "pa.Table":
        """Some columns of all files with the types of the table, in the order of the files and of their rows.

        Args:
            names: The columns.
            condition: A condition in our own SQL on the view `numbered`; only rows for which it is true are read.
            by: What to order by instead, in our own SQL.
        """
        listing = [self.column(name).sql for name in names]
        order = f"WHERE {condition} ORDER BY {f'{by}, ' if by else ''}list_position($1::VARCHAR[], file), row_number"
        ordered = f"SELECT {', '.join([*listing, 'row_number'])} FROM numbered {order}"
        with read_errors(self._data_name):
            found: Any = self._connection.sql(ordered, params=[list(map(str, self.paths))]).to_arrow_table()
        rows: pa.Table = found.select(range(len(listing))).rename_columns(list(names))
        return rows


def _plain_query(columns: Mapping[str, Column], constants: Mapping[str, float]) -> str:
    """The plain values and the hashes of columns, by their names in the result, and constants."""
    values = [f"{plain_sql(c)} AS {name}, {hash_of_value_sql(c)} AS h{name[1:]}" for name, c in columns.items()]
    values += [f"'{number!r}'::DOUBLE AS {name}" for name, number in constants.items()]
    return f"SELECT {', '.join([*values, 'row_number'])} FROM numbered"


@contextmanager
def open_table(
    paths: Path | Sequence[Path], data_name: str, notes: tuple[str, ...] = (), file_names: Mapping[Path, str] | None = None
) -> Iterator[Table]:
    """Open Parquet files with the same columns as one table.

    Queries can read only these files, and can write only to the connection's temporary folder.

    Args:
        paths: One or more files.
        data_name: The name of the data in errors.
        notes: What is doubtful about the files that the rows were read from.
        file_names: The name of each file in messages; None if nobody knows the files by a name.

    Raises:
        DataError: A file cannot be read, or the columns of the files do not fit together.
    """
    with connect() as connection:
        files = (paths,) if isinstance(paths, Path) else tuple(paths)
        source = parquet_source(connection, files, data_name, file_names)
        columns = _create_view(connection, "span", source, data_name)
        _create_view(connection, "numbered", source, data_name, numbered=True)
        for setting in restricting_settings(files):
            run(connection, f"SET {setting}", data_name)
        yield Table(connection, columns, data_name, files, source.sql(), notes, file_names)


def add_view(
    connection: "duckdb.DuckDBPyConnection", view: str, paths: Path | Sequence[Path], data_name: str, *, numbered: bool = False
) -> tuple[Column, ...]:
    """Create a view of Parquet files, whose columns have types that fit the values of all files; see `parquet_source`.

    Args:
        connection: The connection.
        view: The name of the view; never text from the data.
        paths: One or more files.
        data_name: The name of the data in errors.
        numbered: Whether the view also has `row_number`, the number of each row in its file, from 0, and `file`, the path of the file.

    Returns:
        The columns.

    Raises:
        DataError: A file cannot be read, or the columns of the files do not fit together.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    return _create_view(connection, view, parquet_source(connection, files, data_name), data_name, numbered=numbered)


def _create_view(
    connection: "duckdb.DuckDBPyConnection", view: str, source: ParquetSource, data_name: str, *, numbered: bool = False
) -> tuple[Column, ...]:
    listing = ", ".join([*(f"c{at}" for at in range(len(source.names))), *(["row_number", "file"] if numbered else [])])
    run(connection, f"CREATE VIEW {view} AS SELECT * FROM {source.sql(numbered=numbered)} AS file({listing})", data_name)
    described = run(connection, f"DESCRIBE {view}", data_name)
    storages = [str(row[1]) for row in described[: len(source.names)]]
    return tuple(
        Column(name, f"c{at}", type_of(storage), storage)
        for at, (name, storage) in enumerate(zip(source.names, storages, strict=True))
    )
