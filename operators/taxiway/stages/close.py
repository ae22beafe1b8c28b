"""Close: ends the MLflow run, records the outcome of its span, and removes what a killed task left behind."""

from taxiway.errors import TaxiwayError
from taxiway.lineage.outcomes import mark_processed, summarize, summary_of
from taxiway.lineage.run_records import run_records
from taxiway.records import Outcome, RunSummary
from taxiway.stages.context import StageContext
from taxiway.store import LOST
from taxiway.tracking import tags

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
            _write(context, summary)
        _remove_challenger(context)
        if containers:
            _remove_containers(context)
        if context.pipeline.sweep is not None:
            context.recorder.end_nested("FAILED")
    finally:
        context.recorder.end("FAILED" if failed else "FINISHED")
    return summary


def _summarize(context: StageContext) -> RunSummary | None:
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
        run=context.run.partition("/")[2],
        mlflow_run=context.recorder.run_id,
    )


def _write(context: StageContext, summary: RunSummary) -> None:
    known = summary_of(context.store, summary.pipeline, summary.span)
    # If an earlier run promoted this version, its summary has all reasons and this one does not. It is marked again all the same,
    # because that run may have been killed while it marked the span.
    fuller = known is not None and known.outcome in _PROMOTED and (known.span, known.version) == (summary.span, summary.version)
    mark_processed(context.store, known if known is not None and fuller else summary)
    context.recorder.record(summary, tags={tags.OUTCOME: summary.outcome, tags.NOTE: "\n\n".join(summary.reasons)})
    context.log.info("%s %s: %s", summary.span.label, summary.outcome, "; ".join(summary.reasons))


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
