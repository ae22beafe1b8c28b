"""Join, sample and split the rows of one file, and write them as new Parquet files.

Rows are streamed in their order. The columns of the file are copied unchanged, and those of joined tables are added. The same inputs
give the same bytes, whatever the number of threads.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.connection import connect, read_batches, run, stream
from taxiway.data.engine.duckdb_table import Column, add_view
from taxiway.data.ingest.join import JoinedTable, brought, match
from taxiway.data.ingest.sampling import EVALUATION, TRAINING, drawn_columns, side_sql
from taxiway.errors import ConfigError, allowed_values
from taxiway.records import JoinMatch, SampleRule, SplitRule

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS = 1 << 16
_MEMORY = "1GB"
_THREADS = 4


@dataclass(frozen=True)
class SplitFile:
    """A file with the training rows or the evaluation rows of a span; without a split, all rows are training rows.

    Attributes:
        side: TRAINING or EVALUATION; see `sampling`.
        path: The Parquet file.
        rows: The number of its rows.
    """

    side: int
    path: Path
    rows: int


@dataclass(frozen=True)
class Rules:
    """What is done to the rows of a file.

    Attributes:
        joined: The tables to join.
        sample: Which rows to read; None for all.
        split: Which rows to hold out for evaluation; None for none.
        purpose: A text that makes this split independent of other splits by the same column.
    """

    joined: Sequence[JoinedTable] = ()
    sample: SampleRule | None = None
    split: SplitRule | None = None
    purpose: str = "split"


@dataclass
class _Rows:
    """The view and column of each column name, and the files with the columns of joined tables.

    Such a file has the number of the row in the span, from 0, and the columns; rows without a match are not in it.
    """

    places: dict[str, tuple[str, Column]]
    brought: list[tuple[Path, list[str]]] = field(default_factory=list)


def materialize_split(
    file: Path, rules: Rules, folder: Path, *, what: str
) -> tuple[tuple[SplitFile, ...], tuple[JoinMatch, ...]]:
    """Apply joins, a sample and a split to the rows of a file.

    Args:
        file: The Parquet file.
        rules: What to do.
        folder: Where to write the new files.
        what: The name of the file in errors.

    Returns:
        The files that have rows, and the match rate of each join.

    Raises:
        ConfigError: A column of a rule is missing, or a column of a joined table exists already.
        DataError: A key of a joined table occurs in more than one row.
    """
    with connect() as connection:
        for setting in (
            f"memory_limit = '{_MEMORY}'",
            f"threads = least(current_setting('threads'), {_THREADS})",
            "TimeZone = 'UTC'",
        ):
            run(connection, f"SET {setting}", what)
        columns = {column.name: column for column in add_view(connection, "span", file, what, numbered=True)}
        rows = _Rows({name: ("span", column) for name, column in columns.items()})
        matches = [_bring(connection, number, table, columns, rows, folder, what) for number, table in enumerate(rules.joined)]
        return _write(connection, _sides(rows, rules, what), rows, file, folder, what), tuple(matches)


def _bring(
    connection: "duckdb.DuckDBPyConnection",
    number: int,
    table: JoinedTable,
    columns: dict[str, Column],
    rows: _Rows,
    folder: Path,
    what: str,
) -> JoinMatch:
    """Write the columns of a joined table to a file, in the order of the span's rows."""
    theirs, found = match(connection, number, table, columns, what)
    taken = brought(table, theirs)
    for new in taken:
        if new in rows.places:
            raise ConfigError(
                f'join {table.right.name}: {what} already has a column "{new}"; add a prefix to the join, such as '
                f"prefix: {table.right.name}_, or remove the column from it"
            )
    listed = ", ".join(f"r.{column.sql} AS b{at}" for at, column in enumerate(taken.values()))
    query = f"SELECT m.place, {listed} FROM match{number} m JOIN right{number} r ON r.place = m.partner ORDER BY m.place"
    path = folder / f"brought{number}.parquet"
    _stream(connection, query, path, what)
    run(connection, f"DROP TABLE match{number}", what)
    view = add_view(connection, f"brought{number}", path, what)
    rows.places |= {new: (f"brought{number}", column) for new, column in zip(taken, view[1:], strict=True)}
    rows.brought.append((path, list(taken)))
    return found


def _stream(connection: "duckdb.DuckDBPyConnection", query: str, path: Path, what: str) -> None:
    schema, batches = stream(connection, query, what, _ROWS)
    with _Writer(path, schema) as writer:
        for table in _rechunked(batches, schema):
            writer.add(table)


def _sides(rows: _Rows, rules: Rules, what: str) -> str:
    """The query for each row's side, in the order of rows."""
    used: list[str] = []

    def find(name: str) -> tuple[str, Column]:
        if name not in rows.places:
            raise ConfigError(
                f'source.sample or source.split uses the column "{name}", which {what} does not have\n    '
                f"{allowed_values(name, rows.places)}"
            )
        view = rows.places[name][0]
        if view != "span" and view not in used:
            used.append(view)
        return rows.places[name]

    drawn = ", ".join(["span.place AS place", *drawn_columns(rules.sample, rules.split, find, rules.purpose)])
    # The first column of a joined file is the number of the row in the span.
    joins = " ".join(f"LEFT JOIN {view} ON {view}.c0 = span.place" for view in used)
    side = side_sql(rules.sample, rules.split)
    return f"SELECT ({side})::TINYINT AS side FROM (SELECT {drawn} FROM span {joins}) ORDER BY place"


def _write(
    connection: "duckdb.DuckDBPyConnection", query: str, rows: _Rows, file: Path, folder: Path, what: str
) -> tuple[SplitFile, ...]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        original = stack.enter_context(pq.ParquetFile(file))
        found = [_Brought(stack.enter_context(pq.ParquetFile(path))) for path, _ in rows.brought]
        schema = original.schema_arrow
        for (_, names), columns in zip(rows.brought, found, strict=True):
            for name, kind in zip(names, columns.types, strict=True):
                schema = schema.append(pa.field(name, kind))
        writers = {
            side: stack.enter_context(_Writer(folder / f"part{side}.parquet", schema)) for side in (TRAINING, EVALUATION)
        }
        side_schema, side_batches = stream(connection, query, what, _ROWS)
        batches = _rechunked(read_batches(original.iter_batches(_ROWS), what), original.schema_arrow)
        for left, sides in zip(batches, _rechunked(side_batches, side_schema), strict=True):
            beside = [column for columns in found for column in columns.next(left.num_rows)]
            table = pa.Table.from_arrays([*left.columns, *beside], schema=schema)
            for side, writer in writers.items():
                writer.add(table.filter(pc.equal(sides["side"], side)))
    return tuple(SplitFile(side, writer.path, writer.rows) for side, writer in writers.items() if writer.rows)


class _Brought:
    """The columns of a joined table, read in step with the rows of the span."""

    def __init__(self, file: "pq.ParquetFile") -> None:
        import pyarrow as pa

        self.types = [column.type for column in file.schema_arrow][1:]
        self._batches = file.iter_batches(_ROWS)
        self._waiting = pa.Table.from_batches([], file.schema_arrow)
        self._start = 0

    def next(self, count: int) -> "list[pa.ChunkedArray]":
        """The columns for the next `count` rows, null for rows without a match."""
        import numpy as np
        import pyarrow as pa

        end = self._start + count
        while self._waiting.num_rows == 0 or self._waiting.column(0)[-1].as_py() < end:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._waiting = pa.concat_tables([self._waiting, pa.Table.from_batches([batch])])
        places = self._waiting.column(0).to_numpy()
        here = int(np.searchsorted(places, end))
        at = np.full(count, -1)
        at[places[:here] - self._start] = np.arange(here)
        now, self._waiting, self._start = self._waiting.slice(0, here), self._waiting.slice(here), end
        indices = pa.array(at, mask=at < 0)
        return [column.take(indices) for column in now.columns[1:]]


def _rechunked(batches: Iterator[Any], schema: "pa.Schema") -> "Iterator[pa.Table]":
    """The same rows in tables of equal size; the sizes of a reader's batches may depend on its threads."""
    import pyarrow as pa

    waiting = pa.Table.from_batches([], schema)
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch], schema)])
        while waiting.num_rows >= _ROWS:
            yield waiting.slice(0, _ROWS)
            waiting = waiting.slice(_ROWS)
    if waiting.num_rows:
        yield waiting


class _Writer:
    """A Parquet file with row groups of equal size, each in one chunk, so that its bytes depend only on its rows."""

    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        self.rows = 0
        self._file = pq.ParquetWriter(path, schema)
        self._waiting = pa.Table.from_batches([], schema)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        complete = False
        try:
            if exc_type is None and self._waiting.num_rows:
                self._file.write_table(self._waiting.combine_chunks(), _ROWS)
            complete = exc_type is None
        finally:
            self._file.close()  # which makes a truncated file look complete
            if not complete:
                self.path.unlink()

    def add(self, rows: "pa.Table") -> None:
        """Append rows."""
        import pyarrow as pa

        self.rows += rows.num_rows
        self._waiting = pa.concat_tables([self._waiting, rows])
        while self._waiting.num_rows >= _ROWS:
            self._file.write_table(self._waiting.slice(0, _ROWS).combine_chunks(), _ROWS)
            self._waiting = self._waiting.slice(_ROWS)
