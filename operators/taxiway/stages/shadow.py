"""Shadow: deploys the challenger beside the champion on mirrored live requests, and compares their answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError, TaxiwayError, TerminalError, TransientError
from taxiway.records import ShadowReport, Status, Verdict
from taxiway.stages.context import StageContext, bullets

if TYPE_CHECKING:
    from taxiway.gates.shadow.estimates import VersionClasses
    from taxiway.records.shadow_pairs import Pair, PairedLog
    from taxiway.serving.api import ChallengerStatus, ModelStatus, Remote
    from taxiway.serving.client import GatewayClient

# How long after the end of the wait the gateway removes a challenger by itself.
LEASE_SLACK = timedelta(minutes=10)
_FIRST_LABELLED = 50
_MORE_LABELLED = 0.1
"""The labelled requests at which labels are looked at first, and the fraction of more of them for each further look."""


@dataclass(frozen=True)
class Wait:
    """A deployed challenger. It is compared when it has answered enough requests, or at `until` (UTC).

    Attributes:
        owner: The challenger's owner.
        until: When the wait ends at the latest.
        labelled: How many of the requests are to have labels.
    """

    owner: str
    until: datetime
    labelled: int = 0


def begin_shadow(context: StageContext, verdict: Verdict, *, in_container: bool = False) -> Wait | ShadowReport:
    """Deploy the challenger.

    A retry finds the challenger of the first try, and waits no longer than the first try would have.

    Args:
        context: The run.
        verdict: The passed verdict on the challenger.
        in_container: Whether to run the challenger in its own container instead of a process of the gateway.

    Returns:
        How long to wait, or the report if there is nothing to compare.

    Raises:
        TerminalError: The verdict is not PASS.
        ConfigError: There is no gateway.
    """
    from taxiway.gates.shadow.gate import not_applicable

    model, version = verdict.model, verdict.version
    if verdict.status is not Status.PASS:
        raise TerminalError(f"{model} version {version} is not deployed as challenger: its verdict is {verdict.status}")
    if context.pipeline.shadow is None:
        return record_shadow(context, not_applicable(model, version, "the pipeline file has no shadow section"))
    if verdict.champion is None:
        return record_shadow(context, not_applicable(model, version, "no champion yet: there is nothing to compare with"))
    return _deploy(context, verdict, context.pipeline.shadow.max_wait, in_container)


def next_look(labelled: int) -> int:
    """The number of labelled requests at which to look again, after a look at some."""
    return max(labelled + _FIRST_LABELLED, math.ceil(labelled * (1 + _MORE_LABELLED)))


def finish_shadow(context: StageContext, verdict: Verdict, *, in_container: bool = False) -> Wait | ShadowReport:
    """Compare the answers of both versions, and remove the challenger, unless there is time to wait for labels that decide.

    Returns:
        The report, or how long to wait for more labels.

    Raises:
        WrongAnswersError: The gateway's log has answers that the models do not reproduce; nothing is decided.
        TransientError: The gateway does not answer, or could not load the challenger until now; nothing is decided.
    """
    wait = None
    try:
        labelled, wait = _look_at_labels(context, verdict)
        if wait is not None:
            return wait
        pairs = _collect_pairs(context, verdict)
    finally:
        if wait is None:
            _remove_challenger(context, verdict, in_container)
    return record_shadow(context, _decide(context, verdict, pairs, labelled))


def failure_reason(report: ShadowReport) -> str | None:
    """Why the pipeline stops at this report; None if it continues."""
    if report.status in (Status.PASS, Status.NOT_APPLICABLE):
        return None
    reasons = [reason.message for reason in report.reasons if reason.status is report.status]
    return f"{report.model} version {report.version} stopped at the shadow gate ({report.status}):\n{bullets(reasons)}"


def wait_until(deployed: "ChallengerStatus | None", version: int, owner: str, latest: datetime) -> datetime:
    """When to stop waiting: at `latest`, or earlier if an earlier try of this run deployed the challenger."""
    if deployed is None or (deployed.version, deployed.owner) != (version, owner):
        return latest
    return min(latest, deployed.expires_at - LEASE_SLACK)


def _deploy(context: StageContext, verdict: Verdict, max_wait: timedelta, in_container: bool) -> Wait:
    from taxiway.registry.aliases import CHALLENGER, point

    now, owner = context.clock(), _owner(context, verdict)
    with _gateway(context) as gateway:
        gateway.refresh(verdict.model)
        until = wait_until(gateway.challenger(verdict.model), verdict.version, owner, now + max_wait)
        lease = until + LEASE_SLACK - now
        remote = None
        if in_container:
            # Removes the container of an earlier try: requests mirrored to it would count as unanswered.
            gateway.delete_challenger(verdict.model, owner)
            remote = _start_container(context, verdict, lease)
        gateway.put_challenger(verdict.model, verdict.version, owner, lease.total_seconds(), remote)
    point(context.registry, verdict.model, CHALLENGER, verdict.version)
    context.log.info("challenger version %d is deployed beside champion version %d", verdict.version, verdict.champion)
    return Wait(owner, until, labelled=_FIRST_LABELLED if _awaits_labels(context) else 0)


def _start_container(context: StageContext, verdict: Verdict, lease: timedelta) -> "Remote":
    containers = context.services.containers
    if containers is None:
        raise ConfigError(
            "shadow.deployer is docker, but this process cannot reach a container engine; allowed here: process",
            key="shadow.deployer",
        )
    return containers.start(model=verdict.model, version=verdict.version, run=context.run, lease=lease)


def _awaits_labels(context: StageContext) -> bool:
    return context.pipeline.shadow is not None and context.pipeline.shadow.labels is not None


def _look_at_labels(context: StageContext, verdict: Verdict) -> "tuple[Sequence[Pair], Wait | None]":
    """The pairs that have labels, and how long to wait for more; None if these decide, or the time is over."""
    if not _awaits_labels(context):
        return (), None
    now, owner = context.clock(), _owner(context, verdict)
    with _gateway(context) as gateway:
        deployed = gateway.challenger(verdict.model)
        labelled = gateway.labelled_pairs(verdict.model, verdict.version, owner)
    if deployed is None or (deployed.version, deployed.owner) != (verdict.version, owner):
        return labelled, None
    until = deployed.expires_at - LEASE_SLACK
    if now >= until or _labels_decide(context, verdict, labelled):
        return labelled, None
    return labelled, Wait(owner, until, labelled=next_look(deployed.labelled))


def _labels_decide(context: StageContext, verdict: Verdict, labelled: "Sequence[Pair]") -> bool:
    from taxiway.gates.shadow.labels import judge_labels

    assert context.pipeline.shadow is not None
    assert context.pipeline.shadow.labels is not None
    compared = [pair for pair in labelled if pair.champion.version == verdict.champion]
    confidence, classes = context.pipeline.gate.confidence, _classes(context, verdict)
    reason, _ = judge_labels(compared, context.pipeline.shadow.labels, confidence, classes)
    context.log.info("%s: %s", reason.status, reason.message)
    return reason.status in (Status.PASS, Status.FAIL)


def _collect_pairs(context: StageContext, verdict: Verdict) -> "PairedLog":
    from taxiway.serving.answer_check import MAX_CHECKED

    assert context.pipeline.shadow is not None
    owner = _owner(context, verdict)
    with _gateway(context) as gateway:
        status = gateway.status(verdict.model)
        pairs = gateway.pairs(verdict.model, verdict.version, owner, bodies=MAX_CHECKED)
    if len(pairs.pairs) < context.pipeline.shadow.min_requests:
        require_loaded(status, verdict.version, owner)
    return pairs


def require_loaded(status: "ModelStatus", version: int, owner: str) -> None:
    """Check that too few pairs are not the result of an outage.

    Raises:
        TransientError: The gateway still tries to load this owner's challenger.
    """
    deployed = status.challenger
    if deployed is not None and (deployed.version, deployed.owner, deployed.state) == (version, owner, "loading"):
        raise TransientError(
            f"{status.model} version {version} cannot be compared, because the gateway could not load it until now: "
            f"{status.problem or 'it is still loading'}. Nothing is decided; the shadow begins anew with the next try"
        )


def _decide(context: StageContext, verdict: Verdict, pairs: "PairedLog", labelled: "Sequence[Pair]") -> ShadowReport:
    from taxiway.gates.shadow.gate import decide
    from taxiway.registry.load import load_trusted
    from taxiway.serving.answer_check import check_shadow

    assert context.pipeline.shadow is not None
    assert verdict.champion is not None
    report = decide(
        pairs,
        model=verdict.model,
        version=verdict.version,
        champion=verdict.champion,
        requirements=context.pipeline.shadow,
        confidence=context.pipeline.gate.confidence,
        classes=_classes(context, verdict),
        labelled=labelled,
    )
    return check_shadow(
        report, pairs.pairs, partial(load_trusted, context.registry.tracking_uri, verdict.model, code=context.code)
    )


def _classes(context: StageContext, verdict: Verdict) -> "VersionClasses":
    from taxiway.gates.shadow.estimates import VersionClasses
    from taxiway.registry.described import classes_in, threshold_in

    champion_tags, challenger_tags = (
        context.registry.get_model_version(verdict.model, str(version)).tags for version in (verdict.champion, verdict.version)
    )
    return VersionClasses(
        classes_in(champion_tags),
        classes_in(challenger_tags),
        champion_threshold=threshold_in(champion_tags),
        challenger_threshold=threshold_in(challenger_tags),
    )


def _remove_challenger(context: StageContext, verdict: Verdict, in_container: bool) -> None:
    from taxiway.registry.aliases import CHALLENGER, point

    try:
        with _gateway(context) as gateway:
            gateway.delete_challenger(verdict.model, _owner(context, verdict))
        if in_container and context.services.containers is not None:
            context.services.containers.remove(context.run)
    except TaxiwayError as error:
        # The result of the comparison must not be lost: close_run tries again, and the lease ends too.
        context.log.warning("could not remove the challenger now: %s", error)
    point(context.registry, verdict.model, CHALLENGER, None)


def record_shadow(context: StageContext, report: ShadowReport) -> ShadowReport:
    """Record the report on the run, and return it."""
    context.recorder.record(report, metrics={"shadow.requests": report.requests})
    context.log.info("%s\n%s", report.status, bullets([f"{r.status}: {r.message}" for r in report.reasons]))
    return report


def _gateway(context: StageContext) -> "GatewayClient":
    if context.services.gateway is None:
        raise ConfigError(
            "shadow needs the key gateway in the pipeline file: the Airflow connection of the model gateway", key="gateway"
        )
    return context.services.gateway()


def _owner(context: StageContext, verdict: Verdict) -> str:
    """The challenger's owner: a run and a champion, so that a cleared run does not count the pairs of its first pass."""
    return f"{context.run}@{verdict.champion}"
