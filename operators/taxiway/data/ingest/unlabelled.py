"""Find the spans whose labels are not known yet, with `unlabelled: wait`. Their rows are read, and nothing is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from taxiway.data.ingest.ingest import span_of
from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.ingest.snapshot import JoinTableCache, count_missing_labels
from taxiway.data.sources.read_file import read_table
from taxiway.data.sources.reader import FoundSpan, Read
from taxiway.messages import counted, number_text
from taxiway.records.digests import digest_of_file
from taxiway.spec.source import Source
from taxiway.store import temp_folder


@dataclass(frozen=True)
class UnlabelledSpan:
    """A span that waits for its labels.

    Attributes:
        found: The span at the source.
        label: The label.
        rows: The number of rows that the filter keeps.
        missing: How many of them have no label; None if there is no such column.
        allowed: The largest fraction of rows without a label with which a span is decided.
        source_digest: The digest of the rows at the source.
    """

    found: FoundSpan
    label: str
    rows: int
    missing: int | None
    allowed: float
    source_digest: str

    @property
    def reason(self) -> str:
        """Why the span waits."""
        if self.missing is None:
            return f"there is no column {self.label} yet"
        allowed = f" (source.label_wait.max_missing: {number_text(self.allowed)})" if self.allowed else ""
        return f"the label {self.label} is missing in {self.missing:,} of {counted(self.rows, 'row')}{allowed}"


def find_unlabelled(spans: Sequence[FoundSpan], source: Source, read: Read, read_spec: ReadSpec) -> tuple[UnlabelledSpan, ...]:
    """Those of some spans that have too few labels to be decided.

    Args:
        spans: The spans.
        source: The source with its label, and the fraction of labels that may be missing.
        read: Writes the Parquet file of a span to a folder.
        read_spec: The imported labels, the filter and the joins.

    Raises:
        DataError: A span cannot be read or has no rows.
        TransientError: A file was removed or changed while it was read.
    """
    waiting = []
    with temp_folder("ingest") as folder:
        tables = JoinTableCache(folder, read_table)
        for found in spans:
            with temp_folder("span") as inner:
                copy = read(found, inner)
                rows, missing = count_missing_labels(span_of(found, copy, source.text), copy, source.label, read_spec, tables)
                allowed = source.max_missing_labels
                if missing is None or missing > allowed * rows:
                    waiting.append(UnlabelledSpan(found, source.label, rows, missing, allowed, digest_of_file(copy)))
    return tuple(waiting)
