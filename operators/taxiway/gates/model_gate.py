"""The model gate: it collects every reason, and then decides once."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from taxiway.evaluation.leakage import is_almost_perfect
from taxiway.gates.baselines import baseline_reasons
from taxiway.gates.conditions.reasons import condition_reasons
from taxiway.gates.data_report import data_reasons
from taxiway.gates.more_rows import more_rows_text
from taxiway.gates.slices import slice_reasons
from taxiway.gates.wording import (
    as_improvement,
    ci_label,
    decimals,
    estimate_and_bounds,
    interval_text,
    reason_to_fail,
    reason_to_pass,
)
from taxiway.messages import counted, listed, number_text
from taxiway.records import (
    Candidate,
    DataReport,
    Decision,
    Evaluation,
    Interval,
    MetricResult,
    Reason,
    Status,
    Verdict,
    worst,
)
from taxiway.spec.gate import Gate
from taxiway.stats.bootstrap import LEAST_GROUPS

_MAX_SUSPICIOUS_COLUMNS = 3
_SHOWN_CLASSES = 5


@dataclass(frozen=True)
class UnscorableChampion:
    """A champion that cannot be scored on the evaluation rows.

    Attributes:
        version: Its version.
        why: Why it cannot be scored.
    """

    version: int
    why: str


def decide(
    candidate: Candidate,
    report: DataReport | None,
    evaluation: Evaluation,
    gate: Gate,
    *,
    today: date,
    older_data_reason: str | None = None,
    unscorable: UnscorableChampion | None = None,
    decisions: Sequence[Decision] = (),
) -> Verdict:
    """Decide whether a candidate passes the model gate.

    A bound passes if the whole confidence interval meets it, fails if the whole interval misses it, and is UNDECIDED otherwise.
    Conditions are decided as `taxiway.gates.conditions.decide` says. A slice fails only if its whole interval lies beyond the allowed drop; a
    slice with too few rows never decides. Without a champion the thresholds, and the conditions on the candidate alone, must still be
    met; the comparisons are NOT_APPLICABLE.

    Args:
        candidate: The model version to decide on.
        report: The DataReport of the snapshot that the candidate was trained on; None if there is none.
        evaluation: The metrics of candidate and champion on the same rows.
        gate: The pipeline's thresholds and comparisons.
        today: The day on which waivers of the report must still be valid.
        older_data_reason: Why the candidate's data is older than the champion's; None if it is not. Such a candidate fails and
            is not compared, because the champion may have been trained on these evaluation rows.
        unscorable: The champion, if it cannot be scored on the evaluation rows; the candidate is then not compared.
        decisions: The decisions of people about the report, such as waivers.

    Returns:
        The verdict, with every reason; its status is the worst of theirs.
    """
    if older_data_reason is not None:
        older = f"version {candidate.version} was trained on older data than the champion: {older_data_reason}"
        comparison: tuple[Reason, ...] = (reason_to_fail(older),)
    elif unscorable is not None:
        comparison = (_not_compared(unscorable, candidate, gate),)
    else:
        comparison = (*_against_champion(evaluation, gate), *slice_reasons(evaluation, gate))
    reasons = (
        *data_reasons(candidate, report, today, decisions),
        *_evaluation_mismatch(candidate, evaluation),
        *_missing_columns(evaluation),
        *_unseen_and_absent_classes(evaluation),
        *_almost_perfect(evaluation),
        *_row_count(evaluation, gate),
        *_thresholds(evaluation, gate),
        *condition_reasons(evaluation, gate),
        *comparison,
        *baseline_reasons(evaluation, gate.facts(gate.comparison_metric)),
    )
    return Verdict(
        model=candidate.model,
        version=candidate.version,
        champion=unscorable.version if unscorable else evaluation.champion,
        snapshot=candidate.snapshot,
        report=report.digest if report else None,
        evaluation=evaluation.digest,
        status=worst(tuple(reason.status for reason in reasons)),
        reasons=reasons,
        files=candidate.files,
        needs_approval=unscorable is not None and gate.champion_unscorable == "approval",
    )


def _not_compared(unscorable: UnscorableChampion, candidate: Candidate, gate: Gate) -> Reason:
    if gate.champion_unscorable != "fail":
        asks = ", and a person has to approve it" if gate.champion_unscorable == "approval" else ""
        return Reason(
            status=Status.NOT_APPLICABLE,
            message=f"{unscorable.why}: the candidate is judged without a comparison{asks} (gate.champion_unscorable: "
            f"{gate.champion_unscorable}). In production, the champion would fail on such rows too",
        )
    return reason_to_fail(
        f"{unscorable.why}, and gate.champion_unscorable is fail. To decide without the comparison, set it to thresholds, or to approval to "
        f"also ask a person; to push this version anyway: taxiway force {candidate.model}/{candidate.version} --reason WHY; to retire the "
        f"champion: taxiway retire {candidate.model} --reason WHY"
    )


def _evaluation_mismatch(candidate: Candidate, evaluation: Evaluation) -> Iterator[Reason]:
    if (evaluation.snapshot, evaluation.candidate) != (candidate.snapshot, candidate.version):
        yield reason_to_fail(
            f"the evaluation belongs to version {evaluation.candidate} on snapshot {evaluation.snapshot}, "
            f"not to version {candidate.version} on snapshot {candidate.snapshot}"
        )


def _row_count(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    rows = min((result.candidate.rows for result in evaluation.metrics), default=0)
    if rows >= gate.min_rows:
        yield reason_to_pass(f"{rows:,} evaluation rows (required: at least {gate.min_rows:,})")
    else:
        message = f"only {rows:,} evaluation rows; required: at least {gate.min_rows:,}, which is {gate.min_rows - rows:,} more"
        yield Reason(status=Status.UNDECIDED, message=message)
    found = evaluation.groups
    if found is not None and found.groups >= LEAST_GROUPS:
        yield reason_to_pass(
            f"{found.groups:,} groups of rows by {found.column} (required: at least {LEAST_GROUPS}); confidence intervals resample whole groups"
        )
    elif found is not None:
        message = (
            f"only {counted(found.groups, 'group')} of rows by {found.column}; required: at least {LEAST_GROUPS}, which is "
            f"{LEAST_GROUPS - found.groups} more"
        )
        yield Reason(status=Status.UNDECIDED, message=message)


def _thresholds(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    for name, threshold in sorted(gate.thresholds.items()):
        score = _metric_result(evaluation, name).candidate
        status = _compare_with_bound(score, threshold, gate.facts(name).direction)
        digits = decimals(estimate_and_bounds(score), (threshold,), scale=_largest_magnitude(score))
        yield Reason(
            status=status,
            message=f"{name} {score.value:.{digits}f} ({score.rows:,} rows, {ci_label(evaluation.confidence)} "
            f"{interval_text(score, f'.{digits}f')}): {_describe_position(score, threshold, status)}"
            f"{more_rows_text(score, threshold) if status is Status.UNDECIDED else ''}",
        )


def _missing_columns(evaluation: Evaluation) -> Iterator[Reason]:
    models = {
        f"version {evaluation.candidate}": evaluation.candidate_without,
        f"champion version {evaluation.champion}": evaluation.champion_without,
    }
    for model, columns in models.items():
        if columns:
            message = f"{model} was scored without values of {listed(columns)}, which the data no longer has"
            yield Reason(status=Status.INFO, message=message)


def _unseen_and_absent_classes(evaluation: Evaluation) -> Iterator[Reason]:
    """How classes that only the models or only the rows have were treated. These reasons do not change the verdict."""
    rows = min((result.candidate.rows for result in evaluation.metrics), default=0)
    models = {
        f"version {evaluation.candidate}": evaluation.unseen_classes,
        f"champion version {evaluation.champion}": evaluation.champion_unseen_classes,
    }
    for model, classes in models.items():
        if classes:
            counts = ", ".join(f"{found.name}: {found.rows:,}" for found in classes[:_SHOWN_CLASSES])
            more = f" and {len(classes) - _SHOWN_CLASSES} more" if len(classes) > _SHOWN_CLASSES else ""
            yield Reason(
                status=Status.INFO,
                message=f"{model} was not trained on the class of {sum(found.rows for found in classes):,} of {rows:,} evaluation rows "
                f"({counts}{more}): these rows count as errors, with a probability of 0 for their class",
            )
    if evaluation.absent_classes:
        yield Reason(
            status=Status.INFO,
            message=f"no evaluation row has the class {listed(evaluation.absent_classes)}, so it is not known how well it is predicted",
        )


def _almost_perfect(evaluation: Evaluation) -> Iterator[Reason]:
    """A warning that does not change the verdict: real problems are rarely solved this well, and a column may give the label away."""
    alone = "; ".join(column.describe() for column in evaluation.alone[:_MAX_SUSPICIOUS_COLUMNS])
    where = f": {alone}" if alone else "; see evaluation/permutation_importance in the MLflow run"
    for result in evaluation.metrics:
        if is_almost_perfect(result):
            value = f"{result.candidate.value:.{decimals((result.candidate.value,), (1.0,), least=3)}f}"
            yield Reason(
                status=Status.INFO,
                message=f"{result.metric} {value} is almost perfect: check that no column gives the label away{where}",
            )


def _against_champion(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    rule = gate.against_champion
    if rule is None:
        return
    if evaluation.champion is None:
        yield Reason(status=Status.NOT_APPLICABLE, message="no champion: the model only has to meet the thresholds")
        return
    result, direction = _metric_result(evaluation, rule.metric), gate.facts(rule.metric).direction
    if result.champion is None or result.difference is None:
        yield reason_to_fail(f"the evaluation names champion version {evaluation.champion} but contains no comparison with it")
        return
    improvement = as_improvement(result.difference, direction)
    size = max(_largest_magnitude(result.candidate), _largest_magnitude(result.champion))
    digits = decimals(
        (*estimate_and_bounds(improvement), *estimate_and_bounds(result.candidate), *estimate_and_bounds(result.champion)),
        scale=size,
    )
    signed = f"+.{decimals(estimate_and_bounds(improvement), (rule.min_improvement,), least=digits)}f"
    required = number_text(rule.min_improvement)
    status = _compare_with_bound(improvement, rule.min_improvement, 1)
    yield Reason(
        status=status,
        message=(
            f"{rule.metric} {result.candidate.value:.{digits}f}, champion (version {evaluation.champion}) "
            f"{result.champion.value:.{digits}f}: improvement {improvement.value:{signed}} ({ci_label(evaluation.confidence)} "
            f"{interval_text(improvement, signed)}); required: at least {required if required[0] == '-' else f'+{required}'}"
            f"{more_rows_text(improvement, rule.min_improvement) if status is Status.UNDECIDED else ''}"
        ),
    )


def _compare_with_bound(interval: Interval, bound: float, direction: int) -> Status:
    low, high = sorted((direction * interval.low, direction * interval.high))
    if low >= direction * bound:
        return Status.PASS
    return Status.FAIL if high < direction * bound else Status.UNDECIDED


def _metric_result(evaluation: Evaluation, name: str) -> MetricResult:
    for result in evaluation.metrics:
        if result.metric == name:
            return result
    raise KeyError(f"the evaluation has no metric {name}; it has {[r.metric for r in evaluation.metrics]}")


def _describe_position(interval: Interval, bound: float, status: Status) -> str:
    """Where an interval lies: `above the threshold 0.6`."""
    threshold = f"the threshold {number_text(bound)}"
    if math.isnan(interval.value):
        return "not a number on these rows, so nothing can be decided"
    if math.isnan(interval.low):
        return "its interval is not known, because the metric is not a number on some bootstrap samples"
    if status is Status.UNDECIDED:
        return f"the interval includes {threshold}"
    if interval.low >= bound:
        return f"above {threshold}" if interval.low > bound else f"at or above {threshold}"
    return f"below {threshold}" if interval.high < bound else f"at or below {threshold}"


def _largest_magnitude(interval: Interval) -> float:
    return max(map(abs, estimate_and_bounds(interval)))
