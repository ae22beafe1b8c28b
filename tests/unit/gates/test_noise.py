"""Differences that the rows cannot tell from zero are called the same, with the smallest difference that could have been shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.gates.noise import half_width, noise_text, size_text
from taxiway.records import Interval


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((0.003, -0.005, 0.011), ", the same within noise: a difference of 0.0080 or more could have been shown"),
        ((0.01, 0.0, 0.013), ", the same within noise: a difference of 0.010 or more could have been shown"),
        ((12.0, -130.0, 154.0), ", the same within noise: a difference of 142 or more could have been shown"),
        ((0.0, 0.0, 0.0), ", the same within noise"),
        ((0.02, 0.001, 0.039), ""),
        ((-0.02, -0.039, -0.001), ""),
        ((0.0, float("nan"), float("nan")), ""),
    ],
)
def test_only_an_interval_with_zero_in_it_is_the_same_within_noise(ends: tuple[float, float, float], text: str) -> None:
    value, low, high = ends
    assert noise_text(Interval(value=value, low=low, high=high, rows=9)) == text


@examples(60)
@given(st.just(0.0) | st.floats(-1, 1), st.floats(5e-324, 1))
def test_an_estimate_as_far_from_zero_as_said_would_have_been_told_from_it(value: float, half: float) -> None:
    interval = Interval(value=value, low=value - half, high=value + half, rows=9)
    found = half_width(interval)
    assert found is not None
    assert float(size_text(found)) >= found * (1 - 1e-6), "the number must not promise more than the rows can show"
    assert float(size_text(found)) <= found * 1.1 + 1e-9
