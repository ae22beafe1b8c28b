"""Shadow: the challenger beside the champion on live requests, and the paired comparison."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError, TaxiwayError, TerminalError
from taxiway.records import ShadowReport, Status, Verdict
from taxiway.stages.context import StageContext, bullets

if TYPE_CHECKING:
    from taxiway.records.shadow_pairs import PairedLog
    from taxiway.serving.api import ChallengerStatus, Remote
    from taxiway.serving.client import GatewayClient

# The gateway takes a challenger down by itself this long after the wait should have ended.
LEASE_SLACK = timedelta(minutes=10)


@dataclass(frozen=True)
class Wait:
    """A challenger answers in the shadow for `owner`; its comparison is due with enough requests, or at `until`."""

    owner: str
    until: datetime


def begin_shadow(context: StageContext, verdict: Verdict, *, in_container: bool = False) -> Wait | ShadowReport:
    """Deploy the challenger; or the report at once, if there is nothing to compare.

    A second try finds the first one's challenger, and waits no longer than that would have.

    Raises:
        TerminalError: The verdict is not PASS.
        ConfigError: There is no gateway.
    """
    from taxiway.gates.shadow_gate import not_applicable

    if verdict.status is not Status.PASS:
        raise TerminalError(f"{verdict.model} version {verdict.version} is not shadowed: its verdict is {verdict.status}")
    if context.pipeline.shadow is None:
        return record_shadow(context, not_applicable(verdict.model, verdict.version, "the pipeline file asks for no shadow"))
    if verdict.champion is None:
        return record_shadow(context, not_applicable(verdict.model, verdict.version, "there is no champion to run beside"))
    return _deploy(context, verdict, context.pipeline.shadow.max_wait, in_container)


def finish_shadow(context: StageContext, verdict: Verdict, *, in_container: bool = False) -> ShadowReport:
    """Take the challenger down, and compare what both sides answered.

    Raises:
        WrongAnswersError: The gateway's log has answers that are not the models' own; nothing is decided then.
    """
    try:
        pairs = _pairs(context, verdict)
    finally:
        _take_down(context, verdict, in_container)
    return record_shadow(context, _compare(context, verdict, pairs))


def failure_reason(report: ShadowReport) -> str | None:
    """Why the pipeline stops at this report; None if it goes on."""
    if report.status in (Status.PASS, Status.NOT_APPLICABLE):
        return None
    grounds = [r.message for r in report.reasons if r.status is report.status]
    return f"{report.model} version {report.version} stopped at the shadow ({report.status}):\n{bullets(grounds)}"


def wait_until(held: "ChallengerStatus | None", version: int, owner: str, latest: datetime) -> datetime:
    """When to stop waiting: `latest`, or sooner if an earlier try of this run has deployed the challenger, and begun to wait."""
    if held is None or (held.version, held.owner) != (version, owner):
        return latest
    return min(latest, held.expires_at - LEASE_SLACK)


def _deploy(context: StageContext, verdict: Verdict, max_wait: timedelta, in_container: bool) -> Wait:
    from taxiway.registry.aliases import CHALLENGER, point

    now, owner = context.clock(), _owner(context, verdict)
    with _gateway(context) as gateway:
        gateway.refresh(verdict.model)
        until = wait_until(gateway.challenger(verdict.model), verdict.version, owner, now + max_wait)
        lease = until + LEASE_SLACK - now
        remote = None
        if in_container:
            # An earlier try's container goes with this: what is mirrored to it meanwhile would count as unanswered.
            gateway.delete_challenger(verdict.model, owner)
            remote = _start_container(context, verdict, lease)
        gateway.put_challenger(verdict.model, verdict.version, owner, lease.total_seconds(), remote)
    point(context.registry, verdict.model, CHALLENGER, verdict.version)
    context.log.info("version %d answers in the shadow of version %d", verdict.version, verdict.champion)
    return Wait(owner, until)


def _start_container(context: StageContext, verdict: Verdict, lease: timedelta) -> "Remote":
    containers = context.services.containers
    if containers is None:
        raise ConfigError("shadow.deployer is docker, and this process reaches no container engine", key="shadow.deployer")
    return containers.start(model=verdict.model, version=verdict.version, run=context.run, lease=lease)


def _pairs(context: StageContext, verdict: Verdict) -> "PairedLog":
    from taxiway.serving.answer_check import MAX_CHECKED

    with _gateway(context) as gateway:
        return gateway.pairs(verdict.model, verdict.version, _owner(context, verdict), bodies=MAX_CHECKED)


def _compare(context: StageContext, verdict: Verdict, pairs: "PairedLog") -> ShadowReport:
    from taxiway.gates.shadow_gate import decide
    from taxiway.registry.models import load_trusted
    from taxiway.serving.answer_check import check_shadow

    assert context.pipeline.shadow is not None
    assert verdict.champion is not None
    report = decide(
        pairs,
        model=verdict.model,
        version=verdict.version,
        champion=verdict.champion,
        limits=context.pipeline.shadow,
        confidence=context.pipeline.gate.confidence,
    )
    return check_shadow(report, pairs.pairs, partial(load_trusted, context.registry.tracking_uri, verdict.model))


def _take_down(context: StageContext, verdict: Verdict, in_container: bool) -> None:
    from taxiway.registry.aliases import CHALLENGER, point

    try:
        with _gateway(context) as gateway:
            gateway.delete_challenger(verdict.model, _owner(context, verdict))
        if in_container and context.services.containers is not None:
            context.services.containers.remove(context.run)
    except TaxiwayError as error:
        # Its lease ends too, and the end of the run tries again: the comparison's own result must not be lost over it.
        context.log.warning("the challenger could not be taken down now: %s", error)
    point(context.registry, verdict.model, CHALLENGER, None)


def record_shadow(context: StageContext, report: ShadowReport) -> ShadowReport:
    """Report the comparison to the run; returns it."""
    context.recorder.record(report)
    context.recorder.metrics({"shadow.requests": report.requests})
    context.log.info("%s\n%s", report.status, bullets([f"{r.status}: {r.message}" for r in report.reasons]))
    return report


def _gateway(context: StageContext) -> "GatewayClient":
    if context.services.gateway is None:
        raise ConfigError(
            "shadow needs gateway in the pipeline file: the Airflow connection of the model gateway", key="gateway"
        )
    return context.services.gateway()


def _owner(context: StageContext, verdict: Verdict) -> str:
    """Whose challenger it is: a run's, against one champion, so that a run that is cleared does not meet its own old pairs."""
    return f"{context.run}@{verdict.champion}"
