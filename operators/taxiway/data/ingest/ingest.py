"""Ingest: copy the planned spans into the store, as a Snapshot.

`plan` chooses the spans. Here rows are only read; `taxiway.data.validation` checks them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.ingest.snapshot import JoinTableCache, SnapshotParts, add_span, all_rows, snapshot_of
from taxiway.data.sources.read_file import count_rows, read_file, read_table
from taxiway.data.sources.reader import FoundSpan, Note, Read, ignore
from taxiway.errors import ConfigError
from taxiway.records import JoinMatch, Snapshot, Span
from taxiway.store import Store, temp_folder


def ingest(
    plan: tuple[FoundSpan, ...],
    *,
    pipeline: str,
    source: str,
    store: Store,
    read: Read | None = None,
    read_spec: ReadSpec | None = None,
    note: Note = ignore,
) -> Snapshot:
    """Copy the rows of each planned span into the store.

    Each span is read once. The same rows give the same snapshot, whatever the names and times of their files.

    Args:
        plan: The spans, oldest first; the last one is the target span.
        pipeline: The name of the pipeline.
        source: The source, as people know it.
        store: Where to put the rows.
        read: Writes the Parquet file of a span to a folder; by default `read_file`.
        read_spec: A filter, joins, a sample and a split, which are applied to the rows; by default none.
        note: Called with each note on what is doubtful about the file of a joined table.

    Raises:
        ConfigError: The plan has too few spans.
        DataError: A span cannot be read or has no rows.
        TransientError: A file was removed or changed while it was read.
    """
    read_spec = read_spec or ReadSpec()
    if not plan:
        raise ConfigError("got a plan without spans; required: at least one span")
    if len(plan) == 1 and read_spec.split is None:
        raise ConfigError(
            "got a plan of one span; required without a split: at least one span to train on and one to evaluate on"
        )
    parts = SnapshotParts()
    with temp_folder("ingest") as folder:
        tables = JoinTableCache(folder, partial(read_table, note=note))
        for found in plan:
            _ingest_one(parts, found, read or read_file, source, read_spec, tables, store, newest=found is plan[-1])
    return snapshot_of(parts, read_spec, pipeline, plan[-1].name)


def all_rows_of(
    plan: tuple[FoundSpan, ...], *, source: str, read: Read, read_spec: ReadSpec
) -> Iterator[tuple[FoundSpan, Path]]:
    """The rows of spans as a run reads them, including those without a label: one Parquet file for each span.

    A file is deleted when the next one is read.

    Args:
        plan: The spans.
        source: The source, as people know it.
        read: Writes the Parquet file of a span to a folder.
        read_spec: The imported labels, the filter, the joins and the sample.

    Raises:
        DataError: A span cannot be read or has no rows.
        TransientError: A file was removed or changed while it was read.
    """
    with temp_folder("ingest") as folder:
        tables = JoinTableCache(folder, read_table)
        for found in plan:
            with _rows_of(found, source, read, read_spec, tables) as (file, _):
                yield found, file


@contextmanager
def rows_of_span(
    found: FoundSpan, *, source: str, read: Read, read_spec: ReadSpec
) -> Iterator[tuple[Path, tuple[JoinMatch, ...]]]:
    """The rows of one span as `all_rows_of` reads them: a file that is deleted after the block, and the match rates of the joins."""
    with (
        temp_folder("ingest") as folder,
        _rows_of(found, source, read, read_spec, JoinTableCache(folder, read_table)) as rows,
    ):
        yield rows


@contextmanager
def _rows_of(
    found: FoundSpan, source: str, read: Read, read_spec: ReadSpec, tables: JoinTableCache
) -> Iterator[tuple[Path, tuple[JoinMatch, ...]]]:
    with temp_folder("span") as folder:
        copy = read(found, folder)
        yield all_rows(span_of(found, copy, source), copy, read_spec, tables, folder)


def store_span(found: FoundSpan, read: Read, source: str, store: Store) -> Span:
    """Copy the rows of one span into the store, as they are.

    Args:
        found: The span.
        read: Writes its Parquet file to a folder.
        source: The source, as people know it.
        store: Where to put the rows.

    Raises:
        DataError: The span cannot be read or has no rows.
        TransientError: A file was removed or changed while it was read.
    """
    with temp_folder("span") as folder:
        copy = read(found, folder)
        return span_of(found, copy, source).model_copy(update={"content": store.put_file(copy)})


def span_of(found: FoundSpan, copy: Path, source: str) -> Span:
    """The record of a copied span, without the digest of its rows.

    Args:
        found: The span.
        copy: The copy of its file.
        source: The source, as people know it.

    Raises:
        DataError: It has no rows.
    """
    return Span(source=source, name=found.name, version=found.version, rows=count_rows(copy, found.path), content="")


def _ingest_one(
    parts: SnapshotParts,
    found: FoundSpan,
    read: Read,
    source: str,
    read_spec: ReadSpec,
    tables: JoinTableCache,
    store: Store,
    *,
    newest: bool,
) -> None:
    with temp_folder("span") as folder:
        copy = read(found, folder)
        add_span(parts, span_of(found, copy, source), copy, read_spec, tables, store, newest=newest)
