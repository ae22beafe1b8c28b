"""Join, sample and split the rows of one file, and write them as new Parquet files.

Rows are streamed in their order. The columns of the file are copied unchanged, and those of joined tables are added. The same inputs
give the same bytes, whatever the number of threads.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.columns import present_sql
from taxiway.data.engine.connection import connect, read_batches, run, stream, streamed_file
from taxiway.data.engine.duckdb_table import Column, add_view
from taxiway.data.engine.writing import BATCH_ROWS, RowWriter, rechunked
from taxiway.data.ingest.join import JoinedTable, joined_columns, match
from taxiway.data.ingest.sampling import Subset, kept_query, sampling_columns, subset_query
from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.messages import counted
from taxiway.records import JoinMatch, SampleRule, SplitRule

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

_MEMORY_LIMIT = "1GB"
_MAX_THREADS = 4


@dataclass(frozen=True)
class SplitFile:
    """A file with the training rows or the evaluation rows of a span; without a split, all rows are training rows.

    Attributes:
        subset: TRAINING or EVALUATION.
        path: The Parquet file.
        rows: The number of its rows.
    """

    subset: Subset
    path: Path
    rows: int


@dataclass(frozen=True)
class RowRules:
    """What is done to the rows of a file.

    Attributes:
        joined: The tables to join.
        sample: Which rows to read; None for all.
        split: Which rows to hold out for evaluation; None for none.
        salt: A text that makes this split independent of other splits by the same values.
        label: The label, to leave out rows in which it is missing; None to keep them. Without this column, all rows are kept.
    """

    joined: Sequence[JoinedTable] = ()
    sample: SampleRule | None = None
    split: SplitRule | None = None
    salt: str = "split"
    label: str | None = None


@dataclass(frozen=True)
class MaterializedRows:
    """The rows of a file after joins, sample and split.

    Attributes:
        files: The files that have rows.
        matches: The match rate of each join.
        unlabelled: The number of rows that were left out because their label is missing.
    """

    files: tuple[SplitFile, ...]
    matches: tuple[JoinMatch, ...]
    unlabelled: int


@dataclass(frozen=True)
class _JoinedFile:
    """The columns of a joined table, in the order of the span's rows.

    The first column of the file is the number of the row in the span, from 0; rows without a match are not in it.
    """

    path: Path
    columns: list[str]


@dataclass
class _ColumnCatalog:
    """Where the columns of the joined rows are: the view and the column by name, and the files of joined tables."""

    locations: dict[str, tuple[str, Column]]
    files: list[_JoinedFile] = field(default_factory=list)


@dataclass(frozen=True)
class _SpanView:
    """A file whose rows are the view `span` of a connection; `folder` is for new files, `label` names the file in errors."""

    connection: "duckdb.DuckDBPyConnection"
    file: Path
    folder: Path
    label: str
    columns: dict[str, Column]


def materialize_rows(file: Path, rules: RowRules, folder: Path, *, label: str) -> MaterializedRows:
    """Apply joins, a sample and a split to the rows of a file.

    Args:
        file: The Parquet file.
        rules: What to do.
        folder: Where to write the new files.
        label: The name of the file in errors.

    Raises:
        ConfigError: A column of a rule is missing or has a type that is not allowed, or a column of a joined table exists already.
        DataError: The file cannot be read, a key of a joined table occurs in more than one row, or a row has no time to split by.
        TransientError: Memory and disk are not sufficient.
    """
    with _join_tables(file, rules, folder, label) as (span, catalog, matches):
        sampling = _sampling_query(span, catalog, rules)
        if rules.split is not None and rules.split.by_time is not None:
            _check_times(span, rules.split.by_time, kept_query(rules.sample, sampling))
        query = f"{subset_query(rules.sample, rules.split, sampling)} ORDER BY row_number"
        files = _write_split_files(span, f"SELECT subset FROM ({query})", catalog)
        return MaterializedRows(files, matches, _count_unlabelled(span, catalog, rules.label) or 0)


def count_unlabelled(file: Path, rules: RowRules, folder: Path, *, label: str) -> int | None:
    """The number of rows whose label is missing after the joins; None if no column is the label. See `materialize_rows`."""
    with _join_tables(file, rules, folder, label) as (span, catalog, _):
        return _count_unlabelled(span, catalog, rules.label)


@contextmanager
def _join_tables(
    file: Path, rules: RowRules, folder: Path, label: str
) -> "Iterator[tuple[_SpanView, _ColumnCatalog, tuple[JoinMatch, ...]]]":
    with connect(memory_limit=_MEMORY_LIMIT, max_threads=_MAX_THREADS) as connection:
        columns = {column.name: column for column in add_view(connection, "span", file, label, numbered=True)}
        span = _SpanView(connection, file, folder, label, columns)
        catalog = _ColumnCatalog({name: ("span", column) for name, column in columns.items()})
        matches = tuple(_join(span, number, table, catalog) for number, table in enumerate(rules.joined))
        yield span, catalog, matches


def _count_unlabelled(span: _SpanView, catalog: _ColumnCatalog, label: str | None) -> int | None:
    if label is None or label not in catalog.locations:
        return None
    view, column = catalog.locations[label]
    rows = "span" if view == "span" else f"span LEFT JOIN {view} ON {view}.c0 = span.row_number"
    ((count,),) = run(span.connection, f"SELECT count(*) FROM {rows} WHERE NOT ({present_sql(column, view)})", span.label)
    return int(count)


def _join(span: _SpanView, number: int, table: JoinedTable, catalog: _ColumnCatalog) -> JoinMatch:
    """Match a table with the span, and add its columns to the catalog."""
    right_columns, found = match(span.connection, number, table, span.columns, span.label)
    new_columns = joined_columns(table, right_columns)
    for new in new_columns:
        if new in catalog.locations:
            raise ConfigError(
                f'join {table.right.name}: {span.label} already has a column "{new}"; add a prefix to the join, such as '
                f"prefix: {table.right.name}_, or remove the column from its columns"
            )
    path = _write_joined_columns(span, number, new_columns)
    view = add_view(span.connection, f"joined{number}", path, span.label)
    catalog.locations |= {new: (f"joined{number}", column) for new, column in zip(new_columns, view[1:], strict=True)}
    catalog.files.append(_JoinedFile(path, list(new_columns)))
    return found


def _write_joined_columns(span: _SpanView, number: int, columns: dict[str, Column]) -> Path:
    """Write the columns of a matched table to a file, in the order of the span's rows."""
    listed = ", ".join(f"r.{column.sql} AS b{at}" for at, column in enumerate(columns.values()))
    query = (
        f"SELECT m.row_number, {listed} FROM match{number} m JOIN right{number} r ON r.row_number = m.partner "
        "ORDER BY m.row_number"
    )
    path = span.folder / f"joined{number}.parquet"
    schema, batches = stream(span.connection, query, span.label, BATCH_ROWS)
    with RowWriter(path, schema) as writer:
        for rows in rechunked(batches, schema):
            writer.add(rows)
    run(span.connection, f"DROP TABLE match{number}", span.label)
    return path


def _sampling_query(span: _SpanView, catalog: _ColumnCatalog, rules: RowRules) -> str:
    """The query for what the sample and the split need of each row."""
    used: list[str] = []

    def find(name: str) -> tuple[str, Column]:
        if name not in catalog.locations:
            raise ConfigError(
                f'source.sample or source.split names the column "{name}", but {span.label} has no such column\n    '
                f"{allowed_values(name, catalog.locations)}"
            )
        view = catalog.locations[name][0]
        if view != "span" and view not in used:
            used.append(view)
        return catalog.locations[name]

    labelled = "true"
    if rules.label is not None and rules.label in catalog.locations:
        view, column = find(rules.label)
        labelled = present_sql(column, view)
    own = tuple(span.columns.values())
    sampling = sampling_columns(rules.sample, rules.split, find, own, rules.salt, labelled)
    # The first column of a joined file is the number of the row in the span.
    joins = " ".join(f"LEFT JOIN {view} ON {view}.c0 = span.row_number" for view in used)
    return f"SELECT {', '.join(['span.row_number AS row_number', *sampling])} FROM span {joins}"


def _check_times(span: _SpanView, column: str, kept: str) -> None:
    """Raise DataError if rows that are kept have no time."""
    query = f"SELECT count(*), count(*) FILTER (held IS NULL) FROM ({kept}) WHERE kept"
    ((rows, missing),) = run(span.connection, query, span.label)
    if missing:
        raise DataError(
            f"source.split.by_time is {column}, which is missing in {missing:,} of {counted(rows, 'row')} of {span.label}, so these "
            "rows cannot be ordered by time; leave them out with source.rows, or split without by_time"
        )


def _write_split_files(span: _SpanView, query: str, catalog: _ColumnCatalog) -> tuple[SplitFile, ...]:
    import pyarrow as pa
    import pyarrow.compute as pc

    with ExitStack() as stack:
        original = stack.enter_context(streamed_file(span.file))
        readers = [
            _JoinedColumnReader(stack.enter_context(streamed_file(file.path)), file.columns, span.label)
            for file in catalog.files
        ]
        schema = original.schema_arrow
        for reader in readers:
            for new in reader.fields:
                schema = schema.append(new)
        writers = {
            subset: stack.enter_context(RowWriter(span.folder / f"part{subset:d}.parquet", schema))
            for subset in (Subset.TRAINING, Subset.EVALUATION)
        }
        subset_schema, subset_batches = stream(span.connection, query, span.label, BATCH_ROWS)
        batches = rechunked(read_batches(original.iter_batches(BATCH_ROWS), span.label), original.schema_arrow)
        for left, subsets in zip(batches, rechunked(subset_batches, subset_schema), strict=True):
            joined = [column for reader in readers for column in reader.next(left.num_rows)]
            rows = pa.Table.from_arrays([*left.columns, *joined], schema=schema)
            for subset, writer in writers.items():
                writer.add(rows.filter(pc.equal(subsets["subset"], int(subset))))
    return tuple(SplitFile(subset, writer.path, writer.rows) for subset, writer in writers.items() if writer.rows)


class _JoinedColumnReader:
    """The columns of a joined table, read in step with the rows of the span."""

    def __init__(self, file: "pq.ParquetFile", names: Sequence[str], label: str) -> None:
        import pyarrow as pa

        schema = file.schema_arrow
        self.fields = [pa.field(name, column.type) for name, column in zip(names, list(schema)[1:], strict=True)]
        self._batches = read_batches(file.iter_batches(BATCH_ROWS), label)
        self._buffer = pa.Table.from_batches([], schema)
        self._start = 0

    def next(self, count: int) -> "list[pa.ChunkedArray]":
        """The columns for the next `count` rows, null for rows without a match."""
        import numpy as np
        import pyarrow as pa

        end = self._start + count
        while self._buffer.num_rows == 0 or self._buffer.column(0)[-1].as_py() < end:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._buffer = pa.concat_tables([self._buffer, pa.Table.from_batches([batch])])
        row_numbers = self._buffer.column(0).to_numpy()
        matched = int(np.searchsorted(row_numbers, end))
        positions = np.full(count, -1)
        positions[row_numbers[:matched] - self._start] = np.arange(matched)
        rows, self._buffer, self._start = self._buffer.slice(0, matched), self._buffer.slice(matched), end
        indices = pa.array(positions, mask=positions < 0)
        return [column.take(indices) for column in rows.columns[1:]]
