"""The shadow comparison: what champion and challenger answered to the same requests, decided with intervals, in messages."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taxiway.records import Interval, Reason, ShadowReport, Status, worst
from taxiway.records.shadow_pairs import Pair, PairedLog
from taxiway.spec.shadow import Shadow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of all requests, the share that may have made no pair: beyond it, what was compared may not be what is asked live.
MAX_UNPAIRED = 0.1
# Of fewer calls, the 99th percentile is the slowest one, and one call tells nothing of the next.
MIN_CALLS_FOR_P99 = 100
_RESAMPLES = 1000
_NUMBER_TOLERANCE = 1e-6


def compare(pairs: PairedLog, *, model: str, version: int, champion: int, limits: Shadow, confidence: float) -> ShadowReport:
    """Decide whether challenger `version` answered live requests like `champion`, within `limits`.

    Each limit on an estimate: PASS if the estimate keeps it, FAIL if the whole interval (two-sided, at `confidence`) is
    beyond it, UNDECIDED if only the estimate is. UNDECIDED too where more than a tenth of the requests made no pair or where
    fewer than 100 calls have to tell a 99th percentile, and, whatever the rest says, where there are fewer than `min_requests`
    pairs or another champion answered some of them.

    Agreement is of labels, over rows: the argmax of probabilities, equality of labels, numbers at most `limits.agree_within`
    (else a millionth) apart; its interval and that of the error rate are exact (Clopper and Pearson 1934, Biometrika 26:404). The error rate is of the challenger,
    over the requests that the champion answered. The score is the probability of the second class of two, that of the
    champion's class among more, or the number; its mean shift has Student's interval and no limit. Latencies are in ms of
    predict calls, which both sides made with the same rows; their ratios have a percentile bootstrap over calls.

    Raises ValueError if `pairs` are of another model or version.
    """
    if (pairs.model, pairs.version) != (model, version):
        raise ValueError(f"got the pairs of {pairs.model} version {pairs.version}, expected those of {model} version {version}")
    usable = [pair for pair in pairs.pairs if pair.champion.version == champion]
    reasons = [
        _enough(pairs, len(usable), limits.min_requests),
        _one_champion(pairs, len(usable), champion),
        _unpaired(pairs),
    ]
    both = [pair for pair in usable if not pair.champion.error and not pair.challenger.error]
    agreement = _agreement(both, limits.agree_within, confidence)
    shift = _score_shift(both, confidence)
    p50, p99 = _latency_ratios(both, confidence)
    champion_errors = sum(bool(pair.champion.error) for pair in usable)
    challenger_errors = sum(bool(pair.challenger.error) for pair in usable)
    reasons += [
        _judge_agreement(agreement, limits, confidence),
        _judge_errors(usable, limits.max_error_rate, confidence),
        _describe_shift(shift, confidence),
        _describe_p50(p50, confidence),
        _judge_p99(p99, limits.max_p99_ratio, confidence),
    ]
    status = worst(tuple(reason.status for reason in reasons))
    if any(reason.status is Status.UNDECIDED for reason in reasons[:2]):
        status = Status.UNDECIDED  # too few pairs, or of two champions: not even a failure is shown by them
    return ShadowReport(
        model=model,
        version=version,
        champion=champion,
        status=status,
        reasons=tuple(reasons),
        requests=len(usable),
        agreement=agreement,
        score_shift=shift,
        champion_errors=champion_errors,
        challenger_errors=challenger_errors,
        latency_p50_ratio=p50,
        latency_p99_ratio=p99,
    )


def not_applicable(model: str, version: int, reason: str) -> ShadowReport:
    """The report where nothing was compared: there is no champion yet, or the pipeline switches shadow off."""
    return ShadowReport(
        model=model,
        version=version,
        status=Status.NOT_APPLICABLE,
        reasons=(Reason(status=Status.NOT_APPLICABLE, message=reason),),
    )


def _enough(pairs: PairedLog, usable: int, needed: int) -> Reason:
    if usable >= needed:
        return _reason(Status.PASS, f"{usable:,} requests were dealt with by both sides (at least {needed:,} needed)")
    return _reason(
        Status.UNDECIDED,
        f"{usable:,} of {needed:,} requests were dealt with by both sides: {needed - usable:,} are missing "
        f"({pairs.dropped:,} were dropped before the challenger, {pairs.unanswered:,} have no answer of it)",
    )


def _one_champion(pairs: PairedLog, usable: int, champion: int) -> Reason:
    others = sorted({pair.champion.version for pair in pairs.pairs} - {champion})
    if not others:
        return _reason(Status.PASS, f"champion {champion} answered all of them")
    named = ", ".join(str(other) for other in others)
    return _reason(
        Status.UNDECIDED,
        f"the champion changed meanwhile: version {named} answered {len(pairs.pairs) - usable:,} of {len(pairs.pairs):,} "
        f"requests, not {champion}; compare again under one champion",
    )


def _unpaired(pairs: PairedLog) -> Reason:
    total = len(pairs.pairs) + pairs.dropped + pairs.unanswered
    share = (pairs.dropped + pairs.unanswered) / total if total else 0.0
    return _reason(
        Status.PASS if share <= MAX_UNPAIRED else Status.UNDECIDED,
        f"{pairs.dropped:,} of {total:,} requests were dropped because the challenger's queue was full, {pairs.unanswered:,} "
        f"have no answer of it: {share:.1%} (at most {MAX_UNPAIRED:.0%} allowed)",
    )


def _judge_agreement(agreement: Interval | None, limits: Shadow, confidence: float) -> Reason:
    least = limits.min_agreement
    if agreement is None:
        return _reason(Status.UNDECIDED, "no request was answered by both sides, so agreement is unknown")
    status = _judged(agreement.value >= least, agreement.high < least)
    same = "the same label" if limits.agree_within is None else f"numbers at most {limits.agree_within:g} apart"
    return _reason(
        status,
        f"both gave {same} for {agreement.value:.2%} of {agreement.rows:,} rows "
        f"({_percent(confidence)} interval {agreement.low:.2%} to {agreement.high:.2%}; at least {least:.2%} needed)",
    )


def _judge_errors(usable: Sequence[Pair], most: float, confidence: float) -> Reason:
    answered = [pair for pair in usable if not pair.champion.error]
    failed = [pair.challenger.error for pair in answered if pair.challenger.error]
    if not answered:
        return _reason(
            Status.UNDECIDED, f"the champion answered none of {len(usable):,} requests, so errors cannot be compared"
        )
    rate = _proportion(len(failed), len(answered), confidence)
    example = f'; the newest: "{failed[-1][:200]}"' if failed else ""
    return _reason(
        _judged(rate.value <= most, rate.low > most),
        f"the challenger failed {len(failed):,} of {len(answered):,} requests that the champion answered "
        f"({rate.value:.2%}, {_percent(confidence)} interval {rate.low:.2%} to {rate.high:.2%}; at most {most:.2%} allowed){example}",
    )


def _describe_shift(shift: Interval | None, confidence: float) -> Reason:
    if shift is None:
        return _reason(Status.NOT_APPLICABLE, "the answers are labels, or too few: there is no score whose shift could be told")
    return _reason(
        Status.NOT_APPLICABLE,
        f"scores moved by {shift.value:+.4f} on average over {shift.rows:,} rows "
        f"({_percent(confidence)} interval {shift.low:+.4f} to {shift.high:+.4f}; there is no limit)",
    )


def _describe_p50(ratio: Interval | None, confidence: float) -> Reason:
    if ratio is None:
        return _reason(Status.NOT_APPLICABLE, "no call was answered by both sides, so its median time is unknown")
    return _reason(Status.NOT_APPLICABLE, f"the challenger's median call {_took(ratio, confidence)}; there is no limit)")


def _judge_p99(ratio: Interval | None, most: float, confidence: float) -> Reason:
    if ratio is None:
        return _reason(Status.UNDECIDED, "no call was answered by both sides, so latency is unknown")
    if ratio.rows < MIN_CALLS_FOR_P99:
        calls = "1 call is" if ratio.rows == 1 else f"{ratio.rows} calls are"
        return _reason(Status.UNDECIDED, f"{calls} too few for a 99th percentile; {MIN_CALLS_FOR_P99} are needed")
    message = f"the challenger's 99th percentile of calls {_took(ratio, confidence)}; at most {most:.2f} allowed)"
    return _reason(_judged(ratio.value <= most, ratio.low > most), message)


def _took(ratio: Interval, confidence: float) -> str:
    return (
        f"took {ratio.value:.2f} times the champion's "
        f"({ratio.rows:,} calls, {_percent(confidence)} interval {ratio.low:.2f} to {ratio.high:.2f}"
    )


def _percent(confidence: float) -> str:
    return f"{confidence * 100:g}%"


def _judged(keeps: bool, surely_breaks: bool) -> Status:
    return Status.PASS if keeps else Status.FAIL if surely_breaks else Status.UNDECIDED


def _reason(status: Status, message: str) -> Reason:
    return Reason(status=status, message=message)


def _proportion(hits: int, of: int, confidence: float) -> Interval:
    from scipy.stats import binomtest

    exact = binomtest(hits, of).proportion_ci(confidence, method="exact")
    return Interval(value=hits / of, low=float(exact.low), high=float(exact.high), rows=of)


def _rows(both: Sequence[Pair]) -> list[tuple[Any, Any]]:
    """The predictions of champion and challenger, row by row."""
    return [
        row for pair in both for row in zip(pair.champion.predictions or [], pair.challenger.predictions or [], strict=True)
    ]


def _agreement(both: Sequence[Pair], within: float | None, confidence: float) -> Interval | None:
    rows = _rows(both)
    return _proportion(sum(_agree(a, b, within) for a, b in rows), len(rows), confidence) if rows else None


def _agree(champion: Any, challenger: Any, within: float | None) -> bool:
    champion, challenger = _vector(champion), _vector(challenger)
    if isinstance(champion, list) and isinstance(challenger, list):
        return len(champion) == len(challenger) and _argmax(champion) == _argmax(challenger)
    if _is_number(champion) and _is_number(challenger):
        if within is not None:
            return bool(abs(champion - challenger) <= within)
        return math.isclose(champion, challenger, rel_tol=_NUMBER_TOLERANCE, abs_tol=_NUMBER_TOLERANCE)
    return bool(champion == challenger)


def _score_shift(both: Sequence[Pair], confidence: float) -> Interval | None:
    import numpy as np
    from scipy.stats import t

    scores = [_scores(_vector(a), _vector(b)) for a, b in _rows(both)]
    shifts = np.array([challenger - champion for champion, challenger in filter(None, scores)])
    if len(shifts) < 2:
        return None
    mean, error = float(shifts.mean()), float(shifts.std(ddof=1)) / len(shifts) ** 0.5
    half = float(t.ppf((1 + confidence) / 2, len(shifts) - 1)) * error
    return Interval(value=mean, low=mean - half, high=mean + half, rows=len(shifts))


def _scores(champion: Any, challenger: Any) -> tuple[float, float] | None:
    """What is compared as score of a row: see `compare`. None for labels."""
    if isinstance(champion, list) and isinstance(challenger, list) and len(champion) == len(challenger):
        place = 1 if len(champion) == 2 else _argmax(champion)
        return float(champion[place]), float(challenger[place])
    # Whole numbers are labels: MLflow gives classes of integers as such.
    if isinstance(champion, float) and isinstance(challenger, float):
        return champion, challenger
    return None


def _vector(prediction: Any) -> Any:
    """A row's probabilities as a list, whether it came as a list or as an object (column: value); a list of one is its value."""
    values = list(prediction.values()) if isinstance(prediction, dict) else prediction
    if not isinstance(values, list) or not values or not all(_is_number(value) for value in values):
        return prediction
    return values[0] if len(values) == 1 else values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _argmax(values: list[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _latency_ratios(both: Sequence[Pair], confidence: float) -> tuple[Interval | None, Interval | None]:
    """The ratios of the 50th and the 99th percentile. Requests of one call share its latency, so calls are resampled."""
    import numpy as np

    by_call: dict[str, tuple[float, float]] = {}
    for pair in both:
        _, slowest = by_call.get(pair.call, (0.0, 0.0))
        by_call[pair.call] = (pair.champion.latency_ms, max(slowest, pair.challenger.latency_ms))
    if not by_call:
        return None, None
    times = np.array(list(by_call.values()))
    chance = np.random.default_rng(0)
    resampled = np.array([_ratios(times[chance.integers(0, len(times), len(times))]) for _ in range(_RESAMPLES)])
    tail = (1 - confidence) / 2
    lows, highs = np.quantile(resampled, [tail, 1 - tail], axis=0)
    p50, p99 = (
        Interval(value=float(value), low=float(low), high=float(high), rows=len(times))
        for value, low, high in zip(_ratios(times), lows, highs, strict=True)
    )
    return p50, p99


def _ratios(times: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    champion, challenger = np.quantile(times, [0.5, 0.99], axis=0).T
    ratios: NDArray[np.float64] = challenger / np.maximum(champion, 1e-9)
    return ratios
