"""The model gate: it collects every reason, and then decides once.

The gate needs a passed DataReport of exactly the rows that the candidate was trained on, under exactly the schema recorded on it.
Without one the verdict is FAIL, whatever the metrics are.
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
    """Decide whether a candidate passes the model gate.

    A bound passes if the whole confidence interval meets it, fails if the whole interval misses it, and is UNDECIDED otherwise.
    A slice fails only if its whole interval lies beyond the allowed drop; a slice with too few rows never decides. Without a
    champion the thresholds must still be met; the comparisons are NOT_APPLICABLE.

    Args:
        candidate: The model version to decide on.
        report: The DataReport of the snapshot that the candidate was trained on; None if there is none.
        evaluation: The metrics of candidate and champion on the same rows.
        gate: The pipeline's thresholds and comparisons.
        today: The day on which waivers of the report must still be valid.
        stale: Why the candidate's data is older than the champion's; empty if it is not. A stale candidate fails and is not
            compared, because the champion may have been trained on these evaluation rows.

    Returns:
        The verdict, with every reason; its status is the worst of theirs.
    """
    comparison = (
        (_fail(f"version {candidate.version} was trained on older data than the champion: {stale}"),)
        if stale
        else (*_against_champion(evaluation, gate), *_slices(evaluation, gate))
    )
    reasons = (
        *_data(candidate, report, today),
        *_same_rows(candidate, evaluation),
        *_rows(evaluation, gate),
        *_thresholds(evaluation, gate),
        *comparison,
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
        yield _fail(f"no DataReport for snapshot {candidate.snapshot}, on which version {candidate.version} was trained")
        return
    problems = (*_other_data(candidate, report), *_invalid_data(report, today))
    yield from map(_fail, problems)
    if not problems:
        waived = f", {len(report.waivers)} waived" if report.waivers else ""
        found = f"{_anomalies(len(report.anomalies))}, none blocking" if report.anomalies else "no anomalies"
        yield _pass(f"the data passed validation: {report.checks:,} checks, {found}{waived}")


def _other_data(candidate: Candidate, report: DataReport) -> Iterator[str]:
    """Why the report is not of exactly the rows and the schema of the candidate."""
    if report.snapshot != candidate.snapshot:
        yield f"the DataReport belongs to snapshot {report.snapshot}, but the model was trained on snapshot {candidate.snapshot}"
    if report.schema_version != candidate.schema_version:
        yield (
            f"the DataReport was made under schema {report.schema_version}, but the model was trained under schema "
            f"{candidate.schema_version}"
        )
    if report.digest != candidate.report:
        yield f"the DataReport {report.digest} is not the one recorded on the model, {candidate.report}"


def _invalid_data(report: DataReport, today: date) -> Iterator[str]:
    if report.blocking or report.status is not Status.PASS:
        first = f"; the first: {report.blocking[0].message}" if report.blocking else ""
        yield f"the data did not pass validation: {_anomalies(len(report.blocking), 'blocking ')}{first}"
    for waiver in report.waivers:
        if waiver.until < today:
            yield (
                f"the data passed with a waiver that expired on {waiver.until}: {waiver.kind} in {waiver.column or 'the table'}, "
                f"waived by {waiver.owner}"
            )


def _anomalies(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}{'anomaly' if count == 1 else 'anomalies'}"


def _same_rows(candidate: Candidate, evaluation: Evaluation) -> Iterator[Reason]:
    if (evaluation.snapshot, evaluation.candidate) != (candidate.snapshot, candidate.version):
        yield _fail(
            f"the evaluation belongs to version {evaluation.candidate} on snapshot {evaluation.snapshot}, "
            f"not to version {candidate.version} on snapshot {candidate.snapshot}"
        )


def _rows(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    rows = min((result.candidate.rows for result in evaluation.metrics), default=0)
    if rows < gate.min_rows:
        message = f"only {rows:,} evaluation rows; required: at least {gate.min_rows:,}"
        yield Reason(status=Status.UNDECIDED, message=message)


def _thresholds(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    for name, threshold in sorted(gate.thresholds.items()):
        score = _result(evaluation, name).candidate
        status = _bounded(score, threshold, METRIC_FACTS[name].sign)
        yield Reason(
            status=status,
            message=f"{name} {score.value:.3f} ({score.rows:,} rows, {_ci(score, evaluation.confidence, '.3f')}): "
            f"{_position(score, threshold, status)} threshold {threshold:g}",
        )


def _against_champion(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    rule = gate.against_champion
    if evaluation.champion is None:
        yield Reason(status=Status.NOT_APPLICABLE, message="no champion yet: the first model only has to meet the thresholds")
        return
    result, sign = _result(evaluation, rule.metric), METRIC_FACTS[rule.metric].sign
    if result.champion is None or result.difference is None:
        yield _fail(f"the evaluation names champion version {evaluation.champion} but contains no comparison with it")
        return
    improvement = _improvement(result.difference, sign)
    yield Reason(
        status=_bounded(result.difference, sign * rule.min_improvement, sign),
        message=(
            f"{rule.metric} {result.candidate.value:.3f}, champion (version {evaluation.champion}) {result.champion.value:.3f}: "
            f"improvement {improvement.value:+.3f} ({_ci(improvement, evaluation.confidence, '+.3f')}); "
            f"required: at least {rule.min_improvement:+g}"
        ),
    )


def _slices(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    if gate.slices is None:
        return
    if evaluation.champion is None:
        yield Reason(status=Status.NOT_APPLICABLE, message="no champion yet: slices are not compared")
        return
    compared = sum(s.difference is not None for s in evaluation.slices)
    if not compared:
        message = f"no slice ({', '.join(gate.slices.by)}) has at least {gate.slices.min_rows:,} rows, so slices were not compared"
        if any(s.rows >= gate.slices.min_rows for s in evaluation.slices):
            message = f"no slice ({', '.join(gate.slices.by)}) has enough rows with different labels, so slices were not compared"
        yield Reason(status=Status.NOT_APPLICABLE, message=message)
        return
    worse = [s for s in evaluation.slices if _is_worse(s, gate.slices.max_drop)]
    yield from (_fail(_slice_text(slice_, gate.slices.max_drop)) for slice_ in worse)
    if not worse:
        few = len(evaluation.slices) - compared
        word = "drop" if METRIC_FACTS[gate.against_champion.metric].sign > 0 else "rise"
        yield _pass(
            f"{compared} of {len(evaluation.slices)} slices ({', '.join(gate.slices.by)}) compared: no significant {word} above "
            f"{gate.slices.max_drop:g}{f'; {few} had too few rows' if few else ''}"
        )


def _slice_text(slice_: SliceResult, max_drop: float) -> str:
    assert slice_.difference is not None
    did, word = ("dropped", "drop") if METRIC_FACTS[slice_.metric].sign > 0 else ("rose", "rise")
    return (
        f"{slice_.metric} for {slice_.column} {slice_.value} {did} by {abs(slice_.difference.value):.3f} ({slice_.rows:,} rows, "
        f"{_ci(slice_.difference, slice_.confidence, '+.3f', of='difference')}; allowed {word}: {max_drop:g})"
    )


def _is_worse(slice_: SliceResult, max_drop: float) -> bool:
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
    raise KeyError(f"the evaluation has no metric {name}; it has {[r.metric for r in evaluation.metrics]}")


def _position(interval: Interval, bound: float, status: Status) -> str:
    if status is Status.UNDECIDED:
        return "the interval includes the"
    if interval.low >= bound:
        return "above the" if interval.low > bound else "at or above the"
    return "below the" if interval.high < bound else "at or below the"


def _improvement(difference: Interval, sign: int) -> Interval:
    """The difference, negated for a metric of which lower values are better."""
    if sign > 0:
        return difference
    return Interval(value=-difference.value, low=-difference.high, high=-difference.low, rows=difference.rows)


def _ci(interval: Interval, confidence: float, form: str, of: str = "") -> str:
    return f"{100 * confidence:.4g}% CI {f'of the {of} ' if of else ''}{interval.low:{form}} to {interval.high:{form}}"


def _fail(message: str) -> Reason:
    return Reason(status=Status.FAIL, message=message)


def _pass(message: str) -> Reason:
    return Reason(status=Status.PASS, message=message)
