"""Push: moves the alias `champion` to the new version, once, and waits until the gateway serves it."""

from datetime import date

from taxiway.errors import TerminalError, TransientError
from taxiway.ledger.chain import Ledger
from taxiway.messages import counted
from taxiway.records import DataReport, Decision, DecisionKind, Promotion, ShadowReport, Verdict
from taxiway.stages.approval import needs_approval
from taxiway.stages.context import StageContext
from taxiway.store import Store


def push(context: StageContext, verdict: Verdict, shadow: ShadowReport, approval: Decision | None = None) -> Promotion:
    """Promote a version that passed both gates to champion, and wait until the gateway serves it.

    Args:
        context: The run.
        verdict: The model gate's decision.
        shadow: The shadow gate's decision.
        approval: The decision of the person who approved it; None if the pipeline needs none.

    Raises:
        TerminalError: The Verdict or the ShadowReport did not pass, the pipeline needs an approval and has none of this verdict, or the
            champion has changed since.
        TransientError: Another promotion is in progress, or the gateway does not serve the version yet.
    """
    from taxiway.registry.promote import push as promote

    require_valid_waivers(context.ledger, context.store, verdict, context.clock().date())
    _require_approval(context, verdict, approval)
    promotion = promote(context.ledger, verdict, shadow, by=context.run, at=context.clock(), approval=approval)
    context.recorder.record(promotion)
    before = promotion.from_version or "none"
    context.log.info("champion of %s: version %d (before: %s)", promotion.model, promotion.to_version, before)
    if promotion.downstream:
        context.log.info("%s", told_downstream(promotion))
    _await_deployment(context, promotion)
    return promotion


def told_downstream(promotion: Promotion) -> str:
    """A message about the pipelines that read predictions of a model whose champion has changed."""
    more = f" and {counted(promotion.downstream_more, 'more pipeline')}" if promotion.downstream_more else ""
    readers = f"{', '.join(promotion.downstream)}{more}"
    return f"predictions of {promotion.model} are read by {readers}; their owners are notified by their next run"


def _require_approval(context: StageContext, verdict: Verdict, approval: Decision | None) -> None:
    if not needs_approval(context.pipeline, verdict):
        return
    if approval is None or approval.kind is not DecisionKind.APPROVAL or approval.about != verdict.digest:
        raise TerminalError(
            f"{verdict.model} version {verdict.version} is not pushed: it requires an approval, and there is none of its verdict. "
            f"To approve it: taxiway approve {verdict.model}/{verdict.version} --reason WHY"
        )


def require_valid_waivers(ledger: Ledger, store: Store, verdict: Verdict, today: date) -> None:
    """Check that no waiver with which the data passed has ended since the model gate, such as while a person was asked.

    Args:
        ledger: The ledger with the waivers.
        store: The store with the report.
        verdict: The model gate's decision.
        today: The day on which waivers must be valid.

    Raises:
        TerminalError: One has ended.
    """
    from taxiway.gates.data_report import expired_waivers
    from taxiway.ledger.decisions import decisions

    if verdict.report is None:
        return
    report = store.get(DataReport, verdict.report)
    if report.waivers or report.blocking:
        expired = expired_waivers(report, decisions(ledger, about=report.digest), today)
        if expired:
            raise TerminalError(f"{verdict.model} version {verdict.version} is not pushed: {expired[0].message}")


def _await_deployment(context: StageContext, promotion: Promotion) -> None:
    """Wait until the gateway serves the champion, which is another version if this one was rolled back meanwhile."""
    from taxiway.registry.alias_moves import champion_now

    if context.services.gateway is None:
        why = "no gateway configured" if context.services.in_airflow else "local runs do not deploy"
        context.log.info("%s: the version was promoted but not deployed", why)
        return
    with context.services.gateway() as gateway:
        status = gateway.refresh(promotion.model)
    wanted = champion_now(context.ledger, promotion.model)
    if (status.champion or None) != wanted:
        raise TransientError(
            f"the gateway serves version {status.champion or 'none'}, but the champion is version {wanted or 'none'}: {status.problem}"
        )
    context.log.info("the gateway serves version %d", status.champion)
