"""Validate the columns of spans that wait for their labels, so that wrong data is found before the labels come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from taxiway.data.ingest.ingest import all_rows_of
from taxiway.data.ingest.labels.fill import LabelSource
from taxiway.data.ingest.read_spec import ReadSpec, read_spec_of
from taxiway.data.ingest.unlabelled import UnlabelledSpan
from taxiway.data.sources.find import reader_of
from taxiway.data.sources.join_inputs import JoinTable
from taxiway.data.sources.read_file import count_rows
from taxiway.data.sources.reader import Connect, Read
from taxiway.errors import TerminalError
from taxiway.lineage.labels_due import labels_due, record_labels_due
from taxiway.records import DataReport, LabelsDue, RemovedRows, Snapshot, Span, Status, WaitingSpan, span_order
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import Source
from taxiway.stages.context import schema_of
from taxiway.stages.ingest import IngestPlan
from taxiway.stages.validate_data import check_rows
from taxiway.store import StageKey, Store, keep, made_before

if TYPE_CHECKING:
    from taxiway.data.schema.model import Schema

_RULE = 1  # increased when the report on the same rows changes
_MAX_VALIDATED = 24
"""How many spans are validated in one run, the newest ones: a source may have years of rows without labels."""


@contextmanager
def validate_waiting(
    pipeline: Pipeline, source: Source, plan: IngestPlan, store: Store, connect: Connect, *, now: datetime
) -> Iterator[tuple[WaitingSpan, ...]]:
    """Validate the spans of a plan that wait for their labels, and record which spans of the pipeline wait when the block ends.

    Nothing is expected of the label, and the suite is not run, because its expectations may be about the label. Drift is measured
    against the last span that passed. A span is validated again only if its rows, the number of its labels, the schema or the source's
    rules for its rows have changed. Of many spans, only the newest are validated.

    Args:
        pipeline: The pipeline.
        source: Its source, with `{data}` filled in.
        plan: What the run reads, with the spans that wait.
        store: The store.
        connect: Opens the source's database.
        now: The time of the run.

    Yields:
        Of the validated spans, those that were not recorded as waiting before, and those whose validation result has changed. If the block raises, nothing is
        recorded, so the next run yields the same spans again.

    Raises:
        TransientError: A file was removed or changed while it was read.
        ConfigError: The schema cannot be used.
    """
    before = labels_due(store, pipeline.name)
    known = {(span.name, span.version): span for span in (before.spans if before is not None else ())}
    if not plan.unlabelled and not known:
        yield ()
        return
    checks = _Checks(pipeline, source, plan.joined, store, connect, schema_of(pipeline).without_label(), now.date())
    waiting = {key: span for key, span in known.items() if key in plan.unread and source.unlabelled == "wait"}
    for place, unlabelled in enumerate(reversed(plan.unlabelled)):
        key = (unlabelled.found.name, unlabelled.found.version)
        found = WaitingSpan(
            name=unlabelled.found.name,
            version=unlabelled.found.version,
            rows=unlabelled.rows,
            missing=unlabelled.missing,
            since=known[key].since if key in known else now,
        )
        waiting[key] = _validated(found, unlabelled, checks) if place < _MAX_VALIDATED else found
    spans = sorted(waiting.values(), key=lambda span: (span_order(span.name), span.version))
    validated = [span for span in spans if span.is_validated]
    yield tuple(span for span in validated if _state(span) != _state(known.get((span.name, span.version))))
    record_labels_due(store, LabelsDue(pipeline=pipeline.name, spans=tuple(spans)))


def messages_of(span: WaitingSpan, store: Store) -> tuple[str, ...]:
    """What a span is waiting for, and the blocking anomalies in its data.

    Args:
        span: The span.
        store: The store that holds its report.
    """
    report = store.get(DataReport, span.report) if span.report is not None else None
    return (span.describe(), *(f"  - {anomaly.message}" for anomaly in (report.blocking if report is not None else ())))


def _state(span: WaitingSpan | None) -> tuple[bool, str | None] | None:
    return (span.passed, span.problem) if span is not None else None


def _validated(found: WaitingSpan, unlabelled: UnlabelledSpan, checks: "_Checks") -> WaitingSpan:
    """The span with the result of its validation."""
    try:
        report = checks.report_on(unlabelled)
    except TerminalError as error:  # it must not stop the run, which may reach a decision on another span
        return found.model_copy(update={"problem": str(error)})
    return found.model_copy(update={"report": report.digest, "passed": report.status is Status.PASS})


@dataclass(frozen=True)
class _Checks:
    """What is needed to read and check the rows of a waiting span; the schema expects nothing of the label."""

    pipeline: Pipeline
    source: Source
    joined: tuple[JoinTable, ...]
    store: Store
    connect: Connect
    schema: "Schema"
    today: date

    @property
    def _read(self) -> Read:
        return reader_of(self.source, self.connect, lambda: self.schema.types)

    @property
    def _read_spec(self) -> ReadSpec:
        imported = LabelSource(self.store, self.pipeline.name, self.source.label)
        return read_spec_of(self.source, self.joined, lambda: self.schema.types, imported)

    def report_on(self, unlabelled: UnlabelledSpan) -> DataReport:
        """The report on a span, made now or before."""
        rules = self.pipeline.source.model_dump(mode="json", include={"rows", "join", "sample"})
        inputs = {"rows": unlabelled.source_digest, "schema": self.schema.digest}
        key = StageKey("waiting", inputs, {**rules, "missing": unlabelled.missing, "rule": _RULE}, packages=("duckdb",))
        made = made_before(self.store, key, DataReport)
        if made is not None:
            return made
        snapshot = self._snapshot(unlabelled)
        self.store.put(snapshot)
        return keep(self.store, key, check_rows(self.pipeline, self.schema, snapshot, self.store, self.today))

    def _snapshot(self, unlabelled: UnlabelledSpan) -> Snapshot:
        """A snapshot of the span alone; nothing is trained on it."""
        spec = self._read_spec
        ((found, content, rows),) = (
            (found, self.store.put_file(file), count_rows(file, found.path))
            for found, file in all_rows_of((unlabelled.found,), source=self.source.text, read=self._read, read_spec=spec)
        )
        span = Span(source=self.pipeline.source.text, name=found.name, version=found.version, rows=rows, content=content)
        return Snapshot(
            pipeline=self.pipeline.name,
            training=(),
            evaluation=(span,),
            sample=spec.sample,
            split=spec.split,
            rows=spec.rows,
            removed=(RemovedRows(span=span.label, rows=span.rows),) if spec.removes_rows else (),
        )
