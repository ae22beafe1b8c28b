"""Validate model: evaluates candidate and champion on the same rows, and lets the model gate decide."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.records import Candidate, DataReport, Snapshot, Status, Verdict
from taxiway.stages.context import StageContext, bullets
from taxiway.stages.validate_model.gate_report import Decided, log_gate_report
from taxiway.tracking import tags

if TYPE_CHECKING:
    from taxiway.ledger.entry import Entry


def validate_model(context: StageContext, candidate: Candidate, snapshot: Snapshot, report: DataReport) -> Verdict | None:
    """Evaluate the candidate against the champion, and decide whether it passes the model gate.

    Args:
        context: The run.
        candidate: The trained model version.
        snapshot: The snapshot whose evaluation rows are used.
        report: The DataReport of the snapshot.

    Returns:
        The verdict; None if the candidate is already the champion.

    Raises:
        UntrustedModelError: The candidate needs types that Taxiway does not load.
        DataError: The evaluation rows lack a label.
        TerminalError: A promotion in the ledger is not signed with a key of the installation.
    """
    from taxiway.registry.alias_moves import champion_now, settled
    from taxiway.stages.validate_model.judge import judge
    from taxiway.stages.validate_model.scoring import baselines_of

    # The push of an earlier try may have been killed after its decision, and before it moved the alias.
    known = settled(context.ledger, candidate.model)
    champion = champion_now(context.ledger, candidate.model, known)
    if champion == candidate.version:
        _repeat_promotion(context, candidate, known)
        return None
    judged = judge(context, candidate, snapshot, report, champion, baselines_of(context, candidate, snapshot))
    evaluation, verdict = judged.evaluation, judged.verdict
    context.store.put(evaluation)
    context.recorder.record(verdict)
    context.registry.set_model_version_tag(verdict.model, str(verdict.version), tags.VERDICT, verdict.status)
    logged = context.recorder.logged()
    reasons = [f"{r.status}: {r.message}" for r in verdict.reasons]
    if evaluation.baselines:
        reasons.append(f"{Status.INFO}: {logged.tags.get(tags.COSTS, '')}")
    context.log.info("%s\n%s", verdict.status, bullets(reasons))
    log_gate_report(context, Decided(candidate, snapshot, report, evaluation, verdict), logged)
    return verdict


def failure_reason(verdict: Verdict) -> str | None:
    """Why the pipeline stops at this verdict; None if it continues."""
    if verdict.status is Status.PASS:
        return None
    reasons = [reason.message for reason in verdict.reasons if reason.status is verdict.status]
    return f"{verdict.model} version {verdict.version} stopped at the model gate ({verdict.status}):\n{bullets(reasons)}"


def already_champion(candidate: Candidate) -> str:
    """Why there is no verdict on a candidate that is the champion."""
    return f"version {candidate.version} is already the champion: nothing to decide"


def _repeat_promotion(context: StageContext, candidate: Candidate, known: "Sequence[Entry]") -> None:
    """Record the promotion of this version in this run too: the run that promoted it may have been killed before its end.

    A rollback to the version is not its promotion.
    """
    from taxiway.ledger.entry import trusted

    promotions = (entry.promotion for entry in trusted(context.ledger, known))
    for promotion in promotions:
        if promotion.to_version == candidate.version and promotion.verdict is not None:
            context.store.put(promotion)
            context.recorder.record(promotion)
            return
