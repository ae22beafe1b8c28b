"""Close: ends the MLflow run, records the outcome of its span, and removes what a killed task left behind."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from taxiway.errors import TaxiwayError
from taxiway.ledger.chain import Ledger
from taxiway.lineage.outcomes import as_attempt, mark_processed, repeats_promotion, summarize, summary_of
from taxiway.lineage.run_records import RunRecords, run_records
from taxiway.lineage.verdicts import JudgedVersion
from taxiway.records import DataReport, Decision, DecisionKind, Outcome, Promotion, RecordRef, RunSummary, Snapshot
from taxiway.records.recorder import RunRecorder
from taxiway.stages.context import StageContext
from taxiway.store import LOST, Store
from taxiway.tracking import tags
from taxiway.tracking.run import MlflowRun, refs_of

if TYPE_CHECKING:
    from mlflow.entities import Run

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
        found = run_records(context.store, context.recorder.refs(), skip=LOST)
        summary = _summarize(context, found)
        if summary is not None:
            why = {"started_by": context.recorder.tag(tags.STARTED_BY), "retraining": context.recorder.tag(tags.RETRAINING)}
            summary = summary.model_copy(update=why)
            repeats = repeats_promotion(summary, found.promotion)
            summary = _write(context.ledger, context.store, context.recorder, summary, context.again, repeats=repeats)
            if summary.again is not None:
                context.log.info("attempt %d at %s: %s", summary.attempt, summary.span.label, summary.again)
            context.log.info("%s %s: %s", summary.span.label, summary.outcome, "; ".join(summary.reasons))
        _remove_challenger(context)
        if containers:
            _remove_containers(context)
        if context.pipeline.sweep is not None:
            context.recorder.end_nested("FAILED")
    finally:
        context.recorder.end("FAILED" if failed else "FINISHED")
    return summary


def _summarize(context: StageContext, found: RunRecords) -> RunSummary | None:
    from taxiway.stages.validate_data import failure_reason

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
        candidate=found.candidate,
        approval=found.approval,
        run=context.run.partition("/")[2],
        mlflow_run=context.recorder.run_id,
        invalid_stops=found.report is not None and failure_reason(context, found.report) is not None,
    )


def close_answered(
    ledger: Ledger, store: Store, judged: JudgedVersion, answer: Decision, promotion: Promotion | None
) -> RunSummary | None:
    """Record the outcome of a run that waits for an approval, after it was answered from elsewhere.

    Args:
        ledger: The ledger with the answer.
        store: The store.
        judged: The version that was asked about, with the records of its run.
        answer: The approval or rejection.
        promotion: The promotion that followed an approval; None after a rejection.

    Returns:
        The outcome; None if the records of the run are lost, or it did not get as far as the question.
    """
    found = judged.records
    if found.snapshot is None:
        return None
    run = ledger.client.get_run(judged.mlflow_run)
    made = summarize(
        found.snapshot,
        found.report,
        found.verdict,
        found.shadow,
        promotion,
        candidate=found.candidate,
        approval=answer,
        run=run.data.tags[tags.DAG_RUN].partition("/")[2],
        mlflow_run=judged.mlflow_run,
        invalid_stops=False,
    )
    if made is None:
        return None
    recorder = MlflowRun(ledger.client, judged.mlflow_run, run.info.experiment_id)
    for record in filter(None, (answer, promotion)):
        store.put(record)
        recorder.record(record)
    why = {"started_by": run.data.tags.get(tags.STARTED_BY, ""), "retraining": run.data.tags.get(tags.RETRAINING, "")}
    made = made.model_copy(update=why)
    summary = _write(ledger, store, recorder, made, run.data.tags.get(tags.AGAIN))
    store.put(summary)
    return summary


def _write(
    ledger: Ledger, store: Store, recorder: RunRecorder, made: RunSummary, again: str | None, *, repeats: bool = False
) -> RunSummary:
    """Record the outcome on its span and on its run.

    Args:
        ledger: The ledger.
        store: The store.
        recorder: The run.
        made: The outcome.
        again: Why a person decides the span again; None if nobody has said.
        repeats: Whether the run has decided nothing, because its version is the champion already.
    """
    known = summary_of(store, made.pipeline, made.span)
    if (
        known is not None
        and repeats
        and known.outcome in _PROMOTED
        and (known.span, known.version) == (made.span, made.version)
    ):
        # The summary of the run that promoted this version has all reasons. It is marked again all the same, because that run may have
        # been killed while it marked the span.
        summary = made.model_copy(update={"attempt": known.attempt, "again": known.again, "previous": known.previous})
        mark_processed(store, known)
    else:
        summary = as_attempt(known, made, again or _why_again(ledger, store, recorder, known, made) if known else "")
        mark_processed(store, summary)
    made_tags = {tags.OUTCOME: summary.outcome, tags.NOTE: "\n\n".join(summary.reasons), tags.ATTEMPT: str(summary.attempt)}
    if summary.again is not None:
        made_tags[tags.AGAIN] = summary.again
    recorder.record(summary, tags=made_tags)
    return summary


def _why_again(ledger: Ledger, store: Store, recorder: RunRecorder, known: RunSummary, made: RunSummary) -> str:
    """Why a span is decided again, by what has changed since, if nobody has said it."""
    from taxiway.ledger.decisions import decisions

    refs = recorder.refs()
    if known.span.source_digest != made.span.source_digest:
        return "the source has other rows"
    last = _run_of(ledger, known.mlflow_run)
    before: Mapping[str, str] = last.data.tags if last is not None else {}
    if before.get(tags.SETTINGS, recorder.tag(tags.SETTINGS)) != recorder.tag(tags.SETTINGS):
        return "the pipeline file has changed"
    reports = [ref.digest for ref in refs if ref.record == DataReport.__name__]
    waivers = [found for report in reports for found in decisions(ledger, about=report) if found.kind is DecisionKind.WAIVER]
    new = next((found for found in waivers if last is None or found.at > _ended(last)), None)
    if new is not None:
        return f"{new.kind} of {new.by}: {new.reason}"
    labels = _new_labels(ledger, store, refs, before)
    if labels is not None:
        return labels
    return "the run was cleared" if known.run == made.run else "somebody started a run for this span"


def _run_of(ledger: Ledger, mlflow_run: str) -> "Run | None":
    """The MLflow run of an attempt; None if it was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        return ledger.client.get_run(mlflow_run)
    except MlflowException:
        return None


def _ended(last: "Run") -> datetime:
    """When the run of an attempt ended; a run that was cleared has its earlier end until it ends again. Without an end, its start."""
    return datetime.fromtimestamp((last.info.end_time or last.info.start_time) / 1000, UTC)


def _new_labels(ledger: Ledger, store: Store, refs: Sequence[RecordRef], before: Mapping[str, str]) -> str | None:
    """Whose labels were imported since an attempt with these tags; None if none were."""
    from taxiway.ledger.decisions import decisions

    batches = _label_batches(store, refs)
    if not batches:
        return None
    known = _label_batches(store, refs_of(before))
    told = [made.reason for digest in batches if digest not in known for made in decisions(ledger, about=digest)]
    return f"imported {'; '.join(told)}" if told else None


def _label_batches(store: Store, refs: Sequence[RecordRef]) -> tuple[str, ...]:
    """The digests of the imported labels that a run has joined."""
    snapshot = run_records(store, [ref for ref in refs if ref.record == Snapshot.__name__], skip=LOST).snapshot
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
