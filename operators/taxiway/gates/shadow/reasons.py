"""The shadow gate's reasons about what was estimated: agreement, errors, score shift and latency."""

from collections.abc import Sequence

from taxiway.gates.more_rows import more_rows_text
from taxiway.gates.shadow.estimates import (
    AGREEMENT_METHOD,
    LATENCY_METHOD,
    PROPORTION_METHOD,
    SHIFT_METHOD,
    Estimates,
    proportion,
)
from taxiway.gates.wording import ci_label, decimals, estimate_and_bounds, interval_text, known, percent_text, rule_text
from taxiway.messages import counted, number_text
from taxiway.records import Interval, Reason, ReasonCode, Status
from taxiway.records.shadow_pairs import Pair
from taxiway.spec.shadow import Shadow

# With fewer calls, the 99th percentile is essentially the slowest call.
MIN_CALLS_FOR_P99 = 100
# A smaller shift is a rounding error of the scores.
_SMALLEST_SHIFT = 1e-9
# The decimals of a fraction that is almost 0 or 1.
_ENDS_DECIMALS = 4


def judge_estimates(
    estimates: Estimates, compared: Sequence[Pair], requirements: Shadow, confidence: float, *, needs_replay: bool
) -> tuple[Reason, ...]:
    """One reason for each estimate, and one for the errors of the challenger.

    Args:
        estimates: The estimates.
        compared: The pairs of live and of replayed requests.
        requirements: The `shadow` section of the pipeline file.
        confidence: The confidence level of the intervals, such as 0.99.
        needs_replay: Whether there are enough pairs only with the replayed ones: then few live calls may be enough.
    """
    return (
        _judge_agreement(estimates.agreement, estimates.requests, requirements, confidence),
        _judge_errors(compared, requirements.max_error_rate, confidence),
        _describe_shift(estimates.score_shift, "scores" if requirements.agree_within is None else "predictions", confidence),
        _describe_p50(estimates.p50_ratio, confidence),
        _judge_p99(estimates.p99_ratio, requirements.max_p99_ratio, confidence, needs_replay=needs_replay),
    )


def _judge_agreement(agreement: Interval | None, requests: int, requirements: Shadow, confidence: float) -> Reason:
    least = requirements.min_agreement
    rule = rule_text("min_agreement: agreement", 1, least)
    if agreement is None:
        message = "no request has predictions from both versions, so agreement is unknown"
        return _judged(ReasonCode.SHADOW_AGREEMENT, Status.UNDECIDED, message, rule, least)
    same = (
        "the same label"
        if requirements.agree_within is None
        else f"numbers at most {number_text(requirements.agree_within)} apart"
    )
    status = _estimate_status(agreement.value >= least, agreement.high < least)
    by_request = agreement.model_copy(update={"rows": requests})  # the rows of a request are alike
    message = (
        f"both versions predicted {same} for {percentage(agreement.value, least)} of {agreement.rows:,} rows "
        f"({_percent_ci(agreement, least, confidence)}; required: at least {percent_text(least)}){_more(status, by_request, least, 'request')}"
    )
    return _judged(ReasonCode.SHADOW_AGREEMENT, status, message, rule, least, agreement, AGREEMENT_METHOD)


def _judge_errors(compared: Sequence[Pair], most: float, confidence: float) -> Reason:
    rule = rule_text("max_error_rate: error rate", -1, most)
    predicted = [pair for pair in compared if not pair.champion.error]
    failed = [pair.challenger.error for pair in predicted if pair.challenger.error]
    if not predicted:
        message = (
            f"the champion returned predictions for none of {counted(len(compared), 'request')}, so the challenger's errors cannot be "
            "compared with them"
        )
        return _judged(ReasonCode.SHADOW_ERRORS, Status.UNDECIDED, message, rule, most)
    rate = proportion(len(failed), len(predicted), confidence)
    example = f'; the latest error: "{failed[-1][:200]}"' if failed else ""
    status = _estimate_status(rate.value <= most, rate.low > most)
    message = (
        f"the challenger returned an error for {len(failed):,} of {len(predicted):,} requests that the champion answered with predictions "
        f"({percentage(rate.value, most)}, {_percent_ci(rate, most, confidence)}; allowed: at most {percent_text(most)})"
        f"{_more(status, rate, most, 'request')}{example}"
    )
    return _judged(ReasonCode.SHADOW_ERRORS, status, message, rule, most, rate, PROPORTION_METHOD)


def _describe_shift(shift: Interval | None, noun: str, confidence: float) -> Reason:
    if shift is None:
        return unmeasured(
            ReasonCode.SHADOW_SCORE_SHIFT,
            Status.NOT_APPLICABLE,
            "score shift not computed: the predictions are labels, or there are fewer than two requests with scores",
        )
    size = max(map(abs, estimate_and_bounds(shift)))
    number_format = f".{decimals(estimate_and_bounds(shift), least=4, scale=max(size, _SMALLEST_SHIFT))}f"
    message = (
        f"the challenger's {noun} are {_difference_text(shift.value, number_format)} on average over {shift.rows:,} rows "
        f"({ci_label(confidence)} of the difference {interval_text(shift, f'+{number_format}')}; no limit)"
    )
    return _measured(ReasonCode.SHADOW_SCORE_SHIFT, message, shift, SHIFT_METHOD)


def _difference_text(value: float, number_format: str) -> str:
    """`0.012 higher`, `0.012 lower` or `the same`."""
    if value == 0:
        return "the same"
    return f"{abs(value):{number_format}} {'higher' if value > 0 else 'lower'}"


def _describe_p50(ratio: Interval | None, confidence: float) -> Reason:
    code = ReasonCode.SHADOW_LATENCY_P50
    if ratio is None:
        message = "no live request has predictions from both versions, so the median latency is unknown"
        return unmeasured(code, Status.NOT_APPLICABLE, message)
    return _measured(code, f"the challenger's median latency {_ratio_text(ratio, None, confidence)}", ratio, LATENCY_METHOD)


def _judge_p99(ratio: Interval | None, most: float, confidence: float, *, needs_replay: bool) -> Reason:
    code, rule = ReasonCode.SHADOW_LATENCY_P99, rule_text("max_p99_ratio: ratio of the 99th percentiles", -1, most)
    calls = 0 if ratio is None else ratio.rows
    if needs_replay and calls < MIN_CALLS_FOR_P99:
        return _judge_few_calls(ratio, most, confidence, rule)
    if ratio is None:
        message = "no live request has predictions from both versions, so the 99th-percentile latency is unknown"
        return _judged(code, Status.UNDECIDED, message, rule, most)
    if calls < MIN_CALLS_FOR_P99:
        missing = MIN_CALLS_FOR_P99 - calls
        message = f"only {counted(calls, 'predict call')}; the 99th percentile needs at least {MIN_CALLS_FOR_P99}, which is {missing} more"
        return _judged(code, Status.UNDECIDED, message, rule, most)
    status = _estimate_status(ratio.value <= most, ratio.low > most)
    more = _more(status, ratio, most, "predict call")
    message = f"the challenger's 99th-percentile latency {_ratio_text(ratio, most, confidence)}{more}"
    return _judged(code, status, message, rule, most, ratio, LATENCY_METHOD)


def _judge_few_calls(ratio: Interval | None, most: float, confidence: float, rule: str) -> Reason:
    """The reason if replayed requests replace live ones: few calls cannot meet the limit, but they can miss it clearly."""
    code, needed = ReasonCode.SHADOW_LATENCY_P99, f"it needs at least {MIN_CALLS_FOR_P99}"
    if ratio is not None and ratio.low > most:
        message = f"the challenger's 99th-percentile latency {_ratio_text(ratio, most, confidence)}; to decide, {needed} predict calls"
        return _judged(code, Status.UNDECIDED, message, rule, most, ratio, LATENCY_METHOD)
    calls = counted(0 if ratio is None else ratio.rows, "live predict call")
    message = f"the 99th-percentile latency is not compared: replayed requests have none, and there are {calls}; {needed}"
    return unmeasured(code, Status.NOT_APPLICABLE, message)


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
    return f"{ci_label(confidence)} {percentage(interval.low, limit)} to {percentage(interval.high, limit)}"


def percentage(value: float, limit: float) -> str:
    """A fraction as a percentage, with one decimal, or as many as it takes to see on which side of the limit the value is.

    It is 0% or 100% only if the value is: `under 0.01%`, `over 99.99%`.
    """
    limits = (limit,) if 0 < limit < 1 else ()
    digits = decimals((value,), limits, least=3)
    digits = max(digits, min(decimals((value,), (0.0, 1.0), least=3), _ENDS_DECIMALS))
    if 0 < value < 1 and round(value, digits) in (0, 1):
        end = 10.0**-digits
        return f"under {end:.{digits - 2}%}" if value < 0.5 else f"over {1 - end:.{digits - 2}%}"
    return f"{value:.{digits - 2}%}"


def _estimate_status(meets: bool, clearly_misses: bool) -> Status:
    return Status.PASS if meets else Status.FAIL if clearly_misses else Status.UNDECIDED


def unmeasured(code: ReasonCode, status: Status, message: str) -> Reason:
    """A reason without an estimate."""
    return Reason(status=status, code=code, message=message)


def _measured(code: ReasonCode, message: str, estimate: Interval, method: str) -> Reason:
    return Reason(status=Status.INFO, code=code, message=message, estimate=known(estimate), method=method)


def _judged(
    code: ReasonCode,
    status: Status,
    message: str,
    rule: str,
    limit: float,
    estimate: Interval | None = None,
    method: str | None = None,
) -> Reason:
    return Reason(
        status=status,
        code=code,
        message=message,
        rule=rule,
        estimate=None if estimate is None else known(estimate),
        limit=limit,
        method=method,
    )
