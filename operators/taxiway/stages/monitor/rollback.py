"""Makes the version before the champion again if it predicts the requests since the promotion better: the policy `monitor.rollback`.

A champion is judged after a promotion by gates or by force, and not after a rollback, so no two versions replace each other in turn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from taxiway.errors import TerminalError, TransientError
from taxiway.ledger.entry import Entry, head
from taxiway.ledger.promotions import entries
from taxiway.messages import number_text
from taxiway.monitoring.row_losses import row_loss_name
from taxiway.records import Promotion
from taxiway.records.served import PreviousPerformance
from taxiway.registry import demote
from taxiway.registry.alias_moves import settled
from taxiway.registry.champions import HISTORY, model_history
from taxiway.spec.metrics import facts_of
from taxiway.spec.monitor import Rollback
from taxiway.stages.batch.version import Version
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.alerts import Alert, is_told_by_another_run
from taxiway.stages.monitor.monitored import Monitored
from taxiway.stages.monitor.windows.log_windows import oldest_day
from taxiway.stages.push import told_downstream
from taxiway.tracking import tags

POLICY = "policy monitor.rollback"
"""Who rolls back, for the ledger."""
_MAX_SHOWN = 1e6


@dataclass(frozen=True)
class RollbackDecision:
    """Whether the version before has become champion again.

    Attributes:
        rolled_back: Whether it has.
        message: The decision in a sentence.
        promotion: The promotion of the version before; None if it was not rolled back.
    """

    rolled_back: bool
    message: str
    promotion: Promotion | None = None


def roll_back_if_worse(context: StageContext, found: Monitored) -> RollbackDecision | None:
    """Make the version before the champion again if the champion is worse on the rows since its promotion, and log what was decided.

    Args:
        context: The run.
        found: What monitoring has found, with the comparison with the version before.

    Returns:
        The decision; None if the pipeline has no section `monitor.rollback`.

    Raises:
        TerminalError: A promotion in the ledger is not signed with a key of the installation.
    """
    compared, policy = found.previous, _policy(context)
    if policy is None or compared is None:
        return None
    # Read again: somebody may have promoted a version while the windows were compared.
    known = settled(context.ledger, found.version.model)
    problem = _not_judged(context, found, compared, known) or _not_worse(policy, found, compared)
    if problem:
        return _refused(context, problem)
    assert compared.version is not None, "without a version before, nothing was compared"
    return _roll_back(context, found.version, compared.version, _evidence_text(policy, found, compared))


def known_promotions(context: StageContext) -> list[Entry]:
    """The promotions of the pipeline, newest first, which a run of monitoring reads once, before it looks at the champion.

    With a section `monitor.rollback`, the aliases have followed those that are decided: a run that was killed may have decided a
    rollback, and not have moved them.

    Raises:
        TerminalError: A promotion in the ledger is not signed with a key of the installation.
    """
    if _policy(context) is None:
        return entries(context.registry, context.pipeline.name)
    return settled(context.ledger, context.pipeline.name)


def rollback_to_complete(context: StageContext, known: Sequence[Entry]) -> Promotion | None:
    """The newest promotion, if it is a rollback by the policy that no other run has told; None if it is not.

    It was made by an earlier try of this run, or by a run that was killed. If the compared windows begin after it, there is nothing to
    compare any more, and its alert alone is told.

    Args:
        context: The run.
        known: The promotions, from `known_promotions`.
    """
    section = context.pipeline.monitor
    if section is None or section.rollback is None:
        return None
    newest = head(context.ledger, known)
    alert = _alert_of(newest.promotion) if newest is not None else None
    if newest is None or alert is None or is_told_by_another_run(context, alert):
        return None
    first = oldest_day(context.clock().date(), section.window, section.windows)
    return newest.promotion if newest.promotion.at.date() >= first else None


def completed(context: StageContext, done: Promotion) -> RollbackDecision:
    """Record a rollback of the policy.

    Args:
        context: The run.
        done: The rollback.
    """
    context.recorder.record(done)
    if done.downstream:
        context.log.info("%s", told_downstream(done))
    message = f"{done.reason}; champion: version {done.to_version}, before: version {done.from_version}"
    return _decided(context, RollbackDecision(rolled_back=True, message=message, promotion=done))


def _refused(context: StageContext, problem: str) -> RollbackDecision:
    return _decided(context, RollbackDecision(rolled_back=False, message=f"no rollback: {problem}"))


def _decided(context: StageContext, decision: RollbackDecision) -> RollbackDecision:
    context.log.info("%s", decision.message)
    context.recorder.tags({tags.ROLLBACK: decision.message})
    return decision


def rollback_alerts(context: StageContext) -> tuple[Alert, ...]:
    """The alert that the newest promotion is a rollback by the policy; from the ledger, so it is not lost if a task is killed after it."""
    newest = head(context.ledger, entries(context.registry, context.pipeline.name, limit=HISTORY))
    alert = _alert_of(newest.promotion) if newest is not None else None
    return (alert,) if alert is not None else ()


def _policy(context: StageContext) -> Rollback | None:
    section = context.pipeline.monitor
    return section.rollback if section is not None else None


def _alert_of(made: Promotion | None) -> Alert | None:
    """The alert of a promotion; None if it is not a rollback by the policy."""
    if made is None or made.by != POLICY or made.from_version is None:
        return None
    return Alert(made.from_version, made.at.date(), "rollback", (made.reason,))


def _not_judged(context: StageContext, found: Monitored, compared: PreviousPerformance, known: Sequence[Entry]) -> str:
    """Why the champion is not judged; empty if it is."""
    version, newest = found.version.version, head(context.ledger, known)
    promotion = newest.promotion if newest is not None else None
    if promotion is not None and promotion.to_version == version and promotion.verdict is None:
        return f"version {version} is champion by a rollback of {promotion.by}, which the policy leaves as it is"
    if compared.not_compared:
        return f"not compared with the version before: {compared.not_compared}"
    if promotion is None or (promotion.to_version, promotion.from_version) != (version, compared.version):
        return f"version {version} is not the champion any more"
    if promotion.at != compared.since:
        return (
            f"version {version} was promoted on {promotion.at:%Y-%m-%d}, before the first compared window; to judge a champion for longer, "
            "compare more windows: monitor.windows"
        )
    return model_history(context.ledger, found.version.model, known).moved


def _not_worse(policy: Rollback, found: Monitored, compared: PreviousPerformance) -> str:
    """Why the champion is not clearly worse than the version before; empty if it is."""
    difference, evidence = compared.difference, compared.log_evidence
    assert difference is not None
    assert evidence is not None, "a metric without row losses is refused with the pipeline file"
    least = -difference.high if facts_of(found.reference.metric).direction > 0 else difference.low
    if evidence >= -math.log(1 - policy.confidence) and least > policy.max_drop:
        return ""
    but = ", so the metric is worse, but its rows are not" if least > policy.max_drop else ""
    return f"{_evidence_text(policy, found, compared)}; allowed drop: {number_text(policy.max_drop)}{but}"


def _roll_back(context: StageContext, version: Version, previous: int, evidence: str) -> RollbackDecision:
    try:
        done = demote.rollback(
            context.ledger,
            version.model,
            by=POLICY,
            reason=f"{evidence}; by {context.run}",
            at=context.clock(),
            from_version=version.version,
            to_version=previous,
        )
    except (TerminalError, TransientError) as error:  # another promotion came first, or is in progress
        return _refused(context, str(error))
    if done.by != POLICY:  # a person had begun it
        return _refused(context, f"version {version.version} was rolled back by {done.by}")
    return completed(context, done)


def _evidence_text(policy: Rollback, found: Monitored, compared: PreviousPerformance) -> str:
    """Both metrics, and `the evidence of a larger Brier score is 1,240 (required: 100)`."""
    log_evidence, metric = compared.log_evidence or 0.0, found.reference.metric
    if log_evidence >= math.log(_MAX_SHOWN):
        shown = f"more than {_MAX_SHOWN:,.0f}"
    else:
        evidence = math.exp(log_evidence)
        shown = f"{evidence:.3g}" if evidence < 100 else f"{evidence:,.0f}"
    required = f"(required: {1 / (1 - policy.confidence):,.0f})"
    return f"{compared.describe(metric, found.version.version)}; the evidence of a larger {row_loss_name(metric)} is {shown} {required}"
