"""What the shadow decides on: live pairs from the gateway, those with labels, and replayed requests; and the decision."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, TransientError
from taxiway.records import ShadowReport, Snapshot, Status, Verdict
from taxiway.records.shadow_pairs import Pair, PairedLog, Replayed
from taxiway.spec.source.periods import Every, period_of
from taxiway.stages.context import StageContext

if TYPE_CHECKING:
    from taxiway.gates.shadow.estimates import VersionClasses
    from taxiway.serving.api import ModelStatus
    from taxiway.serving.client import GatewayClient
    from taxiway.spec.shadow import Shadow

Load = Callable[[int], Any]
_WESTERNMOST_ZONE = timedelta(hours=12)
"""How long the last time zone has a date after UTC: spans are not always in UTC."""


def requirements_of(context: StageContext) -> "Shadow":
    """The `shadow` section, which the pipeline has."""
    assert context.pipeline.shadow is not None
    return context.pipeline.shadow


def gateway_of(context: StageContext) -> "GatewayClient":
    """A client of the pipeline's gateway.

    Raises:
        ConfigError: There is none.
    """
    if context.services.gateway is None:
        raise ConfigError(
            "shadow needs the key gateway in the pipeline file: the Airflow connection of the model gateway", key="gateway"
        )
    return context.services.gateway()


def owner_of(context: StageContext, verdict: Verdict) -> str:
    """The challenger's owner: a run and a champion, so that a cleared run does not count the pairs of its first pass."""
    return f"{context.run}@{verdict.champion}"


def loader_of(context: StageContext, verdict: Verdict) -> Load:
    """Loads a version of the model, each one once."""
    from taxiway.registry.load import load_trusted

    return cache(partial(load_trusted, context.registry.tracking_uri, verdict.model, code=context.code))


def replayed_requests(context: StageContext, verdict: Verdict, until: datetime, load: Load) -> Replayed:
    """Ask the challenger the requests of the last whole days before the wait began, which are the same in every look and try.

    Days that the challenger's snapshot may have rows of are left out: it was trained on them, or passed the model gate by them.

    Args:
        context: The run.
        verdict: The verdict on the challenger.
        until: When the wait ends at the latest.
        load: Loads a version.

    Returns:
        The requests; none without `shadow.replay`.

    Raises:
        ConfigError: There is no request log, or it does not have the inputs as they were sent.
    """
    from taxiway.models.predictor import predictor_of
    from taxiway.serving.answer_check import MAX_CHECKED
    from taxiway.serving.replayed_pairs import Replay, replayed_pairs
    from taxiway.stages.monitor.windows.log_windows import log_folder

    shadow, monitor = requirements_of(context), context.pipeline.monitor
    if shadow.replay is None:
        return Replayed()
    every = context.pipeline.source.named_by
    assert monitor is not None
    assert every is not None
    assert verdict.champion is not None
    today = (until - shadow.max_wait).date()
    asked = today - shadow.replay
    since = min(max(asked, first_new_day(context.store.get(Snapshot, verdict.snapshot), every)), today)
    replay = Replay(
        folder=log_folder(context, monitor),
        model=verdict.model,
        champion=verdict.champion,
        challenger=verdict.version,
        owner=owner_of(context, verdict),
        since=since,
        until=today - timedelta(days=1),
    )
    champion, challenger = (predictor_of(load(version)) for version in (verdict.champion, verdict.version))
    pairs = replayed_pairs(replay, challenger, champion.columns, bodies=MAX_CHECKED)
    left_out = (since - asked).days
    context.log.info("replayed %d logged requests since %s, without %d days of the snapshot", len(pairs), since, left_out)
    return Replayed(pairs, left_out)


def first_new_day(snapshot: Snapshot, every: Every) -> date:
    """The first day in UTC of which a snapshot cannot have rows, in whichever time zone its spans are."""
    ends = max(period_of(span.name, every).ends for span in snapshot.spans)
    return (ends + _WESTERNMOST_ZONE).date() + timedelta(days=1)


def labels_decide(context: StageContext, verdict: Verdict, pairs: Sequence[Pair]) -> bool:
    """Whether the labels of some pairs decide about the challenger; true if no labels are awaited."""
    from taxiway.gates.shadow.labels import judge_labels

    labels = requirements_of(context).labels
    if labels is None:
        return True
    labelled = [pair for pair in pairs if pair.labels and pair.champion.version == verdict.champion]
    reason, _ = judge_labels(labelled, labels, context.pipeline.gate.confidence, _classes(context, verdict))
    context.log.info("%s: %s", reason.status, reason.message)
    return reason.status in (Status.PASS, Status.FAIL)


def live_pairs(context: StageContext, verdict: Verdict, needed: int) -> PairedLog:
    """The newest pairs of live requests.

    Args:
        context: The run.
        verdict: The verdict on the challenger.
        needed: How many the decision needs.

    Raises:
        TransientError: There are fewer, because the gateway could not load the challenger until now.
    """
    from taxiway.serving.answer_check import MAX_CHECKED

    owner = owner_of(context, verdict)
    with gateway_of(context) as gateway:
        status = gateway.status(verdict.model)
        pairs = gateway.pairs(verdict.model, verdict.version, owner, bodies=MAX_CHECKED)
    if len(pairs.pairs) < needed:
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


def decision(
    context: StageContext,
    verdict: Verdict,
    pairs: PairedLog,
    load: Load,
    *,
    labelled: Sequence[Pair] = (),
    replayed: Replayed = Replayed(),  # noqa: B008 it is frozen
) -> ShadowReport:
    """Decide about the challenger, and check the answers with the models.

    Args:
        context: The run.
        verdict: The verdict on the challenger.
        pairs: The pairs of live requests.
        load: Loads a version.
        labelled: The pairs of live requests that have labels.
        replayed: The replayed requests.

    Raises:
        WrongAnswersError: The models do not reproduce the answers.
    """
    from taxiway.gates.shadow.gate import decide
    from taxiway.serving.answer_check import check_shadow

    assert verdict.champion is not None
    report = decide(
        pairs,
        model=verdict.model,
        version=verdict.version,
        champion=verdict.champion,
        requirements=requirements_of(context),
        confidence=context.pipeline.gate.confidence,
        classes=_classes(context, verdict),
        labelled=labelled,
        replayed=replayed,
    )
    return check_shadow(report, (*pairs.pairs, *replayed.pairs), load)


def _classes(context: StageContext, verdict: Verdict) -> "VersionClasses":
    from taxiway.gates.shadow.estimates import VersionClasses
    from taxiway.registry.version_tags import classes_from_tags, threshold_from_tags

    champion_tags, challenger_tags = (
        context.registry.get_model_version(verdict.model, str(version)).tags for version in (verdict.champion, verdict.version)
    )
    return VersionClasses(
        classes_from_tags(champion_tags),
        classes_from_tags(challenger_tags),
        champion_threshold=threshold_from_tags(champion_tags),
        challenger_threshold=threshold_from_tags(challenger_tags),
    )
