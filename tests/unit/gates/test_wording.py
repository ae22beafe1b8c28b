"""Numbers in the gate's reasons: never printed equal to a bound that they miss, and never without digits that matter."""

import pytest
from gates.test_model_gate import CANDIDATE, GATE, REPORT, evaluation, interval, judge, slice_of
from hypothesis import given
from hypothesis import strategies as st

from taxiway.gates.wording import decimals
from taxiway.records import MetricResult
from taxiway.spec.gate import Gate


@pytest.mark.parametrize(
    ("auc", "message"),
    [
        ((0.5001, 0.5999), "roc_auc 0.5500 (1,000 rows, 99% CI 0.5001 to 0.5999): below the threshold 0.6"),
        (
            (0.5, 0.6),
            "roc_auc 0.550 (1,000 rows, 99% CI 0.500 to 0.600): the interval includes the threshold 0.6; about 1 more row would decide it "
            "if the estimate stays the same",
        ),
        ((0.60001, 0.69999), "roc_auc 0.65000 (1,000 rows, 99% CI 0.60001 to 0.69999): above the threshold 0.6"),
        ((0.6, 0.7), "roc_auc 0.650 (1,000 rows, 99% CI 0.600 to 0.700): at or above the threshold 0.6"),
    ],
)
def test_a_score_never_looks_like_the_threshold_that_it_misses(auc: tuple[float, float], message: str) -> None:
    assert message in [r.message for r in judge(CANDIDATE, REPORT, evaluation(auc=auc), GATE).reasons]


def test_an_improvement_and_a_drop_never_look_like_what_is_required() -> None:
    slices = (slice_of(-0.2, -0.05001),)
    messages = [r.message for r in judge(CANDIDATE, REPORT, evaluation(gain=(-0.0051, 0.01), slices=slices), GATE).reasons]
    improvement = "(99% CI -0.0051 to +0.0100), the same within noise: a difference of 0.0076 or more could have been shown; required: at least "
    assert any(f"{improvement}-0.005;" in message for message in messages)
    assert any("99.9% CI of the difference -0.20000 to -0.05001; allowed drop: 0.05" in message for message in messages)


def test_small_numbers_keep_three_digits_and_a_confidence_below_one_is_below_100_percent() -> None:
    gate = Gate.model_validate(
        {"thresholds": {"rmse": 0.0005}, "against_champion": {"metric": "rmse", "min_improvement": 0.000001}}
    )
    result = MetricResult(
        metric="rmse",
        candidate=interval(0.00031, 0.00033),
        champion=interval(0.00035, 0.00037),
        difference=interval(-0.00005, -0.00003),
    )
    small = evaluation().model_copy(update={"metrics": (result,), "confidence": 0.999999})
    messages = [r.message for r in judge(CANDIDATE, REPORT, small, gate).reasons]
    assert "rmse 0.000320 (1,000 rows, 99.9999% CI 0.000310 to 0.000330): below the threshold 0.0005" in messages
    assert (
        "rmse 0.000320, champion (version 1) 0.000360: improvement +0.000040 (99.9999% CI +0.000030 to +0.000050); "
        "required: at least +1e-06"
    ) in messages


@given(st.floats(-10, 10), st.floats(-10, 10), st.integers(1, 4))
def test_a_printed_number_is_on_its_side_of_a_bound(value: float, bound: float, least: int) -> None:
    value, bound = round(value, 12), round(bound, 4)
    shown = float(f"{value:.{decimals((value,), (bound,), least=least)}f}")
    assert (shown > bound, shown < bound) == (value > bound, value < bound)
