"""The pictures of intervals: every number is where it belongs, also if the limit is far away or the numbers are large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.gates.wording import rule_text
from taxiway.records import Interval, Reason, ReasonCode, Status
from taxiway.report.drawing import WIDTH, drawn

NUMBERS = st.floats(-1e12, 1e12)


def reason(
    value: float, half: float, limit: float | None, *, direction: int = 1, code: ReasonCode = ReasonCode.METRIC_THRESHOLD
) -> Reason:
    return Reason(
        status=Status.PASS,
        code=code,
        message="m",
        rule=None if limit is None else rule_text("thresholds.x", direction, limit),
        estimate=Interval(value=value, low=value - half, high=value + half, rows=9),
        limit=limit,
    )


@examples(100)
@given(NUMBERS, st.floats(0, 1e12), st.one_of(st.none(), NUMBERS), st.sampled_from([1, -1]), st.booleans())
def test_numbers_are_within_the_picture_and_in_their_order(
    value: float, half: float, limit: float | None, direction: int, is_difference: bool
) -> None:
    code = ReasonCode.METRIC_AGAINST_CHAMPION if is_difference else ReasonCode.METRIC_THRESHOLD
    found = drawn(reason(value, half, limit, direction=direction, code=code))
    assert found is not None
    assert 0 <= found.low.x <= found.value.x <= found.high.x <= WIDTH
    if limit is None:
        assert (found.limit, found.allowed) == (None, None)
        return
    assert found.limit is not None
    assert found.allowed is not None
    left, right = found.allowed
    assert (left, right) == ((found.limit, WIDTH) if direction > 0 else (0, found.limit))
    if direction * (value - half) > direction * limit and direction * (value + half) > direction * limit:
        assert left <= found.low.x <= found.high.x <= right


@pytest.mark.parametrize(
    ("rule", "text", "side"),
    [
        ("thresholds.recall(class=a < b) >= 0.6", "at least 0.6", "right"),
        ("thresholds.brier <= 0.6", "at most 0.6", "left"),
        ("conditions: n - 1.1 * o > 0.6 +/- 0.01", "above 0.6", "right"),
        ("conditions: d < 0.6 +/- 0.01", "below 0.6", "left"),
        ("something else", "limit 0.6", None),
        (None, "limit 0.6", None),
    ],
)
def test_the_side_on_which_a_requirement_is_met_is_that_of_its_rule(rule: str | None, text: str, side: str | None) -> None:
    found = drawn(reason(0.5, 0.2, 0.6).model_copy(update={"rule": rule}))
    assert found is not None
    assert found.limit_text == text
    assert found.allowed == {"right": (found.limit, WIDTH), "left": (0, found.limit), None: None}[side]


def test_a_limit_without_end_is_not_drawn() -> None:
    found = drawn(reason(0.5, 0.2, float("inf"), direction=-1))
    assert found is not None
    assert found.limit is None


def test_zero_is_drawn_for_differences_only() -> None:
    score, difference = (
        drawn(reason(0.5, 0.2, 0.4, code=code)) for code in (ReasonCode.METRIC_THRESHOLD, ReasonCode.SLICE_DROP)
    )
    assert score is not None
    assert difference is not None
    assert score.zero is None
    assert difference.zero is not None
    assert difference.zero < difference.low.x
