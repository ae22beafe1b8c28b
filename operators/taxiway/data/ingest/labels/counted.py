"""Which labels of people count in an evaluation: those of rows that were drawn at random, or all if no row lacks a label.

If people label the rows on which two models differ, the labelled rows are not like the others: the models differ on far more of them.
Such rows are left out of the evaluation, and only train later models.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.columns import present_sql
from taxiway.data.engine.connection import connect, read_batches, run, stream, streamed_file
from taxiway.data.engine.duckdb_table import Column, add_view
from taxiway.data.engine.keys_sql import key_text
from taxiway.data.engine.writing import BATCH_ROWS, RowWriter, rechunked
from taxiway.data.ingest.labels.draws import place_sql
from taxiway.data.ingest.labels.fill import LabelledFile
from taxiway.data.ingest.labels.imported import key_names
from taxiway.data.ingest.materialize import SplitFile
from taxiway.data.ingest.sampling import Subset
from taxiway.errors import DataError
from taxiway.messages import counted
from taxiway.records import Span

if TYPE_CHECKING:
    import duckdb

MIN_LABELLED = 0.95
"""The share of the drawn rows, in their order, that must have a label: people may skip a few of which they do not know it."""


def counted_files(
    files: Sequence[SplitFile], evaluated: Subset, all_rows: Path, labelled: LabelledFile, span: Span, *, required: bool
) -> tuple[tuple[SplitFile, ...], int]:
    """Leave out the rows of an evaluation whose label does not count.

    A label of the source counts. An imported one counts if its row was drawn, and if at least `MIN_LABELLED` of the rows up to some
    place behind it have a label; or if all rows have one.

    Args:
        files: The rows of a span, all of which have a label.
        evaluated: The subset that is evaluated on.
        all_rows: All rows of the span as a run reads them, also those without a label.
        labelled: The labels that were joined to them.
        span: The span.
        required: Whether rows to evaluate on must be left.

    Returns:
        The files without these rows, and their number.

    Raises:
        DataError: A file cannot be read, or no row is left.
    """
    found, left_out = [], 0
    with connect() as connection:
        if labelled.filled is None or not _find_uncounted(connection, all_rows, labelled, f"span {span.label}"):
            return tuple(files), 0
        for part in files:
            kept = _counted(connection, part, labelled.key, f"span {span.label}") if part.subset is evaluated else part
            left_out += part.rows - kept.rows
            found += [kept] if kept.rows else []
    if required and not any(part.subset is evaluated for part in found) and left_out:
        raise DataError(
            f"no row to evaluate on is left of span {span.label}: {counted(left_out, 'row has a label', 'rows have a label')} of a person, but "
            "they were not drawn at random, so scores on them would not be those of all rows. Label rows of a new `taxiway label export`, "
            "which draws them, or all rows of the span"
        )
    return tuple(found), left_out


def _counted(connection: "duckdb.DuckDBPyConnection", part: SplitFile, key: Sequence[str], data_name: str) -> SplitFile:
    """The rows of a file that are not among `uncounted`, in their order."""
    columns = {column.name: column for column in add_view(connection, "part", part.path, data_name, numbered=True)}
    equal = " AND ".join(f"{text} = u.{name}" for name, text in _texts(columns, key, "part").items())
    flags = f"SELECT NOT EXISTS (SELECT 1 FROM uncounted u WHERE {equal}) AS counts FROM part ORDER BY row_number"
    schema, batches = stream(connection, flags, data_name, BATCH_ROWS)
    copy = part.path.with_name(f"counted_{part.path.name}")
    with streamed_file(part.path) as original, RowWriter(copy, original.schema_arrow) as writer:
        rows = rechunked(read_batches(original.iter_batches(BATCH_ROWS), data_name), original.schema_arrow)
        for table, counts in zip(rows, rechunked(batches, schema), strict=True):
            writer.add(table.filter(counts["counts"]))
    return SplitFile(part.subset, copy, writer.rows)


def _find_uncounted(connection: "duckdb.DuckDBPyConnection", all_rows: Path, labelled: LabelledFile, data_name: str) -> int:
    """Make the table `uncounted` of the keys of rows whose label does not count; returns their number.

    `given` are the rows with an imported label. Of the rows without a label of the source, in the random order, the drawn ones count up
    to the last given row up to which enough are given.
    """
    assert labelled.filled is not None
    columns = {column.name: column for column in add_view(connection, "span", all_rows, data_name)}
    add_view(connection, "filled", labelled.filled, data_name)
    missing = f"NOT ({present_sql(columns[labelled.label])})"
    if not run(connection, f"SELECT 1 FROM span WHERE {missing} LIMIT 1", data_name):
        return 0
    names = key_names(labelled.key)
    texts = ", ".join(f"{text} AS {name}" for name, text in _texts(columns, labelled.key, "span").items())
    place = place_sql([columns[name] for name in labelled.key], "span")
    own = f"SELECT {texts}, {place} AS place, {missing} AS missing FROM span"
    equal = " AND ".join(f"own.{name} = filled.c{at}" for at, name in enumerate(names))
    with_key = " AND ".join(f"own.{name} IS NOT NULL" for name in names)
    unknown = (
        f"SELECT own.*, filled.c0 IS NOT NULL AS given FROM ({own}) own LEFT JOIN filled ON {equal} "
        f"WHERE (missing OR filled.c0 IS NOT NULL) AND {with_key}"
    )
    so_far = "OVER (ORDER BY place)"
    ranked = f"SELECT *, count(*) FILTER (given) {so_far} AS labelled, count(*) {so_far} AS drawn FROM ({unknown})"
    run(connection, f"CREATE TEMP TABLE ranked AS {ranked}", data_name)
    last = -1 if labelled.last_drawn is None else labelled.last_drawn
    enough = f"given AND place <= {last}::HUGEINT AND labelled >= {MIN_LABELLED} * drawn"
    counted_to = f"(SELECT coalesce(max(place)::HUGEINT, -1) FROM ranked WHERE {enough})"
    # A stratified sample may have rows that are not among all rows, whose strata have other sizes: their labels do not count either.
    listing = ", ".join(f"c{at} AS {name}" for at, name in enumerate(names))
    counting = f"SELECT {', '.join(names)} FROM ranked WHERE given AND place <= {counted_to}"
    run(connection, f"CREATE TEMP TABLE uncounted AS SELECT {listing} FROM filled EXCEPT {counting}", data_name)
    ((count,),) = run(connection, "SELECT count(*) FROM uncounted", data_name)
    return int(count)


def _texts(columns: dict[str, Column], key: Sequence[str], view: str) -> dict[str, str]:
    """SQL for the key columns as text, by their names in a batch of labels."""
    return {name: key_text(columns[column], view) for column, name in zip(key, key_names(key), strict=True)}
