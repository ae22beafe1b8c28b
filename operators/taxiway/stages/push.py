"""Push: the alias `champion` moves, once, and the gateway answers with the new version."""

from taxiway.errors import TransientError
from taxiway.records import Promotion, ShadowReport, Verdict
from taxiway.stages.context import StageContext


def push(context: StageContext, verdict: Verdict, shadow: ShadowReport) -> Promotion:
    """Make the version champion, on a passed Verdict and ShadowReport; ends when the gateway serves it.

    Raises:
        TerminalError: One of them did not pass, or the champion changed since.
        TransientError: Another promotion is under way, or the gateway does not serve the version yet.
    """
    from taxiway.registry.promote import push as promote

    promotion = promote(context.registry, verdict, shadow, by=context.run, at=context.clock())
    context.recorder.record(promotion)
    before = promotion.from_version or "none"
    context.log.info("champion of %s: version %d (was %s)", promotion.model, promotion.to_version, before)
    _read_back(context, promotion)
    return promotion


def _read_back(context: StageContext, promotion: Promotion) -> None:
    """Wait until the gateway serves the champion; a version that was rolled back meanwhile is not waited for."""
    from taxiway.registry.aliases import CHAMPION, version_at

    if context.services.gateway is None:
        context.log.info("no gateway configured: the version was promoted but not deployed")
        return
    with context.services.gateway() as gateway:
        status = gateway.refresh(promotion.model)
    wanted = version_at(context.registry, promotion.model, CHAMPION)
    if (status.champion or None) != wanted:
        raise TransientError(f"the gateway serves version {status.champion}, the champion is {wanted}: {status.problem}")
    context.log.info("the gateway answers with version %d", status.champion)
