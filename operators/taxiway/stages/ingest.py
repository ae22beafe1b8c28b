"""Ingest: which spans a run reads, and the snapshot of their rows. The trigger for new spans plans with the same functions."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from taxiway.credentials import without_credentials
from taxiway.data.ingest.plan import WindowPlan, newest_plan, plan_as_of, plan_window
from taxiway.data.sources.find import source_state, spans_of, with_versions
from taxiway.data.sources.join_inputs import JoinTable, find_join_tables, joined_state, waiting
from taxiway.data.sources.reader import Connect, FoundSpan
from taxiway.lineage.outcomes import processed_spans, processed_state
from taxiway.messages import clipped
from taxiway.records import Snapshot
from taxiway.spec.source import Source
from taxiway.stages.context import StageContext
from taxiway.store import SpanKey, Store
from taxiway.tracking import tags

_LONGEST_PARAM = 500  # characters of the condition in MLflow; the snapshot has all of them


@dataclass(frozen=True)
class IngestPlan:
    """The spans that a run reads.

    Attributes:
        plan: The spans, or why there is nothing to do.
        joined: The tables that are joined to their rows.
        any_decided: Whether a span of the source has a decision already.
    """

    plan: WindowPlan
    joined: tuple[JoinTable, ...]
    any_decided: bool = False

    def nothing_to_do(self, span_option: str) -> str:
        """Why the run has nothing to do; `span_option` is how the caller names a span to decide again."""
        again = f". To decide a span again: {span_option}" if self.any_decided else ""
        return f"nothing to do: {self.plan.reason}{again}"


@dataclass(frozen=True)
class _Arrived:
    """What a source has now: its spans, oldest first, those that are processed, and why some cannot be read yet."""

    spans: tuple[FoundSpan, ...]
    processed: frozenset[SpanKey]
    joined: tuple[JoinTable, ...]
    waits: Mapping[str, str]


def ingest_state(source: Source, pipeline: str, store: Store, *, now: datetime) -> Hashable:
    """A value that changes whenever the result of `next_span` may change, so that a trigger calls that only then."""
    return source_state(source, now=now), joined_state(source), processed_state(store, pipeline)


def next_span(source: Source, pipeline: str, store: Store, *, now: datetime) -> SpanKey | None:
    """Name and version of the span that a run started now would decide on; None if there is none.

    For a query or a function this does not read the source: the span of a period counts as available once the period has ended.
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
    types: Callable[[], Mapping[str, str]] = dict,
) -> IngestPlan:
    """Choose the spans that a run reads: the oldest span that is not processed, and the window before it.

    With `unlabelled: wait`, the rows of the chosen spans are read, and spans with missing labels are left out.

    Args:
        source: The pipeline's source, with `{data}` filled in.
        pipeline: The pipeline's name.
        store: The store with the index of processed spans.
        connect: Opens the source's database.
        now: The time of the run; periods that end later are not available yet.
        requested: The name of the span to decide, processed or not.
        moment: For a backfill: decide the newest span that had ended by this time, instead of the oldest span.
        before: The `moment` of the previous run of the backfill.
        types: Returns the columns of the schema with their types.

    Raises:
        ConfigError: The requested span does not exist, or cannot be decided.
        DataError: With `unlabelled: wait`, a span cannot be read.
    """
    arrived = _look(source, pipeline, store, now)

    def plan_now(waits: Mapping[str, str]) -> IngestPlan:
        return _plan(source, replace(arrived, waits=waits), connect, requested=requested, moment=moment, before=before)

    planned, labelled = plan_now(arrived.waits), set(arrived.processed)
    while source.unlabelled == "wait":
        unknown = tuple(span for span in planned.plan.spans if (span.name, span.version) not in labelled)
        missing = _unlabelled(source, unknown, planned.joined, connect, types)
        if not missing:
            break
        labelled |= {(span.name, span.version) for span in unknown}
        arrived = replace(arrived, waits={**arrived.waits, **missing})
        planned = plan_now(arrived.waits)
    return planned


def _plan(
    source: Source,
    arrived: "_Arrived",
    connect: Connect,
    *,
    requested: str | None,
    moment: datetime | None,
    before: datetime | None,
) -> IngestPlan:
    # Corrected rows matter only for the newest window and for the spans of this run.
    newest = {span.name: span for span in with_versions(source, newest_plan(arrived.spans, source, arrived.waits), connect)}
    found = tuple(newest.get(span.name, span) for span in arrived.spans)
    if moment is None or requested:
        plan = plan_window(found, source, decided=arrived.processed, requested=requested, waiting=arrived.waits)
    else:
        plan = plan_as_of(found, source, moment=moment, before=before, waiting=arrived.waits)
    return IngestPlan(
        replace(plan, spans=with_versions(source, plan.spans, connect)), arrived.joined, any_decided=bool(arrived.processed)
    )


def ingest(context: StageContext, planned: IngestPlan) -> Snapshot:
    """Copy the rows of the planned spans into the store, and return their snapshot.

    Raises:
        DataError: A span cannot be read, or has no rows.
        TransientError: A file disappeared or changed while it was read.
    """
    from taxiway.data.ingest.ingest import ingest as read_spans
    from taxiway.data.ingest.snapshot import read_spec_of
    from taxiway.data.sources.find import reader_of
    from taxiway.lineage.outcomes import changed_since

    source, recorder = context.source, context.recorder

    def note(text: str) -> None:
        context.log.warning("%s", without_credentials(text))

    made = read_spans(
        planned.plan.spans,
        pipeline=context.pipeline.name,
        source=context.pipeline.source.text,
        store=context.store,
        read=reader_of(source, context.services.connect, lambda: context.schema().types, note=note),
        reading=read_spec_of(source, planned.joined, lambda: context.schema().types),
        note=note,
    )
    recorder.datasets(made.training, "training")
    recorder.datasets(made.evaluation, "evaluation")
    recorder.joined(made)
    target = made.target_span
    started = f"{context.clock():%Y-%m-%d %H:%M}"
    named = {tags.SPAN: target.label, tags.SPAN_NAME: target.name, tags.RUN_NAME: f"{target.label}, {started} UTC"}
    recorder.record(made, tags=named)
    training, evaluation = (", ".join(s.label for s in spans) for spans in (made.training, made.evaluation))
    context.log.info("training spans: %s; evaluation spans: %s", training, evaluation)
    if made.removed:
        _record_removed(context, made)
    for join in made.joins:
        matched = f"{join.matched:,} of {join.rows:,} rows"
        context.log.info("join %s: %s of span %s have a match in %s", join.name, matched, join.span, join.table)
    for text in planned.plan.notes:
        note(text)
    option = "the run parameter span={span}" if context.services.in_airflow else "--span {span}"
    changed = changed_since(context.store, made, span_option=option)
    if changed:
        context.log.warning("%s", "\n".join(changed))
        recorder.tags({tags.CHANGED_SPANS: "\n".join(changed)})
    return made


def _record_removed(context: StageContext, made: Snapshot) -> None:
    """Log how many rows were removed, and why."""
    if made.rows is not None:
        context.log.info("source.rows: only rows with %s are read", made.rows)
        context.recorder.params({"source.rows": clipped(made.rows, _LONGEST_PARAM)})
    for span in made.removed:
        context.log.info("%s", span.describe())
    context.recorder.metrics(
        {
            "ingest.rows_filtered": sum(span.filtered for span in made.removed),
            "ingest.rows_unlabelled": sum(span.unlabelled for span in made.removed),
            "ingest.rows_kept": sum(span.rows for span in made.spans),
        }
    )


def _unlabelled(
    source: Source,
    spans: tuple[FoundSpan, ...],
    joined: tuple[JoinTable, ...],
    connect: Connect,
    types: Callable[[], Mapping[str, str]],
) -> dict[str, str]:
    """Why the labels of a span, by its name, are not complete."""
    from taxiway.data.ingest.ingest import find_unlabelled
    from taxiway.data.ingest.snapshot import read_spec_of
    from taxiway.data.sources.find import reader_of

    reading = read_spec_of(source, joined, types)
    return find_unlabelled(spans, source.label, source=source.text, read=reader_of(source, connect, types), reading=reading)


def _look(source: Source, pipeline: str, store: Store, now: datetime) -> _Arrived:
    processed, joined = processed_spans(store, pipeline), find_join_tables(source)
    spans = spans_of(source, decided=processed, now=now)
    return _Arrived(spans, processed, joined, waiting(spans, joined))
