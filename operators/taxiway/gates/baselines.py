"""The model gate's reason about the comparison with simple models, which does not change the verdict."""

from collections.abc import Iterator

from taxiway.gates.wording import as_improvement, decimals, ends, interval_text, level
from taxiway.records import Baseline, Evaluation, Interval, Reason, Status
from taxiway.spec.metrics import MetricFacts

_NAMES = {
    ("dummy", "classification"): "guessing by the shares of the classes",
    ("dummy", "regression"): "predicting the mean",
    ("linear", "classification"): "logistic regression",
    ("linear", "regression"): "ridge regression",
}


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
        values = [value for interval in (result.candidate, *(one.score for one in baselines)) for value in ends(interval)]
        digits = decimals(values, scale=max(map(abs, values)))
        scores = ", ".join(f"{_NAMES[one.name, facts.problem]} {one.score.value:.{digits}f}" for one in baselines)
        linear = "".join(_about_linear(one, evaluation, facts) for one in baselines if one.name == "linear")
        message = f"{result.metric} {result.candidate.value:.{digits}f}; {scores}{linear}"
        yield Reason(status=Status.NOT_APPLICABLE, message=message)


def _about_linear(linear: Baseline, evaluation: Evaluation, facts: MetricFacts) -> str:
    improvement = as_improvement(linear.difference, facts.sign)
    digits = decimals(ends(improvement), (0.0,), scale=max(map(abs, ends(linear.score))))
    found = f"{level(evaluation.confidence)} of the improvement {interval_text(improvement, f'+.{digits}f')}"
    name = _NAMES["linear", facts.problem]
    return f"; {_finding(improvement, name)} ({found})"


def _finding(improvement: Interval, name: str) -> str:
    if improvement.low > 0:
        return f"better than {name}"
    return f"worse than {name}" if improvement.high < 0 else f"{name} is as good within the noise"
