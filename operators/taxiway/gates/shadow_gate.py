"""The shadow gate: whether the challenger's answers to live requests agree with the champion's, and its errors and latency are allowed.

A pair is a request with a result from both versions: predictions or an error. Agreement, score shift and latencies are computed from
the pairs in which both results are predictions. A check passes if its estimate meets the limit, fails if its whole confidence
interval misses it, and is UNDECIDED otherwise. The preconditions are enough pairs, all with results from the same champion: if one
is not met, the report is UNDECIDED, whatever the checks say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from taxiway.gates.more_rows import more_rows_text
from taxiway.gates.shadow_estimates import VersionClasses, agreement_of, latency_ratios, proportion, score_shift_of
from taxiway.gates.wording import ci_label, decimals, estimate_and_bounds, interval_text, percent_text
from taxiway.messages import counted, number_text
from taxiway.records import Interval, Reason, ShadowReport, Status, worst
from taxiway.records.shadow_pairs import Pair, PairedLog
from taxiway.spec.shadow import Shadow

# The largest fraction of requests without a pair: beyond it, the compared requests may not represent the live ones.
MAX_UNPAIRED = 0.1
# With fewer calls, the 99th percentile is essentially the slowest call.
MIN_CALLS_FOR_P99 = 100
# A smaller shift is a rounding error of the scores.
_SMALLEST_SHIFT = 1e-9


@dataclass(frozen=True)
class _Estimates:
    """Estimates from the pairs in which both versions returned predictions.

    All are None if there are no such pairs. The score shift is also None for labels, and with fewer than two scored rows.
    """

    agreement: Interval | None
    score_shift: Interval | None
    p50_ratio: Interval | None
    p99_ratio: Interval | None


def decide(
    pairs: PairedLog,
    *,
    model: str,
    version: int,
    champion: int,
    requirements: Shadow,
    confidence: float,
    classes: VersionClasses = VersionClasses(),  # noqa: B008 it is frozen
) -> ShadowReport:
    """Decide whether a challenger may replace the champion, by their answers to the same live requests.

    The report is UNDECIDED, whatever the estimates are, if there are fewer than `requirements.min_requests` pairs or if another
    champion returned some of the results; it cannot pass if more than 10% of the requests have no result from the challenger, or
    with fewer than 100 predict calls.

    Args:
        pairs: The answers of both versions to the same requests.
        model: The registered model.
        version: The challenger's version.
        champion: The champion's version.
        requirements: The `shadow` section of the pipeline file.
        confidence: The two-sided confidence level of the intervals, such as 0.99.
        classes: The classes of both versions; predicted classes are compared by name if these differ.

    Returns:
        The report with its reasons. The score shift and the median latency are reported without a limit.

    Raises:
        ValueError: The pairs belong to another model or version.
    """
    if (pairs.model, pairs.version) != (model, version):
        raise ValueError(f"got the pairs of {pairs.model} version {pairs.version}, expected those of {model} version {version}")
    compared = [pair for pair in pairs.pairs if pair.champion.version == champion]
    preconditions = (
        _judge_pair_count(pairs, len(compared), requirements.min_requests),
        *_judge_same_champion(pairs, len(compared), champion),
    )
    estimates = _estimate(compared, requirements, confidence, classes)
    reasons = (
        *preconditions,
        _judge_unpaired(pairs),
        *_judge_estimates(estimates, compared, requirements, confidence),
    )
    # The report has the reasons of all checks, but with too few pairs, or pairs of several champions, not even a FAIL decides it.
    comparable = all(reason.status is not Status.UNDECIDED for reason in preconditions)
    return ShadowReport(
        model=model,
        version=version,
        champion=champion,
        status=worst(tuple(reason.status for reason in reasons)) if comparable else Status.UNDECIDED,
        reasons=reasons,
        requests=len(compared),
        agreement=estimates.agreement,
        score_shift=estimates.score_shift,
        champion_errors=sum(bool(pair.champion.error) for pair in compared),
        challenger_errors=sum(bool(pair.challenger.error) for pair in compared),
        latency_p50_ratio=estimates.p50_ratio,
        latency_p99_ratio=estimates.p99_ratio,
    )


def _estimate(compared: Sequence[Pair], requirements: Shadow, confidence: float, classes: VersionClasses) -> _Estimates:
    predicted_by_both = [pair for pair in compared if not pair.champion.error and not pair.challenger.error]
    agreement = agreement_of(predicted_by_both, requirements.agree_within, confidence, classes)
    return _Estimates(
        agreement,
        score_shift_of(predicted_by_both, confidence, classes),
        *latency_ratios(predicted_by_both, confidence),
    )


def _judge_estimates(
    estimates: _Estimates, compared: Sequence[Pair], requirements: Shadow, confidence: float
) -> tuple[Reason, ...]:
    return (
        _judge_agreement(estimates.agreement, requirements, confidence),
        _judge_errors(compared, requirements.max_error_rate, confidence),
        _describe_shift(estimates.score_shift, "scores" if requirements.agree_within is None else "predictions", confidence),
        _describe_p50(estimates.p50_ratio, confidence),
        _judge_p99(estimates.p99_ratio, requirements.max_p99_ratio, confidence),
    )


def not_applicable(model: str, version: int, reason: str) -> ShadowReport:
    """The report of a run that compares nothing: without a champion, or if the pipeline file has no `shadow` section."""
    return ShadowReport(
        model=model,
        version=version,
        status=Status.NOT_APPLICABLE,
        reasons=(Reason(status=Status.NOT_APPLICABLE, message=reason),),
    )


def _judge_pair_count(pairs: PairedLog, compared: int, needed: int) -> Reason:
    found = f"{counted(compared, 'request')} with a result from both versions, predictions or an error"
    if compared >= needed:
        return _reason(Status.PASS, f"{found} (required: at least {needed:,})")
    return _reason(
        Status.UNDECIDED,
        f"{found}; required: at least {needed:,}, which is {needed - compared:,} more ({_without_result(pairs)})",
    )


def _judge_same_champion(pairs: PairedLog, compared: int, champion: int) -> Iterator[Reason]:
    """Nothing without pairs."""
    others = sorted({pair.champion.version for pair in pairs.pairs} - {champion})
    if compared and not others:
        yield _reason(Status.PASS, f"the results of the champion are all from version {champion}")
    if not others:
        return
    named = ", ".join(str(other) for other in others)
    yield _reason(
        Status.UNDECIDED,
        f"the champion changed during the comparison: in {len(pairs.pairs) - compared:,} of {len(pairs.pairs):,} requests, its result is from "
        f"version {named}, not from version {champion}; run the shadow again",
    )


def _judge_unpaired(pairs: PairedLog) -> Reason:
    total = len(pairs.pairs) + pairs.dropped + pairs.unanswered
    fraction = (pairs.dropped + pairs.unanswered) / total if total else 0.0
    return _reason(
        Status.PASS if fraction <= MAX_UNPAIRED else Status.UNDECIDED,
        f"{_percent(fraction, MAX_UNPAIRED)} of {total:,} requests have no result from the challenger (allowed: at most {MAX_UNPAIRED:.0%}): "
        f"{_without_result(pairs)}",
    )


def _without_result(pairs: PairedLog) -> str:
    return f"{pairs.dropped:,} were not sent to the challenger because its queue was full, {pairs.unanswered:,} were sent and never answered"


def _judge_agreement(agreement: Interval | None, requirements: Shadow, confidence: float) -> Reason:
    least = requirements.min_agreement
    if agreement is None:
        return _reason(Status.UNDECIDED, "no request has predictions from both versions, so agreement is unknown")
    same = (
        "the same label"
        if requirements.agree_within is None
        else f"numbers at most {number_text(requirements.agree_within)} apart"
    )
    status = _estimate_status(agreement.value >= least, agreement.high < least)
    return _reason(
        status,
        f"both versions predicted {same} for {_percent(agreement.value, least)} of {agreement.rows:,} rows "
        f"({_percent_ci(agreement, least, confidence)}; required: at least {percent_text(least)}){_more(status, agreement, least, 'row')}",
    )


def _judge_errors(compared: Sequence[Pair], most: float, confidence: float) -> Reason:
    predicted = [pair for pair in compared if not pair.champion.error]
    failed = [pair.challenger.error for pair in predicted if pair.challenger.error]
    if not predicted:
        return _reason(
            Status.UNDECIDED,
            f"the champion returned predictions for none of {counted(len(compared), 'request')}, so the challenger's errors cannot be "
            "compared with them",
        )
    rate = proportion(len(failed), len(predicted), confidence)
    example = f'; the latest error: "{failed[-1][:200]}"' if failed else ""
    status = _estimate_status(rate.value <= most, rate.low > most)
    return _reason(
        status,
        f"the challenger returned an error for {len(failed):,} of {len(predicted):,} requests that the champion answered with predictions "
        f"({_percent(rate.value, most)}, {_percent_ci(rate, most, confidence)}; allowed: at most {percent_text(most)})"
        f"{_more(status, rate, most, 'request')}{example}",
    )


def _describe_shift(shift: Interval | None, noun: str, confidence: float) -> Reason:
    if shift is None:
        return _reason(
            Status.NOT_APPLICABLE,
            "score shift not computed: the predictions are labels, or there are fewer than two scored rows",
        )
    size = max(map(abs, estimate_and_bounds(shift)))
    number_format = f".{decimals(estimate_and_bounds(shift), least=4, scale=max(size, _SMALLEST_SHIFT))}f"
    return _reason(
        Status.INFO,
        f"the challenger's {noun} are {_difference_text(shift.value, number_format)} on average over {shift.rows:,} rows "
        f"({ci_label(confidence)} of the difference {interval_text(shift, f'+{number_format}')}; no limit)",
    )


def _difference_text(value: float, number_format: str) -> str:
    """`0.012 higher`, `0.012 lower` or `the same`."""
    if value == 0:
        return "the same"
    return f"{abs(value):{number_format}} {'higher' if value > 0 else 'lower'}"


def _describe_p50(ratio: Interval | None, confidence: float) -> Reason:
    if ratio is None:
        return _reason(Status.NOT_APPLICABLE, "no request has predictions from both versions, so the median latency is unknown")
    return _reason(Status.INFO, f"the challenger's median latency {_ratio_text(ratio, None, confidence)}")


def _judge_p99(ratio: Interval | None, most: float, confidence: float) -> Reason:
    if ratio is None:
        return _reason(
            Status.UNDECIDED, "no request has predictions from both versions, so the 99th-percentile latency is unknown"
        )
    if ratio.rows < MIN_CALLS_FOR_P99:
        calls, missing = counted(ratio.rows, "predict call"), MIN_CALLS_FOR_P99 - ratio.rows
        message = f"only {calls}; the 99th percentile needs at least {MIN_CALLS_FOR_P99}, which is {missing} more"
        return _reason(Status.UNDECIDED, message)
    status = _estimate_status(ratio.value <= most, ratio.low > most)
    more = _more(status, ratio, most, "predict call")
    return _reason(status, f"the challenger's 99th-percentile latency {_ratio_text(ratio, most, confidence)}{more}")


def _more(status: Status, interval: Interval, limit: float, unit: str) -> str:
    return more_rows_text(interval, limit, unit) if status is Status.UNDECIDED else ""


def _ratio_text(ratio: Interval, most: float | None, confidence: float) -> str:
    digits = decimals(estimate_and_bounds(ratio), () if most is None else (most,), least=2)
    limit = "no limit" if most is None else f"allowed: at most {_ratio_limit(most)}"
    return (
        f"is {ratio.value:.{digits}f} times the champion's ({ratio.rows:,} predict calls, {ci_label(confidence)} "
        f"{interval_text(ratio, f'.{digits}f')}; {limit})"
    )


def _ratio_limit(most: float) -> str:
    short = f"{most:.2f}"
    return short if float(short) == most else number_text(most)


def _percent_ci(interval: Interval, limit: float, confidence: float) -> str:
    return f"{ci_label(confidence)} {_percent(interval.low, limit)} to {_percent(interval.high, limit)}"


def _percent(value: float, limit: float) -> str:
    """With one decimal, or as many as it takes to see on which side of the limit, of 0% and of 100% the value is."""
    digits = decimals((value,), (limit, 0.0, 1.0), least=3) - 2  # of the percentage
    return f"{value:.{digits}%}"


def _estimate_status(meets: bool, clearly_misses: bool) -> Status:
    return Status.PASS if meets else Status.FAIL if clearly_misses else Status.UNDECIDED


def _reason(status: Status, message: str) -> Reason:
    return Reason(status=status, message=message)
