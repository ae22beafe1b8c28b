"""The model gate's reasons about single metrics: the thresholds, and the comparison with the champion."""

import math
from collections.abc import Iterator

from taxiway.gates.labels import labelling_hint
from taxiway.gates.more_rows import more_rows_needed, more_rows_text
from taxiway.gates.noise import noise_text
from taxiway.gates.wording import (
    as_improvement,
    bootstrap_method,
    ci_label,
    decimals,
    estimate_and_bounds,
    fail_reason,
    interval_text,
    known,
    rule_text,
)
from taxiway.messages import number_text
from taxiway.records import Evaluation, Interval, MetricResult, Reason, ReasonCode, Status
from taxiway.spec.gate import Gate


def threshold_reasons(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    """One reason for each metric of `gate.thresholds`."""
    for name, threshold in sorted(gate.thresholds.items()):
        result = _metric_result(evaluation, name)
        score = result.candidate
        direction = gate.facts(name).direction
        status = _compare_with_bound(score, threshold, direction)
        digits = decimals(estimate_and_bounds(score), (threshold,), scale=_largest_magnitude(score))
        yield Reason(
            status=status,
            code=ReasonCode.METRIC_THRESHOLD,
            message=f"{name} {score.value:.{digits}f} ({_rows_text(result, evaluation)}, {ci_label(evaluation.confidence)} "
            f"{interval_text(score, f'.{digits}f')}): {_describe_position(score, threshold, status)}"
            f"{_more_rows_text(evaluation, score, threshold) if status is Status.UNDECIDED else ''}",
            rule=rule_text(f"thresholds.{name}", direction, threshold),
            estimate=known(score),
            limit=threshold,
            method=bootstrap_method(evaluation),
        )


def _rows_text(result: MetricResult, evaluation: Evaluation) -> str:
    """`2,000 rows`, or `2,000 rows, of which 10 decide`."""
    rows = f"{result.candidate.rows:,} rows"
    if result.deciding_rows is None:
        return rows
    unit = "" if evaluation.groups is None else " groups"
    return f"{rows}, of which {result.deciding_rows:,}{unit} decide"


def comparison_reasons(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    """The reason about `gate.against_champion`; nothing without it."""
    rule = gate.against_champion
    if rule is None:
        return
    required = rule_text(f"against_champion.min_improvement: improvement of {rule.metric}", 1, rule.min_improvement)
    if evaluation.champion is None:
        message = "no champion: the model only has to meet the thresholds"
        yield Reason(status=Status.NOT_APPLICABLE, code=ReasonCode.METRIC_AGAINST_CHAMPION, message=message, rule=required)
        return
    result, direction = _metric_result(evaluation, rule.metric), gate.facts(rule.metric).direction
    if result.champion is None or result.difference is None:
        message = f"the evaluation names champion version {evaluation.champion} but contains no comparison with it"
        yield fail_reason(ReasonCode.EVALUATION_MISMATCH, message)
        return
    improvement = as_improvement(result.difference, direction)
    yield Reason(
        status=_compare_with_bound(improvement, rule.min_improvement, 1),
        code=ReasonCode.METRIC_AGAINST_CHAMPION,
        message=_improvement_text(evaluation, result, result.champion, improvement, rule.min_improvement),
        rule=required,
        estimate=known(improvement),
        limit=rule.min_improvement,
        method=bootstrap_method(evaluation, paired=True),
    )


def _improvement_text(
    evaluation: Evaluation, result: MetricResult, champion: Interval, improvement: Interval, required: float
) -> str:
    size = max(_largest_magnitude(result.candidate), _largest_magnitude(champion))
    values = (*estimate_and_bounds(improvement), *estimate_and_bounds(result.candidate), *estimate_and_bounds(champion))
    digits = decimals(values, scale=size)
    signed = f"+.{decimals(estimate_and_bounds(improvement), (required, 0.0), least=digits)}f"
    text = number_text(required)
    undecided = _compare_with_bound(improvement, required, 1) is Status.UNDECIDED
    return (
        f"{result.metric} {result.candidate.value:.{digits}f}, champion (version {evaluation.champion}) "
        f"{champion.value:.{digits}f}: improvement {improvement.value:{signed}} ({ci_label(evaluation.confidence)} "
        f"{interval_text(improvement, signed)}){noise_text(improvement)}; required: at least {text if text[0] == '-' else f'+{text}'}"
        f"{_more_rows_text(evaluation, improvement, required) if undecided else ''}"
    )


def _more_rows_text(evaluation: Evaluation, interval: Interval, limit: float) -> str:
    """How many rows would decide a comparison, and that rows only lack a label."""
    more = more_rows_needed(interval, limit)
    return more_rows_text(interval, limit) + ("" if more is None else labelling_hint(evaluation, more))


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
