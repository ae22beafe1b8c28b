"""The rows that a run reads of one file: joined, sampled and split, written as Parquet files of their own.

Rows are streamed: what DuckDB finds out about them comes in their order and is put beside the file's own columns, which are not
touched. The same inputs give the same bytes, whatever the number of threads.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.joins import JoinedTable, brought, match
from taxiway.data.sampling import EVALUATION, TRAINING, drawn_columns, side_sql
from taxiway.data.table import Column, add_view, connect, run
from taxiway.errors import ConfigError, allowed_values
from taxiway.records import JoinMatch, SampleRule, SplitRule

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_ROWS = 1 << 16
_MEMORY = "1GB"
_THREADS = 4


@dataclass(frozen=True)
class Part:
    """Rows in a file of their own: for training, or for evaluation; where nothing is split, all of them are for training."""

    side: int
    path: Path
    rows: int


@dataclass(frozen=True)
class Rules:
    """What is done to the rows of a file. `purpose` makes one split independent of another by the same column."""

    joined: Sequence[JoinedTable] = ()
    sample: SampleRule | None = None
    split: SplitRule | None = None
    purpose: str = "split"


@dataclass
class _Query:
    """The columns that are joined to the rows, and where each column of the result is found."""

    brought: list[tuple[str, str]] = field(default_factory=list)
    places: dict[str, tuple[str, Column]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)


def make_parts(file: Path, rules: Rules, folder: Path, *, what: str) -> tuple[tuple[Part, ...], tuple[JoinMatch, ...]]:
    """Obey `rules` for the rows of `file`, whom errors know as `what`; returns the parts that have rows, and what joins came to.

    A part is a file in `folder`, where DuckDB also puts what does not fit into memory.

    Raises ConfigError where a rule names a column that is not there, or one that is there already, and BadData where a row has two
    partners in a joined table.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(connect())
        run(connection, f"SET memory_limit = '{_MEMORY}'", what)
        run(connection, f"SET threads = least(current_setting('threads'), {_THREADS})", what)
        run(connection, "SET TimeZone = 'UTC'", what)
        connection.execute(f"SET temp_directory = '{str(folder).replace(chr(39), chr(39) * 2)}'")
        columns = {column.name: column for column in add_view(connection, "span", file, what, numbered=True)}
        query, matches = _joined(connection, rules, columns, what)
        text = _text(query, rules, what)
        return _write(connection, text, [name for _, name in query.brought], file, folder), matches


def _joined(
    connection: "duckdb.DuckDBPyConnection", rules: Rules, columns: dict[str, Column], what: str
) -> tuple[_Query, tuple[JoinMatch, ...]]:
    query = _Query(places={name: ("span", column) for name, column in columns.items()}, tables=["span"])
    matches = []
    for number, table in enumerate(rules.joined):
        theirs, found = match(connection, number, table, columns, what)
        matches.append(found)
        for new, column in brought(table, theirs).items():
            if new in query.places:
                raise ConfigError(
                    f'join {table.right.name}: {what} has a column "{new}" already; give the join a prefix, such as '
                    f"prefix: {table.right.name}_, or leave the column out"
                )
            query.places[new] = (f"right{number}", column)
            query.brought.append((f"right{number}.{column.sql}", new))
        query.tables.append(
            f"LEFT JOIN match{number} ON match{number}.row = span.row LEFT JOIN right{number} ON right{number}.row = match{number}.partner"
        )
    return query, tuple(matches)


def _text(query: _Query, rules: Rules, what: str) -> str:
    def find(name: str) -> tuple[str, Column]:
        if name not in query.places:
            raise ConfigError(
                f'source.sample or source.split names "{name}", which {what} does not have\n    {allowed_values(name, query.places)}'
            )
        return query.places[name]

    drawn = drawn_columns(rules.sample, rules.split, find, rules.purpose)
    joined = [f"{place} AS b{at}" for at, (place, _) in enumerate(query.brought)]
    inner, side = ", ".join(["span.row AS row", *joined, *drawn]), side_sql(rules.sample, rules.split)
    outer = ", ".join([*(f"b{at}" for at in range(len(joined))), f"({side})::TINYINT AS side"])
    return f"SELECT {outer} FROM (SELECT {inner} FROM {' '.join(query.tables)}) ORDER BY row"  # noqa: S608 names of our own


def _write(connection: "duckdb.DuckDBPyConnection", query: str, names: list[str], file: Path, folder: Path) -> tuple[Part, ...]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as rows, ExitStack() as stack:
        found = connection.sql(query).to_arrow_reader(_ROWS)
        schema = rows.schema_arrow
        for name, kind in zip(names, found.schema, strict=False):
            schema = schema.append(pa.field(name, kind.type))
        writers = {
            side: stack.enter_context(_Writer(folder / f"part{side}.parquet", schema)) for side in (TRAINING, EVALUATION)
        }
        own = _rechunked(rows.iter_batches(_ROWS), rows.schema_arrow)
        for left, right in zip(own, _rechunked(found, found.schema), strict=True):
            table = pa.Table.from_arrays([*left.columns, *right.columns[:-1]], schema=schema)
            for side, writer in writers.items():
                writer.add(table.filter(pc.equal(right["side"], side)))
    return tuple(Part(side, writer.path, writer.rows) for side, writer in writers.items() if writer.rows)


def _rechunked(batches: Iterator[Any], schema: "pa.Schema") -> "Iterator[pa.Table]":
    """The same rows in tables of equally many: how a reader cuts them may hang on its threads."""
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
    """A Parquet file whose row groups are equally large and each in one piece, so that its bytes hang on its rows alone."""

    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        self.rows = 0
        self._file = pq.ParquetWriter(path, schema)
        self._waiting = pa.Table.from_batches([], schema)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting.num_rows:
            self._file.write_table(self._waiting.combine_chunks(), _ROWS)
        self._file.close()

    def add(self, rows: "pa.Table") -> None:
        """Write rows behind those before."""
        import pyarrow as pa

        self.rows += rows.num_rows
        self._waiting = pa.concat_tables([self._waiting, rows])
        while self._waiting.num_rows >= _ROWS:
            self._file.write_table(self._waiting.slice(0, _ROWS).combine_chunks(), _ROWS)
            self._waiting = self._waiting.slice(_ROWS)
