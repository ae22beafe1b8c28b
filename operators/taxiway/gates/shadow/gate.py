"""The shadow gate: whether the challenger's answers to live requests agree with the champion's, and its errors and latency are allowed.

A pair is a request with a result from both versions: predictions or an error. Agreement, score shift and latencies are computed from
the pairs in which both results are predictions. A check passes if its estimate meets the limit, fails if its whole confidence
interval misses it, and is UNDECIDED otherwise; labels decide only by the whole interval. The preconditions are enough pairs, all with results from the same champion: if one
is not met, the report is UNDECIDED, whatever the checks say.
"""

from collections.abc import Iterator, Sequence

from taxiway.gates.shadow.estimates import VersionClasses, estimate
from taxiway.gates.shadow.labels import judge_labels
from taxiway.gates.shadow.reasons import judge_estimates, percentage, unmeasured
from taxiway.gates.wording import rule_text
from taxiway.messages import counted
from taxiway.records import Interval, Reason, ReasonCode, ShadowReport, Status, worst
from taxiway.records.shadow_pairs import Pair, PairedLog, Replayed
from taxiway.spec.shadow import Shadow

# The largest fraction of requests without a pair: beyond it, the compared requests may not represent the live ones.
MAX_UNPAIRED = 0.1


def decide(
    pairs: PairedLog,
    *,
    model: str,
    version: int,
    champion: int,
    requirements: Shadow,
    confidence: float,
    classes: VersionClasses = VersionClasses(),  # noqa: B008 it is frozen
    labelled: Sequence[Pair] = (),
    replayed: Replayed = Replayed(),  # noqa: B008 it is frozen
) -> ShadowReport:
    """Decide whether a challenger may replace the champion, by their answers to the same live requests.

    The report is UNDECIDED, whatever the estimates are, if there are fewer than `requirements.min_requests` pairs or if another
    champion returned some of the results. It cannot pass if more than 10% of the requests have no result from the challenger, or with
    fewer than 100 predict calls, unless replayed requests are needed for `min_requests`: then it cannot pass with fewer calls if the
    whole interval of their latency ratio is above the limit.

    Args:
        pairs: The answers of both versions to the same requests.
        model: The registered model.
        version: The challenger's version.
        champion: The champion's version.
        requirements: The `shadow` section of the pipeline file.
        confidence: The two-sided confidence level of the intervals, such as 0.99.
        classes: The classes of both versions; predicted classes are compared by name if these differ.
        labelled: The live pairs with labels for all rows, for `requirements.labels`.
        replayed: The logged requests that the challenger was asked afterwards.

    Returns:
        The report with its reasons. The score shift and the median latency are reported without a limit.

    Raises:
        ValueError: The pairs belong to another model or version.
    """
    _require_pairs_of(pairs, model, version)
    live = [pair for pair in pairs.pairs if pair.champion.version == champion]
    compared = [*live, *replayed.pairs]
    needs_replay = len(live) < requirements.min_requests <= len(compared)
    preconditions = _judge_preconditions(pairs, len(live), requirements, replayed, champion)
    estimates = estimate(compared, live, requirements.agree_within, confidence, classes)
    known = [*labelled, *(pair for pair in replayed.pairs if pair.labels)]
    by_labels, loss_difference = _judge_labels(known, requirements, champion, confidence, classes)
    reasons = (
        *preconditions,
        _judge_unpaired(pairs),
        *judge_estimates(estimates, compared, requirements, confidence, needs_replay=needs_replay),
        *by_labels,
    )
    # The report has the reasons of all checks, but with too few pairs, or pairs of several champions, not even a FAIL decides it.
    comparable = all(reason.status is not Status.UNDECIDED for reason in preconditions)
    return ShadowReport(
        model=model,
        version=version,
        champion=champion,
        status=worst(tuple(reason.status for reason in reasons)) if comparable else Status.UNDECIDED,
        reasons=reasons,
        requests=len(live),
        replayed=len(replayed.pairs),
        agreement=estimates.agreement,
        score_shift=estimates.score_shift,
        champion_errors=sum(bool(pair.champion.error) for pair in compared),
        challenger_errors=sum(bool(pair.challenger.error) for pair in compared),
        latency_p50_ratio=estimates.p50_ratio,
        latency_p99_ratio=estimates.p99_ratio,
        loss_difference=loss_difference,
    )


def _require_pairs_of(pairs: PairedLog, model: str, version: int) -> None:
    if (pairs.model, pairs.version) != (model, version):
        raise ValueError(f"got the pairs of {pairs.model} version {pairs.version}, expected those of {model} version {version}")


def not_applicable(model: str, version: int, champion: int | None, reason: str) -> ShadowReport:
    """The report of a run that compares nothing: without a champion, or if the pipeline file has no `shadow` section."""
    return ShadowReport(
        model=model,
        version=version,
        champion=champion,
        status=Status.NOT_APPLICABLE,
        reasons=(unmeasured(ReasonCode.SHADOW_NOT_RUN, Status.NOT_APPLICABLE, reason),),
    )


def _judge_preconditions(
    pairs: PairedLog, live: int, requirements: Shadow, replayed: Replayed, champion: int
) -> tuple[Reason, ...]:
    return (_judge_pair_count(pairs, live, requirements, replayed), *_judge_same_champion(pairs, live, champion))


def _judge_labels(
    labelled: Sequence[Pair], requirements: Shadow, champion: int, confidence: float, classes: VersionClasses
) -> tuple[tuple[Reason, ...], Interval | None]:
    if requirements.labels is None:
        return (), None
    compared = [pair for pair in labelled if pair.champion.version == champion]
    reason, difference = judge_labels(compared, requirements.labels, confidence, classes)
    return (reason,), difference


def _judge_pair_count(pairs: PairedLog, live: int, requirements: Shadow, replayed: Replayed) -> Reason:
    needed, compared = requirements.min_requests, live + len(replayed.pairs)
    logged = "" if requirements.replay is None else f", and {counted(len(replayed.pairs), 'logged request')} replayed"
    found = f"{counted(live, 'request')} with a result from both versions, predictions or an error{logged}"
    missing = f"{found}; required: at least {needed:,}, which is {needed - compared:,} more ({_without_result(pairs)})"
    message = f"{found} (required: at least {needed:,})" if compared >= needed else missing
    return Reason(
        status=Status.PASS if compared >= needed else Status.UNDECIDED,
        code=ReasonCode.SHADOW_REQUESTS,
        message=f"{message}{_left_out_text(replayed, requirements)}",
        rule=rule_text("min_requests: requests", 1, needed),
        limit=needed,
    )


def _left_out_text(replayed: Replayed, requirements: Shadow) -> str:
    if requirements.replay is None or not replayed.days_left_out:
        return ""
    left_out = f"{replayed.days_left_out} of {counted(requirements.replay.days, 'day')}"
    return f"; the replay leaves out {left_out}, of which the challenger's snapshot may have rows"


def _judge_same_champion(pairs: PairedLog, compared: int, champion: int) -> Iterator[Reason]:
    """Nothing without pairs."""
    code = ReasonCode.SHADOW_CHAMPION_CHANGED
    others = sorted({pair.champion.version for pair in pairs.pairs} - {champion})
    if compared and not others:
        yield unmeasured(code, Status.PASS, f"the results of the champion are all from version {champion}")
    if not others:
        return
    named = ", ".join(str(other) for other in others)
    yield unmeasured(
        code,
        Status.UNDECIDED,
        f"the champion changed during the comparison: in {len(pairs.pairs) - compared:,} of {len(pairs.pairs):,} requests, its result is from "
        f"version {named}, not from version {champion}; run the shadow again",
    )


def _judge_unpaired(pairs: PairedLog) -> Reason:
    total = len(pairs.pairs) + pairs.dropped + pairs.unanswered
    fraction = (pairs.dropped + pairs.unanswered) / total if total else 0.0
    return Reason(
        status=Status.PASS if fraction <= MAX_UNPAIRED else Status.UNDECIDED,
        code=ReasonCode.SHADOW_UNPAIRED,
        message=f"{percentage(fraction, MAX_UNPAIRED)} of {total:,} requests have no result from the challenger (allowed: at most "
        f"{MAX_UNPAIRED:.0%}): {_without_result(pairs)}",
        limit=MAX_UNPAIRED,
    )


def _without_result(pairs: PairedLog) -> str:
    return f"{pairs.dropped:,} were not sent to the challenger because its queue was full, {pairs.unanswered:,} were sent and never answered"
