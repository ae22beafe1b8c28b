"""Watching a metric over spans: each strategy by numbers, and none by a value that is its own yardstick."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.data.schema.watch import MetricMonitor
from taxiway.data.validation.checks.metric_history import limits


def watch(strategy: str, **limit: float) -> MetricMonitor:
    return MetricMonitor.model_validate({"metric": "rows", "strategy": strategy, **limit})


@pytest.mark.parametrize(
    ("made", "past", "expected"),
    [
        (watch("bounds", min=3), [], (3, math.inf)),
        (watch("bounds", min=3, max=5), [9, 9], (3, 5)),
        (watch("change", max_decrease=2, max_increase=5), [1, 10], (8, 15)),
        (watch("change", max_increase=5), [10], (-math.inf, 15)),
        (watch("change", max_increase=5), [], None),
        (watch("ratio", min_ratio=0.5, max_ratio=2), [10], (5, 20)),
        (watch("ratio", min_ratio=0.5, max_ratio=2), [-10], (-20, -5)),
        (watch("ratio", min_ratio=0.5), [0], None),
        (watch("normal"), [1, 2, 3, 4], None),
    ],
)
def test_limits_are_what_the_strategy_says(
    made: MetricMonitor, past: list[float], expected: tuple[float, float] | None
) -> None:
    assert limits(made, past) == expected


@pytest.mark.parametrize("value", [0.0, 0.1, 2.0, 123.456, -7e9])
def test_the_same_value_again_is_inside(value: float) -> None:
    low, high = limits(watch("normal"), [value] * 6) or (1, 0)
    assert low <= value <= high
    assert not low <= value + 1 + abs(value) <= high


def test_the_normal_strategy_is_the_prediction_interval() -> None:
    # Student's t of 0.99865 with four degrees of freedom is 6.620; the sample deviation of 1 to 5 is 1.5811.
    low, high = limits(watch("normal"), [1, 2, 3, 4, 5]) or (0, 0)
    assert (low + high) / 2 == pytest.approx(3)
    assert high - 3 == pytest.approx(6.620 * 1.5811 * math.sqrt(1.2), rel=1e-3)


def test_normal_values_are_outside_as_rarely_as_is_said() -> None:
    rng = np.random.default_rng(2)
    made = watch("normal", deviations=2)
    outside = 0
    for _ in range(4000):
        *past, now = rng.normal(10, 3, 7)
        low, high = limits(made, past) or (0, 0)
        outside += not low <= now <= high
    assert outside / 4000 == pytest.approx(0.0455, abs=0.012)


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=30))
def test_an_outlier_far_away_is_found_in_any_history(past: list[float]) -> None:
    low, high = limits(watch("normal"), past) or (0, 0)
    assert not low <= 1e9 <= high


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"metric": "mean", "strategy": "normal"}, "metric rows without a column"),
        ({"metric": "rows", "column": "x", "strategy": "normal"}, "metric rows without a column"),
        ({"metric": "rows", "strategy": "bounds"}, "needs at least one of min, max"),
        ({"metric": "rows", "strategy": "bounds", "max_ratio": 2}, "max_ratio does not apply to strategy bounds"),
        ({"metric": "rows", "strategy": "ratio", "min_ratio": -1}, "greater than or equal to 0"),
        ({"metric": "rows", "strategy": "normal", "min_spans": 2}, "greater than or equal to 3"),
    ],
)
def test_a_watch_that_cannot_be_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MetricMonitor.model_validate(wrong)
