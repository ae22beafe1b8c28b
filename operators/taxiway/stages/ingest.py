"""Ingest: which spans a run reads, and the snapshot of their rows. The trigger that waits for new spans asks here too."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from taxiway.data.ingest.plan import WindowPlan, newest_plan, plan_as_of, plan_window
from taxiway.data.sources.find import source_state, spans_of, with_versions
from taxiway.data.sources.join_inputs import JoinTable, find_join_tables, joined_state, waiting
from taxiway.data.sources.reader import Connect, FoundSpan
from taxiway.lineage.outcomes import processed_spans, processed_state
from taxiway.records import Snapshot
from taxiway.spec.source import Source
from taxiway.stages.context import StageContext
from taxiway.store import SpanKey, Store
from taxiway.tracking import tags


@dataclass(frozen=True)
class IngestPlan:
    """The spans that a run reads, and the tables that are joined to them."""

    plan: WindowPlan
    joined: tuple[JoinTable, ...]


@dataclass(frozen=True)
class _Arrived:
    """What a source holds now: its spans, oldest first, those that are processed, and why some cannot be read yet."""

    spans: tuple[FoundSpan, ...]
    processed: frozenset[SpanKey]
    joined: tuple[JoinTable, ...]
    waits: Mapping[str, str]


def ingest_state(source: Source, pipeline: str, store: Store, *, now: datetime) -> Hashable:
    """What `next_span` hangs on: as long as this is the same, so is its answer, and a watcher need not ask."""
    return source_state(source, now=now), joined_state(source), processed_state(store, pipeline)


def next_span(source: Source, pipeline: str, store: Store, *, now: datetime) -> SpanKey | None:
    """Name and version of the span that a run started now would decide on; None if there is none.

    A query's database and a function are not asked: a period is there once it has ended, in the version in which it was processed.
    """
    arrived = _look(source, pipeline, store, now)
    plan = plan_window(arrived.spans, source, decided=arrived.processed, waiting=arrived.waits)
    return (plan.spans[-1].name, plan.spans[-1].version) if plan.spans else None


def plan_ingest(
    source: Source,
    pipeline: str,
    store: Store,
    connect: Connect,
    *,
    now: datetime,
    requested: str | None = None,
    moment: datetime | None = None,
    before: datetime | None = None,
) -> IngestPlan:
    """What a run reads: the oldest span that is not processed, with the window before it.

    Args:
        source: The pipeline's source, with `{data}` filled in.
        pipeline: The pipeline's name.
        store: The store with the index of processed spans.
        connect: Opens the source's database.
        now: The time of the run; periods that end later are not there yet.
        requested: The name of the span to decide, processed or not.
        moment: Instead of the oldest span, decide the newest one that had ended by this time, as the run of a backfill does.
        before: The `moment` of the run before that one.

    Raises:
        ConfigError: The requested span is not there, or cannot be decided.
    """
    arrived = _look(source, pipeline, store, now)
    # Corrected rows are looked for where a run that reads them could still be the newest, and in what this run reads.
    newest = {span.name: span for span in with_versions(source, newest_plan(arrived.spans, source, arrived.waits), connect)}
    found = tuple(newest.get(span.name, span) for span in arrived.spans)
    if moment is None or requested:
        plan = plan_window(found, source, decided=arrived.processed, requested=requested, waiting=arrived.waits)
    else:
        plan = plan_as_of(found, source, moment=moment, before=before, waiting=arrived.waits)
    return IngestPlan(replace(plan, spans=with_versions(source, plan.spans, connect)), arrived.joined)


def ingest(context: StageContext, planned: IngestPlan) -> Snapshot:
    """Copy the rows of the planned spans into the store.

    Raises:
        DataError: A span cannot be read, or has no rows.
        TransientError: A file vanished or changed while it was read.
    """
    from taxiway.data.ingest.ingest import ingest as read_spans
    from taxiway.data.ingest.snapshot import read_spec_of
    from taxiway.data.sources.find import reader_of
    from taxiway.lineage.outcomes import changed_since

    source, recorder = context.source, context.recorder
    made = read_spans(
        planned.plan.spans,
        pipeline=context.pipeline.name,
        source=context.pipeline.source.text,
        store=context.store,
        read=reader_of(source, context.services.connect, lambda: context.schema().text_columns),
        reading=read_spec_of(source, planned.joined),
    )
    recorder.datasets(made.training, "training")
    recorder.datasets(made.evaluation, "evaluation")
    recorder.joined(made)
    recorder.tags({tags.SPAN: made.target_span.label, tags.SPAN_NAME: made.target_span.name})
    recorder.record(made)
    trains, evaluates = (", ".join(s.label for s in spans) for spans in (made.training, made.evaluation))
    context.log.info("trains on %s, evaluates on %s", trains, evaluates)
    for joined in made.joins:
        context.log.info("%s: %s of %s has a partner in %s", joined.name, f"{joined.match_rate:.2%}", joined.span, joined.table)
    for note in planned.plan.notes:
        context.log.warning("%s", note)
    changed = changed_since(context.store, made)
    if changed:
        context.log.warning("%s", "\n".join(changed))
        recorder.tags({tags.CHANGED_SPANS: "\n".join(changed)})
    return made


def _look(source: Source, pipeline: str, store: Store, now: datetime) -> _Arrived:
    processed, joined = processed_spans(store, pipeline), find_join_tables(source)
    spans = spans_of(source, decided=processed, now=now)
    return _Arrived(spans, processed, joined, waiting(spans, joined))
