"""Parquet files as DuckDB views; no name from the data gets into SQL.

In the view `span` the columns are named c0, c1, ... by their order in the file. The view `numbered` also has `row_number`, the row's
number in its file, from 0. The view `plain` has the same columns with fewer types: integers as 64 or 128 bits, all other numbers, dates
and times as doubles; and for each of them a column h0, h1, ... with the hash of the value itself.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.connection import connect, locking, memory_errors, path_literal, read_errors, run
from taxiway.errors import DataError
from taxiway.records.digests import digest_of_bytes, digest_of_file

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

_TYPES = (
    ("boolean", re.compile(r"BOOLEAN")),
    ("integer", re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")),
    ("number", re.compile(r"FLOAT|DOUBLE|DECIMAL\(.*\)")),
    ("string", re.compile(r"VARCHAR|ENUM\(.*\)")),
    ("date", re.compile(r"DATE")),
    ("datetime", re.compile(r"TIMESTAMP[^\[]*")),
    ("list", re.compile(r".*\[[0-9]*\]")),
)
_NUMBER = "file_row_number"
_UNTYPED = '"NULL"'
_EXACT_IN_DOUBLES = 1 << 53
_WIDE_INTEGERS = ("HUGEINT", "UHUGEINT", "UBIGINT")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name in the file.
        sql: Its name in the views.
        type: Its type in a schema, or `other` for nested and binary values.
        storage: Its DuckDB type.
    """

    name: str
    sql: str
    type: str
    storage: str

    @property
    def is_wide(self) -> bool:
        """Whether it has integers that may not fit into 64 bits with a sign."""
        return self.storage in _WIDE_INTEGERS


class Table:
    """The views of some files on an open DuckDB connection; `what` is the name of the data in errors."""

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        columns: tuple[Column, ...],
        what: str,
        paths: tuple[Path, ...],
        source: str,
    ) -> None:
        self._connection = connection
        self.columns = columns
        self.paths = paths
        self.source = f"{source} AS file({', '.join(column.sql for column in columns)})"
        """An SQL table expression of the files, with the columns of the view `span`."""
        self._what = what

    @property
    def digest(self) -> str:
        """The digest of the files' contents, in their order."""
        return digest_of_bytes("".join(digest_of_file(path) for path in self.paths).encode())

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

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises DataError if a file cannot be read."""
        return run(self._connection, query, self._what, parameters)

    def rows_unchecked(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query with user-written SQL; DuckDB's errors about it are raised unchanged."""
        with memory_errors(self._what):
            return self._connection.execute(query).fetchall()

    def arrays(self, query: str) -> "dict[str, NDArray[Any]]":
        """The columns of a query as arrays, masked if null. Raises DataError if a file cannot be read."""
        with read_errors(self._what):
            found: dict[str, Any] = self._connection.execute(query).fetchnumpy()
            return found


@contextmanager
def open_table(paths: Path | Sequence[Path], what: str) -> Iterator[Table]:
    """Open Parquet files with the same columns as one table.

    Queries can read only these files, and can write only to the connection's temporary folder.

    Args:
        paths: One or more files.
        what: The name of the data in errors.

    Raises:
        DataError: A file cannot be read, or the columns of the files do not fit together.
    """
    with connect() as connection:
        files = (paths,) if isinstance(paths, Path) else tuple(paths)
        columns = add_view(connection, "span", files, what)
        values = [f"{_plain(column)} AS {column.sql}, {_hash(column)} AS h{column.sql[1:]}" for column in columns]
        listing = ", ".join([*values, "row_number"])
        add_view(connection, "numbered", files, what, numbered=True)
        run(connection, f"CREATE VIEW plain AS SELECT {listing} FROM numbered", what)
        source = _source(_alike(connection, files, [column.name for column in columns], what))
        for setting in locking(files):
            run(connection, f"SET {setting}", what)
        yield Table(connection, columns, what, files, source)


def add_view(
    connection: "duckdb.DuckDBPyConnection", view: str, paths: Path | Sequence[Path], what: str, *, numbered: bool = False
) -> tuple[Column, ...]:
    """Create a view of Parquet files. A column of integers in one file and of other numbers in another has numbers.

    Args:
        connection: The connection.
        view: The name of the view; never text from the data.
        paths: One or more files.
        what: The name of the data in errors.
        numbered: Whether the view also has `row_number`, the number of each row in its file, from 0.

    Returns:
        The columns.

    Raises:
        DataError: A file cannot be read, or the columns of the files do not fit together.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    names = _columns_of(files, what)
    listing = ", ".join([*(f"c{at}" for at in range(len(names))), *(["row_number"] if numbered else [])])
    source = _source(_alike(connection, files, names, what), numbered=numbered)
    run(connection, f"CREATE VIEW {view} AS SELECT * FROM {source} AS file({listing})", what)
    storages = _storages(connection, view, what)
    return tuple(
        Column(name, f"c{at}", _type_of(storage), storage)
        for at, (name, storage) in enumerate(zip(names, storages[: len(names)], strict=True))
    )


def _columns_of(files: Sequence[Path], what: str) -> list[str]:
    """The names of the columns, which must be the same in all files."""
    names = _names(files[0], what)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{what} has more than one column named {', '.join(twice)}; give each column its own name at the source"
        )
    kept = [name for name in names if name.casefold() == _NUMBER]
    if kept:
        raise DataError(f"{what} has a column named {kept[0]}, which DuckDB reserves for row numbers; rename it at the source")
    for file in files[1:]:
        if _names(file, what) != names:
            raise DataError(
                f"{what}: {file.name} and {files[0].name} have different columns; only files with the same columns can be one table"
            )
    return names


@dataclass(frozen=True)
class _Group:
    """Files whose columns have the same types, and the type that each column is cast to; empty for no cast."""

    files: tuple[Path, ...]
    casts: tuple[str, ...]


def _alike(connection: "duckdb.DuckDBPyConnection", files: Sequence[Path], names: list[str], what: str) -> list[_Group]:
    """The files grouped by the types of their columns, with casts to common types; DuckDB would use those of the first file."""
    if len(files) == 1:
        return [_Group(tuple(files), ("",) * len(names))]
    groups: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        groups.setdefault(tuple(_storages(connection, _parquet([file]), what)), []).append(file)
    wider = [_wider(name, {types[at]: found[0] for types, found in groups.items()}, what) for at, name in enumerate(names)]
    return [
        _Group(tuple(found), tuple("" if storage == wide else wide for storage, wide in zip(types, wider, strict=True)))
        for types, found in groups.items()
    ]


def _wider(name: str, found: dict[str, Path], what: str) -> str:
    """The common type of a column; `found` has each of its types with a file that has it."""
    typed = {storage: file for storage, file in found.items() if storage != _UNTYPED}
    if len(typed) < 2:
        return next(iter(typed), _UNTYPED)
    types = {_type_of(storage) for storage in typed}
    if types == {"integer"}:
        return "HUGEINT" if any(storage in _WIDE_INTEGERS for storage in typed) else "BIGINT"
    if types <= {"integer", "number"}:
        return "DOUBLE"
    types_text = ", ".join(f"{storage} in {file.name}" for storage, file in typed.items())
    raise DataError(f"{what}: the column {name} is {types_text}; write it with one type at the source")


def _storages(connection: "duckdb.DuckDBPyConnection", source: str, what: str) -> list[str]:
    return [str(row[1]) for row in run(connection, f"DESCRIBE SELECT * FROM {source}", what)]


def _plain(column: Column) -> str:
    """The SQL of a column in the view `plain`."""
    if column.type in ("date", "datetime"):
        return _seconds(column)
    if column.type == "number" or column.storage == "UHUGEINT":
        return f"{column.sql}::DOUBLE"
    if column.is_wide:
        return f"{column.sql}::HUGEINT"
    casts = {"integer": "BIGINT", "string": "VARCHAR"}
    return f"{column.sql}::{casts[column.type]}" if column.type in casts else column.sql


def _seconds(column: Column) -> str:
    """Seconds since 1970; whole ones where a double cannot hold microseconds, in which the last of a year would be the next year."""
    if column.type == "date":
        moment, finite = column.sql, f"isfinite({column.sql}) THEN ({column.sql} - DATE '1970-01-01') * 86400.0::DOUBLE"
        far = ""
    else:
        moment = _in_microseconds(column)
        finite = f"{_is_exact(moment)} THEN epoch({moment})::DOUBLE"
        far = f"WHEN isfinite({moment}) THEN floor(epoch_us({moment}) // 1000000)::DOUBLE "
    infinite = f"WHEN {moment} > DATE '1970-01-01' THEN 'inf'::DOUBLE WHEN {moment} IS NOT NULL THEN '-inf'::DOUBLE"
    return f"CASE WHEN {finite} {far}{infinite} END"


def _is_exact(moment: str) -> str:
    return f"epoch_us({moment}) BETWEEN -{_EXACT_IN_DOUBLES} AND {_EXACT_IN_DOUBLES}"


def _in_microseconds(column: Column) -> str:
    """The column as a type that DuckDB's functions know: they know no nanoseconds with a time zone."""
    return f"{column.sql}::TIMESTAMPTZ" if column.storage == "TIMESTAMPTZ_NS" else column.sql


def _hash(column: Column) -> str:
    """DuckDB's 64-bit hash of the value, null without one; the same for equal numbers and moments of all types.

    It may change with DuckDB's version.
    """
    name, plain = column.sql, _plain(column)
    if column.type == "integer":
        if column.storage not in ("BIGINT", *_WIDE_INTEGERS):
            return f"CASE WHEN {name} IS NOT NULL THEN hash({name}::DOUBLE) END"
        whole = f"WHEN {name} BETWEEN -{_EXACT_IN_DOUBLES} AND {_EXACT_IN_DOUBLES} THEN hash({name}::DOUBLE)"
        wide = f"WHEN {name} BETWEEN {-(1 << 63)} AND {(1 << 63) - 1} THEN hash({name}::BIGINT)" if column.is_wide else ""
        rest = f"WHEN {name} IS NOT NULL THEN hash({name}::{'VARCHAR' if column.is_wide else 'BIGINT'})"
        return f"CASE {whole} {wide} {rest} END"
    if column.storage.startswith("DECIMAL"):
        exact = f"TRY_CAST({name}::DOUBLE AS {column.storage}) = {name}"
        return f"CASE WHEN {name} IS NULL THEN NULL WHEN {exact} THEN hash({plain}) ELSE hash({name}::VARCHAR) END"
    if column.type == "number":
        return f"CASE WHEN NOT isnan({name}) THEN hash({plain}) END"
    if column.type == "datetime":
        moment = _in_microseconds(column)
        nanos = f"WHEN epoch_ns({name}) % 1000 <> 0 THEN hash(epoch_ns({name})) " if column.storage.endswith("_NS") else ""
        exact = f"WHEN {_is_exact(moment)} OR isinf({moment}) THEN hash({plain})"
        return f"CASE {nanos}{exact} WHEN {name} IS NOT NULL THEN hash(epoch_us({moment})) END"
    return f"CASE WHEN {name} IS NOT NULL THEN hash({plain}) END"


def _source(groups: Sequence[_Group], *, numbered: bool = False) -> str:
    """An SQL table expression of the files; if `numbered`, its last column is the number of each row in its file."""
    if len(groups) == 1:
        return _parquet(groups[0].files, numbered=numbered)
    parts = []
    for group in groups:
        columns = [f"c{at}" for at in range(len(group.casts))]
        cast = [f"{name}::{wide}" if wide else name for name, wide in zip(columns, group.casts, strict=True)]
        listing = ", ".join(columns + ["row_number"] * numbered)
        source = _parquet(group.files, numbered=numbered)
        parts.append(f"SELECT {', '.join(cast + ['row_number'] * numbered)} FROM {source} AS file({listing})")
    return f"({' UNION ALL '.join(parts)})"


def _parquet(files: Sequence[Path], *, numbered: bool = False) -> str:
    # Without hive_partitioning=false a folder called `a=b` anywhere in the path becomes a column.
    listing = ", ".join(map(path_literal, files))
    return f"read_parquet([{listing}], hive_partitioning = false{f', {_NUMBER} = true' if numbered else ''})"


def _names(path: Path, what: str) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return list(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{what} cannot be read: {error}; write it again at the source") from None


def _type_of(storage: str) -> str:
    return next((name for name, expression in _TYPES if expression.fullmatch(storage)), "other")
