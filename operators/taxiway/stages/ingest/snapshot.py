"""Copies the planned spans into the store: the snapshot of a run."""

from collections.abc import Mapping

from taxiway.credentials import without_credentials
from taxiway.messages import clipped
from taxiway.records import Snapshot
from taxiway.stages.context import StageContext
from taxiway.stages.ingest.plan import IngestPlan
from taxiway.stages.upstream import files_read, note_upstream, upstream_tags
from taxiway.tracking import tags

_LONGEST_PARAM = 500  # characters of the condition in MLflow; the snapshot has all of them


def ingest(context: StageContext, plan: IngestPlan) -> Snapshot:
    """Copy the rows of the planned spans into the store, and return their snapshot.

    Raises:
        DataError: A span cannot be read, or has no rows.
        TransientError: A file disappeared or changed while it was read.
    """
    from taxiway.data.ingest.ingest import ingest as read_spans
    from taxiway.data.ingest.labels.fill import LabelSource
    from taxiway.data.ingest.read_spec import read_spec_of
    from taxiway.data.sources.find import reader_of
    from taxiway.lineage.outcomes import changed_since

    source = context.source

    def note(text: str) -> None:
        context.log.warning("%s", without_credentials(text))

    snapshot = read_spans(
        plan.window.spans,
        pipeline=context.pipeline.name,
        source=context.pipeline.source.text,
        store=context.store,
        read=reader_of(source, context.services.connect, lambda: context.schema().types, note=note),
        read_spec=read_spec_of(
            source,
            plan.joined,
            lambda: context.schema().types,
            LabelSource(context.store, context.pipeline.name, source.label),
        ),
        note=note,
    )
    upstream = upstream_tags(files_read(source, plan.window.spans, plan.joined))
    _record_snapshot(context, snapshot, upstream)
    note_upstream(context, upstream)
    _log_snapshot(context, snapshot)
    for text in plan.window.notes:
        note(text)
    option = "the run parameter span={span}" if context.services.in_airflow else "--span {span}"
    changed = changed_since(context.store, snapshot, span_option=option)
    if changed:
        context.log.warning("%s", "\n".join(changed))
        context.recorder.tags({tags.CHANGED_SPANS: "\n".join(changed)})
    return snapshot


def _record_snapshot(context: StageContext, snapshot: Snapshot, upstream: Mapping[str, str]) -> None:
    """Record the snapshot in the MLflow run, which is named after its target span."""
    recorder, target = context.recorder, snapshot.target_span
    recorder.datasets(snapshot.training, "training")
    recorder.datasets(snapshot.evaluation, "evaluation")
    recorder.joined(snapshot)
    started = f"{context.clock():%Y-%m-%d %H:%M}"
    named = {tags.SPAN: target.label, tags.SPAN_NAME: target.name, tags.RUN_NAME: f"{target.label}, {started} UTC"}
    recorder.record(snapshot, tags={**named, **upstream})
    if snapshot.removed:
        _record_removed(context, snapshot)


def _log_snapshot(context: StageContext, snapshot: Snapshot) -> None:
    """Log which spans are read, how many rows were removed, and how many rows have a match in the joined tables."""
    training, evaluation = (", ".join(span.label for span in spans) for spans in (snapshot.training, snapshot.evaluation))
    context.log.info("training spans: %s; evaluation spans: %s", training, evaluation)
    if snapshot.removed and snapshot.rows is not None:
        context.log.info("source.rows: only rows with %s are read", snapshot.rows)
    for labels in snapshot.labels:
        context.log.info("%s", labels.describe())
    for span in snapshot.removed:
        if span.filtered or span.unlabelled:
            context.log.info("%s", span.describe())
    for join in snapshot.joins:
        matched = f"{join.matched:,} of {join.rows:,} rows"
        context.log.info("join %s: %s of span %s have a match in %s", join.name, matched, join.span, join.table)


def _record_removed(context: StageContext, snapshot: Snapshot) -> None:
    """Record how many rows were removed, and by which condition."""
    if snapshot.rows is not None:
        context.recorder.params({"source.rows": clipped(snapshot.rows, _LONGEST_PARAM)})
    context.recorder.metrics(
        {
            "ingest.rows_filtered": sum(span.filtered for span in snapshot.removed),
            "ingest.rows_unlabelled": sum(span.unlabelled for span in snapshot.removed),
            "ingest.rows_kept": sum(span.rows for span in snapshot.spans),
        }
    )
