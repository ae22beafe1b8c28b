"""What is UNDECIDED says how many more rows would decide it, and so many do."""

import math

import numpy as np
import pytest
from gates.test_model_gate import CANDIDATE, GATE, REPORT, evaluation, judge
from hypothesis import assume, given
from hypothesis import strategies as st

from taxiway.gates.more_rows import more_rows_needed, more_rows_text
from taxiway.records import Interval, Status
from taxiway.stats.bootstrap import compare


def interval(value: float, half: float, rows: int) -> Interval:
    return Interval(value=value, low=value - half, high=value + half, rows=rows)


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.5), st.integers(5, 10_000), st.floats(0.05, 0.95))
def test_so_many_rows_move_the_interval_off_the_limit_and_fewer_do_not(value: float, half: float, rows: int, at: float) -> None:
    limit = value - at * half
    more = more_rows_needed(interval(value, half, rows), limit)
    assert more is not None

    def includes(count: int) -> bool:
        return half * math.sqrt(rows / count) > abs(value - limit) * (1 + 1e-9)

    assert not includes(rows + more)
    assume(more > 2)
    assert includes(rows + more - 2)


def test_the_bootstrap_agrees() -> None:
    rng = np.random.default_rng(3)
    right = (rng.random(400) < 0.66).astype(float)

    def accuracy(hits: np.ndarray, _: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.asarray((weights @ hits) / weights.sum(axis=1))

    few = compare(accuracy, right, right, None, 0.99).candidate
    limit = few.value - 0.4 * (few.value - few.low)
    more = more_rows_needed(few, limit)
    assert more is not None
    for share, decided in ((0.6, False), (1.4, True)):  # the standard error of 400 replicates varies by some percent
        times = math.ceil(share * (400 + more) / 400)
        many = np.tile(right, times)
        assert (compare(accuracy, many, many, None, 0.99).candidate.low >= limit) is decided


@pytest.mark.parametrize(
    ("found", "limit", "text"),
    [
        (interval(0.62, 0.04, 1000), 0.6, "; about 3,000 more rows would decide it if the estimate stays the same"),
        (interval(0.6, 0.04, 1000), 0.6, "; the estimate is too close to the limit for more rows to decide it"),
        (interval(0.6001, 0.04, 1000), 0.6, "; the estimate is too close to the limit for more rows to decide it"),
        (
            Interval(value=0.98, low=0.9, high=1.0, rows=50),
            0.95,
            "; about 310 more rows would decide it if the estimate stays the same",
        ),
        (Interval(value=0.5, low=math.nan, high=math.nan, rows=50), 0.6, ""),
        (Interval(value=0.5, low=0.4, high=math.inf, rows=50), 0.6, ""),
    ],
)
def test_the_number_is_rough_and_an_end_that_was_cut_off_does_not_count(found: Interval, limit: float, text: str) -> None:
    assert more_rows_text(found, limit) == text


def test_a_comparison_that_is_undecided_says_it_and_one_that_is_decided_does_not() -> None:
    def messages(gain: tuple[float, float], status: Status) -> list[str]:
        return [r.message for r in judge(CANDIDATE, REPORT, evaluation(gain=gain), GATE).reasons if r.status is status]

    assert any(
        message.endswith("more rows would decide it if the estimate stays the same")
        for message in messages((-0.02, 0.03), Status.UNDECIDED)
    )
    assert not any("would decide" in message for message in messages((0.01, 0.03), Status.PASS))
