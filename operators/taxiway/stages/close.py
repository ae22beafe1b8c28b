"""Close: ends the MLflow run, records the outcome of its span, and removes what a killed task left behind."""

from collections.abc import Iterable

from taxiway.errors import TaxiwayError
from taxiway.lineage.outcomes import as_attempt, mark_processed, summarize, summary_of
from taxiway.lineage.run_records import run_records
from taxiway.records import Outcome, RecordRef, RunSummary, Snapshot
from taxiway.stages.context import StageContext
from taxiway.store import LOST
from taxiway.tracking import tags
from taxiway.tracking.run import refs_of

_PROMOTED = (Outcome.PROMOTED, Outcome.FIRST_CHAMPION)


def close(context: StageContext, *, failed: bool, containers: bool = False) -> RunSummary | None:
    """End the run and record its outcome.

    Args:
        context: The run.
        failed: Whether a stage failed, including a stage whose decision stopped the pipeline.
        containers: Whether the run may have started challengers in containers.

    Returns:
        The outcome; None if a stage failed before a decision. The span then stays due.
    """
    try:
        # The decision is written before the clean-up, which may fail: it must not be lost.
        summary = _summarize(context)
        if summary is not None:
            summary = _write(context, summary)
        _remove_challenger(context)
        if containers:
            _remove_containers(context)
        if context.pipeline.sweep is not None:
            context.recorder.end_nested("FAILED")
    finally:
        context.recorder.end("FAILED" if failed else "FINISHED")
    return summary


def _summarize(context: StageContext) -> RunSummary | None:
    from taxiway.stages.validate_data import failure_reason

    found = run_records(context.store, context.recorder.refs(), skip=LOST)
    for unread in found.unread:
        context.log.warning("%s", unread)
    if found.snapshot is None:
        return None
    return summarize(
        found.snapshot,
        found.report,
        found.verdict,
        found.shadow,
        found.promotion,
        approval=found.approval,
        run=context.run.partition("/")[2],
        mlflow_run=context.recorder.run_id,
        invalid_stops=found.report is not None and failure_reason(context, found.report) is not None,
    )


def _write(context: StageContext, made: RunSummary) -> RunSummary:
    known = summary_of(context.store, made.pipeline, made.span)
    summary = as_attempt(known, made, _why_again(context, known, made) if known else "")
    # If an earlier run promoted this version, its summary has all reasons and this one does not. It is marked again all the same,
    # because that run may have been killed while it marked the span.
    fuller = known is not None and known.outcome in _PROMOTED and (known.span, known.version) == (summary.span, summary.version)
    mark_processed(context.store, known if known is not None and fuller else summary)
    made_tags = {tags.OUTCOME: summary.outcome, tags.NOTE: "\n\n".join(summary.reasons), tags.ATTEMPT: str(summary.attempt)}
    if summary.again is not None:
        made_tags[tags.AGAIN] = summary.again
        context.log.info("attempt %d at %s: %s", summary.attempt, summary.span.label, summary.again)
    context.recorder.record(summary, tags=made_tags)
    context.log.info("%s %s: %s", summary.span.label, summary.outcome, "; ".join(summary.reasons))
    return summary


def _why_again(context: StageContext, known: RunSummary, made: RunSummary) -> str:
    """Why a span is decided again, by what has changed since, if nobody has said it."""
    from taxiway.ledger.decisions import decisions
    from taxiway.records import DataReport

    if context.again:
        return context.again
    if known.span.source_digest != made.span.source_digest:
        return "the source has other rows"
    reports = [ref.digest for ref in context.recorder.refs() if ref.record == DataReport.__name__]
    waivers = [made for report in reports for made in decisions(context.ledger, about=report)]
    if waivers:
        return f"{waivers[0].kind} of {waivers[0].by}: {waivers[0].reason}"
    labels = _new_labels(context, known)
    if labels is not None:
        return labels
    return "the run was cleared" if known.run == made.run else "somebody started a run for this span"


def _new_labels(context: StageContext, known: RunSummary) -> str | None:
    """Whose labels were imported since an attempt; None if none were."""
    from mlflow.exceptions import MlflowException

    from taxiway.ledger.decisions import decisions

    batches = _label_batches(context, context.recorder.refs())
    if not batches:
        return None
    try:
        before = _label_batches(context, refs_of(context.registry.get_run(known.mlflow_run).data.tags))
    except MlflowException:  # the run of that attempt was deleted
        before = ()
    told = [made.reason for digest in batches if digest not in before for made in decisions(context.ledger, about=digest)]
    return f"imported {'; '.join(told)}" if told else None


def _label_batches(context: StageContext, refs: Iterable[RecordRef]) -> tuple[str, ...]:
    """The digests of the imported labels that a run has joined."""
    snapshot = run_records(context.store, [ref for ref in refs if ref.record == Snapshot.__name__], skip=LOST).snapshot
    return tuple(digest for labels in snapshot.labels for digest in labels.batches) if snapshot is not None else ()


def _remove_challenger(context: StageContext) -> None:
    """Remove the challenger of this run, if a killed task left one."""
    from taxiway.registry.aliases import CHALLENGER, point

    if context.services.gateway is None or context.pipeline.shadow is None:
        return
    try:
        with context.services.gateway() as gateway:
            challenger = gateway.challenger(context.pipeline.name)
            if challenger is None or not challenger.owner.startswith(f"{context.run}@"):
                return
            gateway.delete_challenger(context.pipeline.name, owner=challenger.owner)
        point(context.registry, context.pipeline.name, CHALLENGER, None)
    except TaxiwayError as error:
        context.log.warning("could not remove the challenger; the gateway removes it when its lease ends: %s", error)


def _remove_containers(context: StageContext) -> None:
    """Remove the containers that a killed shadow task left."""
    if context.services.containers is None:
        return
    try:
        left = context.services.containers.remove(context.run)
    except TaxiwayError as error:
        context.log.warning("could not remove the challenger's container; it stops when its lease ends: %s", error)
        return
    if left:
        context.log.info("removed %d container(s) left by a killed task", left)
