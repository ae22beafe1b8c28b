"""From the files of a plan to a Snapshot: their whole, checked copies in the store.

Which spans a run reads is in `plan`. Whether the rows are right is not asked here, only whether they can be read.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.ingest.snapshot import JoinTableCache, ReadSpec, SnapshotParts, add_span, snapshot_of
from taxiway.data.sources.read_file import count_rows, read_file, read_table
from taxiway.data.sources.reader import FoundSpan, Read
from taxiway.errors import ConfigError
from taxiway.records import Snapshot, Span
from taxiway.store.store import Store

if TYPE_CHECKING:
    pass


def ingest(
    plan: tuple[FoundSpan, ...],
    *,
    pipeline: str,
    source: str,
    store: Store,
    read: Read | None = None,
    reading: ReadSpec | None = None,
) -> Snapshot:
    """Copy the rows of each planned span into `store`; the last span is the evaluation, those before it training.

    `read` makes the Parquet file of a span in a folder; without it spans are files, see `read_file`. Where `reading` has joins, a
    sample or a split by a column, the rows are made by these rules, and each span may become two. Each span is read once. The same
    rows give the same snapshot, whatever the times of their files and however often.

    Raises DataError naming the span where it cannot be read or has no rows, and TransientError where a file vanished or changed
    while it was read; there is no snapshot then.
    """
    reading = reading or ReadSpec()
    least = 2 if reading.split is None else 1
    if len(plan) < least:
        raise ConfigError(
            f"a plan has at least one span to train on and one to evaluate on, got {len(plan)}; see plan.plan_window"
        )
    made = SnapshotParts()
    with tempfile.TemporaryDirectory(prefix="taxiway-ingest-") as folder:
        tables = JoinTableCache(Path(folder), read_table)
        for found in plan:
            _ingest_one(made, found, read or read_file, source, reading, tables, store)
    return snapshot_of(made, reading, pipeline, plan[-1].name)


def _ingest_one(
    made: SnapshotParts, found: FoundSpan, read: Read, source: str, reading: ReadSpec, tables: JoinTableCache, store: Store
) -> None:
    with tempfile.TemporaryDirectory(prefix="taxiway-span-") as folder:
        copy = read(found, Path(folder))
        span = Span(source=source, name=found.name, version=found.version, rows=count_rows(copy, found.path), content="")
        if reading.is_plain:
            made.training.append(span.model_copy(update={"content": store.put_file(copy)}))
        else:
            add_span(made, span, copy, reading, tables, store)
