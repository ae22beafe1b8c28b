"""The model gate's decision: every reason is collected, then the verdict is taken once.

Model validation is coupled to data validation by type: without a passed DataReport of exactly the rows that the candidate
consumed, under exactly the schema recorded on it, the verdict is FAIL whatever the metrics say.
"""

from collections.abc import Iterator
from datetime import date

from taxiway.records import (
    Candidate,
    DataReport,
    Evaluation,
    Interval,
    MetricResult,
    Reason,
    SliceResult,
    Status,
    Verdict,
    worst,
)
from taxiway.spec.gate import Gate
from taxiway.spec.metrics import METRIC_FACTS


def decide(
    candidate: Candidate,
    report: DataReport | None,
    evaluation: Evaluation,
    gate: Gate,
    *,
    today: date,
    stale: str = "",
) -> Verdict:
    """Whether `candidate` may go on. `stale` says why its data are older than the champion's: it then fails, and is compared with
    nothing, because the champion may have learned these very rows.

    `today` is the day by which waivers of the report may have ended: what was excused when the data were looked at is not for ever.

    Without a champion the first-champion policy holds: thresholds must hold, comparisons are NOT_APPLICABLE (not passed). A bound is
    passed where the whole interval keeps it, failed where none of it does, UNDECIDED between. A slice fails only where its
    whole interval lies below the allowed drop, and never decides below its minimum of rows.
    """
    reasons = (
        *_data(candidate, report, today),
        *_same_rows(candidate, evaluation),
        *_rows(evaluation, gate),
        *_floors(evaluation, gate),
        *(
            (_fail(f"version {candidate.version} comes too late: {stale}"),)
            if stale
            else (*_against_champion(evaluation, gate), *_slices(evaluation, gate))
        ),
    )
    return Verdict(
        model=candidate.model,
        version=candidate.version,
        champion=evaluation.champion,
        snapshot=candidate.snapshot,
        report=report.digest if report else None,
        evaluation=evaluation.digest,
        status=worst(tuple(reason.status for reason in reasons)),
        reasons=reasons,
    )


def _data(candidate: Candidate, report: DataReport | None, today: date) -> Iterator[Reason]:
    if report is None:
        yield _fail(
            f"there is no DataReport of the snapshot {candidate.snapshot} that version {candidate.version} was trained on"
        )
        return
    sound = True
    if report.snapshot != candidate.snapshot:
        sound = False
        yield _fail(f"the DataReport is of the snapshot {report.snapshot}, the model was trained on {candidate.snapshot}")
    if report.schema_version != candidate.schema_version:
        sound = False
        yield _fail(f"the DataReport is under the schema {report.schema_version}, the model under {candidate.schema_version}")
    if report.digest != candidate.report:
        sound = False
        yield _fail(f"the DataReport {report.digest} is not the one recorded on the model, {candidate.report}")
    if report.blocking or report.status is not Status.PASS:
        sound = False
        first = f", first: {report.blocking[0].message}" if report.blocking else ""
        yield _fail(f"the data did not pass: {len(report.blocking)} blocking anomalies{first}")
    for waiver in report.waivers:
        if waiver.until < today:
            sound = False
            yield _fail(
                f"the data passed by a waiver that ended on {waiver.until}: {waiver.kind} in {waiver.column or 'the table'}, "
                f"waived by {waiver.owner}"
            )
    if sound:
        waived = f", {len(report.waivers)} waived" if report.waivers else ""
        found = len(report.anomalies)
        warnings = f"{found} {'anomaly' if found == 1 else 'anomalies'}, none blocking" if found else "no anomaly"
        yield _pass(f"the data passed: {report.checks} checks, {warnings}{waived}")


def _same_rows(candidate: Candidate, evaluation: Evaluation) -> Iterator[Reason]:
    if (evaluation.snapshot, evaluation.candidate) != (candidate.snapshot, candidate.version):
        yield _fail(
            f"the evaluation is of version {evaluation.candidate} on the snapshot {evaluation.snapshot}, "
            f"not of version {candidate.version} on {candidate.snapshot}"
        )


def _rows(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    rows = min((result.candidate.rows for result in evaluation.metrics), default=0)
    if rows < gate.min_rows:
        yield Reason(
            status=Status.UNDECIDED,
            message=f"{rows} evaluation rows are too few to decide on; at least {gate.min_rows} are needed",
        )


def _floors(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    for name, threshold in sorted(gate.thresholds.items()):
        result, sign = _result(evaluation, name), METRIC_FACTS[name].sign
        word = "at least" if sign > 0 else "at most"
        status = _bounded(result.candidate, threshold, sign)
        yield Reason(status=status, message=f"{name} is {_text(result.candidate, evaluation)}; {word} {threshold:g} is asked")


def _against_champion(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    rule = gate.against_champion
    if evaluation.champion is None:
        yield Reason(
            status=Status.NOT_APPLICABLE,
            message="there is no champion to compare with: the first one needs the thresholds only",
        )
        return
    result, sign = _result(evaluation, rule.metric), METRIC_FACTS[rule.metric].sign
    if result.champion is None or result.difference is None:
        yield _fail(f"the evaluation names champion version {evaluation.champion} but holds no comparison with it")
        return
    status = _bounded(result.difference, sign * rule.min_improvement, sign)
    yield Reason(
        status=status,
        message=(
            f"{rule.metric} is {result.candidate.value:.3f} against {result.champion.value:.3f} of the champion, version "
            f"{evaluation.champion}: {_gain(result.difference, sign, evaluation.confidence)}; "
            f"a gain of at least {rule.min_improvement:+g} is asked"
        ),
    )


def _slices(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    if gate.slices is None:
        return
    if evaluation.champion is None:
        yield Reason(status=Status.NOT_APPLICABLE, message="there is no champion to compare slices with")
        return
    fallen = [s for s in evaluation.slices if _fell(s, gate.slices.max_drop)]
    for slice_ in fallen:
        assert slice_.difference is not None
        sign = METRIC_FACTS[slice_.metric].sign
        word = "drop" if sign > 0 else "rise"
        yield _fail(
            f"{slice_.column} {slice_.value} changed by {_signed(slice_.difference, slice_.confidence)} {slice_.metric} "
            f"({slice_.rows} rows); a {word} of at most {gate.slices.max_drop:g} is allowed"
        )
    if not fallen:
        told = [s for s in evaluation.slices if s.difference is not None]
        small = len(evaluation.slices) - len(told)
        verb = "fell" if METRIC_FACTS[gate.against_champion.metric].sign > 0 else "rose"
        yield _pass(
            f"none of {len(told)} slices by {' and '.join(gate.slices.by)} surely {verb} by more than {gate.slices.max_drop:g} "
            f"({small} too small to tell)"
        )


def _fell(slice_: SliceResult, max_drop: float) -> bool:
    if slice_.difference is None:
        return False
    worse = slice_.difference.high if METRIC_FACTS[slice_.metric].sign > 0 else -slice_.difference.low
    return worse < -max_drop


def _bounded(interval: Interval, bound: float, sign: int) -> Status:
    low, high = sorted((sign * interval.low, sign * interval.high))
    if low >= sign * bound:
        return Status.PASS
    return Status.FAIL if high < sign * bound else Status.UNDECIDED


def _result(evaluation: Evaluation, name: str) -> MetricResult:
    for result in evaluation.metrics:
        if result.metric == name:
            return result
    raise KeyError(f"the evaluation holds no {name}; it has {[r.metric for r in evaluation.metrics]}")


def _text(interval: Interval, evaluation: Evaluation) -> str:
    return (
        f"{interval.value:.3f} ({interval.rows:,} rows, {100 * evaluation.confidence:.4g}% interval "
        f"{interval.low:.3f} to {interval.high:.3f})"
    )


def _gain(difference: Interval, sign: int, confidence: float) -> str:
    """What the candidate gains: where lower is better, the fall is the gain, and is called so."""
    if sign > 0:
        return _signed(difference, confidence)
    gain = Interval(value=-difference.value, low=-difference.high, high=-difference.low, rows=difference.rows)
    return f"a gain of {_signed(gain, confidence)}"


def _signed(interval: Interval, confidence: float) -> str:
    return f"{interval.value:+.3f} ({100 * confidence:.4g}% interval {interval.low:+.3f} to {interval.high:+.3f})"


def _fail(message: str) -> Reason:
    return Reason(status=Status.FAIL, message=message)


def _pass(message: str) -> Reason:
    return Reason(status=Status.PASS, message=message)
