"""The verdict's reason about the dummy and the linear baseline, which does not change its status."""

import pytest
from gates.test_model_gate import CANDIDATE, GATE, REPORT, evaluation, judge

from taxiway.records import Baseline, Evaluation, Interval, MetricResult, Reason, Status
from taxiway.spec.gate import Gate


def interval(value: float, margin: float) -> Interval:
    return Interval(value=value, low=value - margin, high=value + margin, rows=1000)


def with_linear(difference: float, margin: float = 0.01, metric: str = "roc_auc") -> Evaluation:
    score = 0.71 - difference
    common = {"metric": metric, "rows": 400}
    linear = Baseline(name="linear", score=interval(score, 0.01), difference=interval(difference, margin), **common)
    dummy = Baseline(name="dummy", score=interval(0.5, 0), difference=interval(0.21, 0.01), **common)
    result = MetricResult(metric=metric, candidate=interval(0.71, 0.01), champion=None, difference=None)
    return evaluation(gain=None).model_copy(update={"metrics": (result,), "baselines": (linear, dummy)})


def said(found: Evaluation, gate: Gate = GATE) -> Reason:
    (reason,) = [one for one in judge(CANDIDATE, REPORT, found, gate).reasons if "linear model" in one.message]
    return reason


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (0.09, "0.620 of the linear model and 0.500 of the dummy model; better than the linear model "
               "(99% CI of the improvement +0.080 to +0.100)"),
        (0.004, "; the linear model is as good within noise (99% CI of the improvement -0.006 to +0.014)"),
        (-0.05, "; worse than the linear model (99% CI of the improvement -0.060 to -0.040)"),
    ],
)  # fmt: skip
def test_it_is_said_whether_a_linear_model_would_do(difference: float, words: str) -> None:
    found = with_linear(difference)
    reason = said(found)
    assert reason.message.startswith("roc_auc 0.710 against 0.")
    assert reason.message.endswith(words)
    assert reason.status is Status.INFO
    assert judge(CANDIDATE, REPORT, found, GATE).status is Status.PASS


def test_if_lower_is_better_a_lower_value_is_an_improvement() -> None:
    gate = Gate.model_validate({"thresholds": {"mae": 1}, "against_champion": {"metric": "mae"}})
    message = said(with_linear(-0.09, metric="mae"), gate=gate).message
    assert "0.800 of the linear model and 0.500 of the dummy model; better than the linear model (99% CI" in message
    assert "+0.080 to +0.100" in message


def test_without_baselines_nothing_is_said() -> None:
    assert not [one for one in judge(CANDIDATE, REPORT, evaluation(), GATE).reasons if "linear model" in one.message]
