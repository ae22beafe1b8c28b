"""The spans with rows that wait for labels, and how they are read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.ingest.labels.imported import labelled_spans
from taxiway.data.sources.find import needs_data, reader_of, spans_of, with_versions
from taxiway.data.sources.join_inputs import JoinTable, find_join_tables, waiting
from taxiway.data.sources.reader import FoundSpan, Read
from taxiway.errors import ConfigError
from taxiway.lineage.outcomes import processed_spans
from taxiway.messages import listed
from taxiway.records import Snapshot, span_label, span_order
from taxiway.spec.source import Source
from taxiway.stages.context import StageContext

if TYPE_CHECKING:
    from taxiway.data.schema.model import Schema

MAX_SPANS = 24
"""How many spans are read, the newest ones."""


@dataclass(frozen=True)
class SpansToLabel:
    """The spans that are looked through for rows without a label.

    Attributes:
        source: The source, with `{data}` filled in.
        spans: The spans, oldest first.
        joined: The tables that are joined to them.
        about: What they are, for messages.
        schema: The schema of the pipeline.
    """

    source: Source
    spans: tuple[FoundSpan, ...]
    joined: tuple[JoinTable, ...]
    about: str
    schema: "Schema"

    @property
    def names(self) -> str:
        """The labels of the spans, for messages."""
        return ", ".join(span_label(span.name, span.version) for span in self.spans) or "none"

    def types(self) -> Mapping[str, str]:
        """The columns of the schema with their types."""
        return self.schema.types

    def read(self, context: StageContext) -> Read:
        """The function that writes the Parquet file of a span."""
        return reader_of(self.source, context.services.connect, self.types)

    def rows(self, context: StageContext) -> Iterator[tuple[FoundSpan, Path]]:
        """The rows of each span as a run reads them; see `all_rows_of`."""
        from taxiway.data.ingest.ingest import all_rows_of
        from taxiway.data.ingest.labels.fill import LabelSource
        from taxiway.data.ingest.read_spec import read_spec_of

        imported = LabelSource(context.store, context.pipeline.name, self.source.label)
        read_spec = read_spec_of(self.source, self.joined, self.types, imported)
        return all_rows_of(self.spans, source=self.source.text, read=self.read(context), read_spec=read_spec)


def spans_to_label(context: StageContext, snapshot: Snapshot) -> SpansToLabel:
    """The spans with rows that wait for labels.

    These are the spans of a snapshot in which rows without a label were left out; if there are none, with `unlabelled: wait` the newest
    spans without a decision. Spans for which labels were imported before are among them.

    Args:
        context: The pipeline.
        snapshot: The snapshot of a version of its model.

    Raises:
        ConfigError: The source does not leave out rows without a label, labels cannot be joined to its rows by the schema's key, or the
            source has none of these spans.
    """
    source, schema, pipeline = context.source, context.schema(), context.pipeline.name
    _check(context, source, schema)
    processed, joined = processed_spans(context.store, pipeline), find_join_tables(source)
    found = spans_of(source, processed=processed, now=context.clock())
    unreadable = {*source.exclude, *waiting(found, joined)}
    before = set(labelled_spans(context.store, pipeline))
    dropped = {removed.span for removed in snapshot.removed if removed.unlabelled}
    if source.unlabelled == "wait" and not dropped:
        wanted = {span.name for span in found if (span.name, span.version) not in processed}
        about = "spans without a decision"
    else:
        wanted = {span.name for span in snapshot.spans if span_label(span.name, span.version) in dropped}
        about = "spans whose rows without a label were left out"
    _require_found(context, {span.name for span in found}, wanted)
    spans = tuple(span for span in found if span.name in wanted | before and span.name not in unreadable)[-MAX_SPANS:]
    return SpansToLabel(source, with_versions(source, spans, context.services.connect), joined, about, schema)


def _require_found(context: StageContext, found: set[str], wanted: set[str]) -> None:
    """Raise ConfigError if the source has no span at all, or none of those with rows to label, such as in another data folder."""
    if found and (not wanted or found & wanted):
        return
    names = sorted(wanted, key=span_order)
    missing = f"no span with rows to label ({listed(names)})" if found else "no span"
    if not needs_data(context.pipeline.source):
        raise ConfigError(f"{missing} is at {context.source.text}; check source in the pipeline file", key="source")
    folder = context.services.data
    raise ConfigError(
        f"{missing} is at {context.source.text}; {{data}} stands for {folder}. Give the folder or URL of the data: --data FOLDER",
        key="data",
        got=folder,
    )


def _check(context: StageContext, source: Source, schema: "Schema") -> None:
    file = Path(context.pipeline.schema_file).name
    if source.unlabelled == "fail":
        raise ConfigError(
            f"no row of {context.pipeline.name} waits for a label: source.unlabelled is fail, so a missing label is an error; allowed: wait, "
            "to decide a span when its labels are known, or drop, to leave out rows without a label",
            key="source.unlabelled",
            got="fail",
            allowed=("wait", "drop"),
        )
    if not schema.key:
        raise ConfigError(
            f"{file} has no key, by which labels find their rows; add the columns that are unique for every row: key: [COLUMN]",
            key="key",
        )
    joined = {column for join in source.join.values() for column in join.joined_columns.values()}
    if foreign := [column for column in (*schema.key, source.label) if column in joined]:
        raise ConfigError(
            f"{listed(foreign)} comes from a joined table; labels are joined to the rows of the source by its own key columns. Add the "
            "labels to the joined table instead",
            key="source.join",
        )
