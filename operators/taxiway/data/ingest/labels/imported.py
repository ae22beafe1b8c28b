"""The labels that people have imported for the rows of spans: in batches, each of one person, and an index of them by span.

A batch is a Parquet object with the columns `span`, `k0`, `k1`, ... (the key of a row, as text that is the same for equal
values of any type) and `label`. The ref `labels/PIPELINE/SPAN/DIGEST` names the labeller and the time. Batches are never
changed: a person who labels a row again adds a batch. Reading the labels of a span costs one listing and its own batches,
however many spans there are.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from taxiway.store import LOST, Store

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)
Key = tuple[str, ...]
"""The values of a row's key columns, as text."""


@dataclass(frozen=True)
class LabelBatch:
    """Who has labelled some rows.

    Attributes:
        digest: The digest of the object with the rows.
        by: The name of the labeller.
        at: When the labels were imported, in UTC.
        key: The key columns.
    """

    digest: str
    by: str
    at: datetime
    key: tuple[str, ...]


@dataclass(frozen=True)
class SpanLabels:
    """The imported labels of one span.

    Attributes:
        key: The key columns.
        batches: The digests of the batches, oldest first.
        given: For each labeller the newest label of each row.
        type: The type of the labels.
    """

    key: tuple[str, ...]
    batches: tuple[str, ...]
    given: Mapping[str, Mapping[Key, Any]]
    type: "pa.DataType"

    @property
    def agreed(self) -> dict[Key, Any]:
        """The labels of the rows on which all labellers agree."""
        return {key: next(iter(labels)) for key, labels in self._by_row().items() if len(labels) == 1}

    @property
    def conflicting(self) -> tuple[Key, ...]:
        """The rows that were labelled differently; they count as not labelled."""
        return tuple(key for key, labels in self._by_row().items() if len(labels) > 1)

    def _by_row(self) -> dict[Key, set[Any]]:
        found: dict[Key, set[Any]] = {}
        for labels in self.given.values():
            for key, label in labels.items():
                found.setdefault(key, set()).add(label)
        return found


def add_batch(store: Store, pipeline: str, spans: Iterable[str], batch: LabelBatch) -> None:
    """Add a stored batch to the index of each of its spans."""
    facts = {"at": batch.at.isoformat(), "by": batch.by, "key": batch.key}
    for span in spans:
        store.set_ref(f"labels/{pipeline}/{span}/{batch.digest}", json.dumps(facts, sort_keys=True))
    store.set_ref(f"labels.newest/{pipeline}", batch.digest)


def labels_state(store: Store, pipeline: str) -> str | None:
    """A value that changes whenever labels are imported for a pipeline."""
    return store.get_ref(f"labels.newest/{pipeline}")


def labelled_spans(store: Store, pipeline: str) -> tuple[str, ...]:
    """The names of the spans for whose rows labels were imported."""
    return store.list_refs(f"labels/{pipeline}")


def batches_of(store: Store, pipeline: str, span: str) -> tuple[LabelBatch, ...]:
    """The batches with labels for the rows of a span, oldest first."""
    folder = f"labels/{pipeline}/{span}"
    found = [_batch(digest, store.get_ref(f"{folder}/{digest}")) for digest in store.list_refs(folder)]
    return tuple(sorted((batch for batch in found if batch is not None), key=lambda batch: (batch.at, batch.digest)))


def _batch(digest: str, text: str | None) -> LabelBatch | None:
    """The batch that a ref is about; None if it was deleted, or is not one of Taxiway's."""
    try:
        facts = json.loads(text or "")
        return LabelBatch(digest, facts["by"], datetime.fromisoformat(facts["at"]), tuple(facts["key"]))
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("%s is not the ref of imported labels, and is ignored: %s", digest, error)
        return None


def imported_labels(store: Store, pipeline: str, span: str) -> SpanLabels | None:
    """The imported labels of a span; None if there are none.

    Batches whose key is not that of the newest one are left out, and so is, with a warning, a batch that is lost.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches = batches_of(store, pipeline, span)
    if not batches:
        return None
    key = batches[-1].key
    given: dict[str, dict[Key, Any]] = {}
    used, kind = [], pa.null()
    for batch in (batch for batch in batches if batch.key == key):
        try:
            with store.local_file(batch.digest) as path:
                rows = pq.read_table(path, filters=[("span", "==", span)])
        except LOST as error:
            _log.warning("the labels of %s for span %s are left out: %s", batch.by, span, error)
            continue
        keys = zip(*(rows.column(name).to_pylist() for name in key_names(key)), strict=True)
        given.setdefault(batch.by, {}).update(zip(keys, rows.column("label").to_pylist(), strict=True))
        used.append(batch.digest)
        kind = rows.schema.field("label").type
    return SpanLabels(key, tuple(used), given, kind)


def key_names(key: Sequence[str]) -> list[str]:
    """The names of the key columns in a batch."""
    return [f"k{at}" for at in range(len(key))]
