"""The model gate's reason about the comparison with simple models, which does not change the verdict."""

from collections.abc import Iterator

from taxiway.gates.wording import (
    as_improvement,
    bootstrap_method,
    ci_label,
    decimals,
    estimate_and_bounds,
    interval_text,
    known,
)
from taxiway.records import Baseline, Evaluation, Interval, Reason, ReasonCode, Status
from taxiway.spec.metrics import MetricFacts


def baseline_reasons(evaluation: Evaluation, facts: MetricFacts) -> Iterator[Reason]:
    """What the complexity of the candidate buys, in one reason; none if the evaluation has no baselines.

    Args:
        evaluation: The evaluation.
        facts: The facts about the comparison metric.
    """
    for result in evaluation.metrics:
        baselines = [baseline for baseline in evaluation.baselines if baseline.metric == result.metric]
        if not baselines:
            continue
        values = [
            value
            for interval in (result.candidate, *(one.score for one in baselines))
            for value in estimate_and_bounds(interval)
        ]
        digits = decimals(values, scale=max(map(abs, values)))
        scores = " and ".join(f"{one.score.value:.{digits}f} of the {one.name} model" for one in baselines)
        linear = [one for one in baselines if one.name == "linear"]
        about = "".join(_about_linear(one, evaluation, facts) for one in linear)
        yield Reason(
            status=Status.INFO,
            code=ReasonCode.BASELINE,
            message=f"{result.metric} {result.candidate.value:.{digits}f} against {scores}{about}",
            estimate=known(as_improvement(linear[0].difference, facts.direction)) if linear else None,
            method=bootstrap_method(evaluation, paired=True) if linear else None,
        )


def _about_linear(linear: Baseline, evaluation: Evaluation, facts: MetricFacts) -> str:
    improvement = as_improvement(linear.difference, facts.direction)
    digits = decimals(estimate_and_bounds(improvement), (0.0,), scale=max(map(abs, estimate_and_bounds(linear.score))))
    found = f"{ci_label(evaluation.confidence)} of the improvement {interval_text(improvement, f'+.{digits}f')}"
    return f"; {_finding(improvement)} ({found})"


def _finding(improvement: Interval) -> str:
    if improvement.low > 0:
        return "better than the linear model"
    return "worse than the linear model" if improvement.high < 0 else "the linear model is as good within noise"
