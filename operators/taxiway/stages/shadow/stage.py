"""The shadow stage: it replays logged requests, deploys the challenger, looks at labels, and removes the challenger."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError, TaxiwayError, TerminalError, TransientError
from taxiway.records import ShadowReport, Status, Verdict
from taxiway.records.shadow_pairs import Pair, PairedLog
from taxiway.stages.context import StageContext, bullets
from taxiway.stages.shadow.evidence import (
    decision,
    gateway_of,
    labels_decide,
    live_pairs,
    loader_of,
    owner_of,
    replayed_requests,
    requirements_of,
)

if TYPE_CHECKING:
    from taxiway.serving.api import ChallengerStatus, Remote

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
        requests: How many requests it is to answer.
        labelled: How many of them are to have labels.
    """

    owner: str
    until: datetime
    requests: int
    labelled: int = 0


def begin_shadow(context: StageContext, verdict: Verdict, *, in_container: bool = False) -> Wait | ShadowReport:
    """Replay logged requests, and deploy the challenger unless these are enough to decide.

    A retry finds the challenger of the first try, and waits no longer than the first try would have.

    Args:
        context: The run.
        verdict: The passed verdict on the challenger.
        in_container: Whether to run the challenger in its own container instead of a process of the gateway.

    Returns:
        How long to wait, or the report if there is nothing to compare, or nothing to wait for.

    Raises:
        TerminalError: The verdict is not PASS.
        ConfigError: There is no gateway, or no request log to replay.
    """
    from taxiway.gates.shadow.gate import not_applicable
    from taxiway.registry.version_tags import is_deleted

    model, version = verdict.model, verdict.version
    if verdict.status is not Status.PASS:
        raise TerminalError(f"{model} version {version} is not deployed as challenger: its verdict is {verdict.status}")
    if context.pipeline.shadow is None:
        return record_shadow(
            context, not_applicable(model, version, verdict.champion, "the pipeline file has no shadow section")
        )
    if verdict.champion is None:
        return record_shadow(context, not_applicable(model, version, None, "no champion yet: there is nothing to compare with"))
    if is_deleted(context.registry, model, verdict.champion):
        why = f"champion version {verdict.champion} was deleted in MLflow: there is nothing to compare with"
        return record_shadow(context, not_applicable(model, version, verdict.champion, why))
    owner, shadow, load = owner_of(context, verdict), context.pipeline.shadow, loader_of(context, verdict)
    with gateway_of(context) as gateway:
        gateway.refresh(model)
        until = wait_until(gateway.challenger(model), version, owner, context.clock() + shadow.max_wait)
    replayed = replayed_requests(context, verdict, until, load)
    if len(replayed.pairs) < shadow.min_requests or not labels_decide(context, verdict, replayed.pairs):
        return _deploy(context, verdict, until, len(replayed.pairs), in_container)
    none = PairedLog(model=model, version=version, owner=owner, pairs=(), dropped=0, unanswered=0)
    report = record_shadow(context, decision(context, verdict, none, load, replayed=replayed))
    _remove_challenger(context, verdict, in_container)  # of an earlier try
    return report


def finish_shadow(
    context: StageContext, verdict: Verdict, until: datetime, *, in_container: bool = False
) -> Wait | ShadowReport:
    """Compare the answers of both versions, and remove the challenger, unless there is time to wait for labels that decide.

    The challenger stays if this fails before `until`, so that a retry finds it.

    Args:
        context: The run.
        verdict: The verdict on the challenger.
        until: When the wait ends at the latest.
        in_container: Whether the challenger runs in its own container.

    Returns:
        The report, or how long to wait for more labels, or for a gateway that did not answer at this look.

    Raises:
        WrongAnswersError: The gateway's log has answers that the models do not reproduce; nothing is decided.
        TransientError: The gateway does not answer, or could not load the challenger until now; nothing is decided.
    """
    load = loader_of(context, verdict)
    try:
        replayed = replayed_requests(context, verdict, until, load)
        labelled, wait = _look_at_labels(context, verdict, until, replayed.pairs)
        if wait is not None:
            return wait
        pairs = live_pairs(context, verdict, _live_needed(context, len(replayed.pairs)))
        report = record_shadow(context, decision(context, verdict, pairs, load, labelled=labelled, replayed=replayed))
    except Exception:
        if context.clock() >= until:
            _remove_challenger(context, verdict, in_container)
        raise
    _remove_challenger(context, verdict, in_container)
    return report


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


def next_look(labelled: int) -> int:
    """The number of labelled requests at which to look again, after a look at some."""
    return max(labelled + _FIRST_LABELLED, math.ceil(labelled * (1 + _MORE_LABELLED)))


def record_shadow(context: StageContext, report: ShadowReport) -> ShadowReport:
    """Record the report on the run, and return it."""
    context.recorder.record(report, metrics={"shadow.requests": report.requests})
    context.log.info("%s\n%s", report.status, bullets([f"{r.status}: {r.message}" for r in report.reasons]))
    return report


def _deploy(context: StageContext, verdict: Verdict, until: datetime, replayed: int, in_container: bool) -> Wait:
    from taxiway.registry.aliases import CHALLENGER, point

    owner, lease = owner_of(context, verdict), until + LEASE_SLACK - context.clock()
    with gateway_of(context) as gateway:
        remote = None
        if in_container:
            # Removes the container of an earlier try: requests mirrored to it would count as unanswered.
            gateway.delete_challenger(verdict.model, owner)
            remote = _start_container(context, verdict, lease)
        gateway.put_challenger(verdict.model, verdict.version, owner, lease.total_seconds(), remote)
    point(context.registry, verdict.model, CHALLENGER, verdict.version)
    context.log.info("challenger version %d is deployed beside champion version %d", verdict.version, verdict.champion)
    labelled = 0 if requirements_of(context).labels is None else _FIRST_LABELLED
    return Wait(owner, until, _live_needed(context, replayed), labelled)


def _live_needed(context: StageContext, replayed: int) -> int:
    return max(0, requirements_of(context).min_requests - replayed)


def _start_container(context: StageContext, verdict: Verdict, lease: timedelta) -> "Remote":
    containers = context.services.containers
    if containers is None:
        raise ConfigError(
            "shadow.deployer is docker, but this process cannot reach a container engine; allowed here: process",
            key="shadow.deployer",
        )
    return containers.start(model=verdict.model, version=verdict.version, run=context.run, lease=lease)


def _look_at_labels(
    context: StageContext, verdict: Verdict, until: datetime, replayed: Sequence[Pair]
) -> tuple[Sequence[Pair], Wait | None]:
    """The live pairs that have labels, and how long to wait for more; None if these decide, or the time is over."""
    if requirements_of(context).labels is None:
        return (), None
    owner, live_needed = owner_of(context, verdict), _live_needed(context, len(replayed))
    try:
        with gateway_of(context) as gateway:
            deployed = gateway.challenger(verdict.model)
            labelled = gateway.labelled_pairs(verdict.model, verdict.version, owner)
    except TransientError as error:
        if context.clock() >= until:
            raise
        context.log.warning("the labels are looked at when the gateway answers again: %s", error)
        return (), Wait(owner, until, live_needed, _FIRST_LABELLED)
    is_deployed = deployed is not None and (deployed.version, deployed.owner) == (verdict.version, owner)
    if deployed is None or not is_deployed or context.clock() >= until:
        return labelled, None
    if labels_decide(context, verdict, (*labelled, *replayed)):
        return labelled, None
    return labelled, Wait(owner, until, live_needed, next_look(deployed.labelled))


def _remove_challenger(context: StageContext, verdict: Verdict, in_container: bool) -> None:
    from taxiway.registry.aliases import CHALLENGER, point

    try:
        with gateway_of(context) as gateway:
            gateway.delete_challenger(verdict.model, owner_of(context, verdict))
        if in_container and context.services.containers is not None:
            context.services.containers.remove(context.run)
    except TaxiwayError as error:
        # The result of the comparison must not be lost: close_run tries again, and the lease ends too.
        context.log.warning("could not remove the challenger now: %s", error)
    point(context.registry, verdict.model, CHALLENGER, None)
