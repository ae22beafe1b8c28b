"""Exact bounds on shares: brute force over all counts, the known numbers, and inverses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from helping import examples
from taxiway.stats.binomial import log_error_anywhere, log_error_at, log_tail, lower_limit, upper_limit
from taxiway.stats.bounds import hoeffding_log_error, hoeffding_rows
from taxiway.stats.multiplicity import log_models
from taxiway.stats.search import boundary, smallest

ROWS = st.integers(1, 60)
SHARES = st.floats(0.01, 0.99)


@pytest.mark.parametrize(
    ("confidence", "tolerance", "passes", "rows"),
    [(0.99, 0.1, 1, 302), (0.9999, 0.05, 1, 2_060), (0.9999, 0.025, 1, 8_203), (0.9999, 0.05, 32, 5_704)],
)
def test_rows_for_any_share(confidence: float, tolerance: float, passes: int, rows: int) -> None:
    error = math.log1p(-confidence) - log_models(32, passes)
    found = smallest(lambda count: log_error_anywhere(count, tolerance) <= error, most=10**6)
    assert found == rows
    assert rows < hoeffding_rows(tolerance, error)


@examples(40)
@given(rows=ROWS, tolerance=st.floats(0.01, 0.6))
def test_the_error_for_any_share_is_the_largest_of_all(rows: int, tolerance: float) -> None:
    worst = -math.inf
    for count in range(rows + 1):
        share = count / rows - tolerance
        if share > 0:
            # P(X >= count) just below the share at which the count stops to be too large an estimate.
            worst = max(worst, float(binom.logsf(count - 1, rows, share)))
    assert log_error_anywhere(rows, tolerance) == pytest.approx(worst, abs=1e-6)


@examples(60)
@given(rows=ROWS, tolerance=st.floats(0.01, 0.6), threshold=SHARES)
def test_the_error_at_a_threshold_bounds_both_wrong_answers(rows: int, tolerance: float, threshold: float) -> None:
    above = sum(binom.pmf(k, rows, threshold) for k in range(rows + 1) if k / rows - threshold > tolerance + 1e-12)
    below = sum(binom.pmf(k, rows, threshold) for k in range(rows + 1) if threshold - k / rows > tolerance + 1e-12)
    found = math.exp(log_error_at(rows, tolerance, threshold))
    assert max(above, below) <= found + 1e-12
    assert found <= math.exp(hoeffding_log_error(rows, tolerance)) + 1e-12


@examples(40)
@given(rows=st.integers(1, 5_000), tolerance=st.floats(0.01, 0.4), threshold=SHARES)
def test_errors_fall_with_rows_and_tolerance(rows: int, tolerance: float, threshold: float) -> None:
    for error in (lambda n, e: log_error_at(n, e, threshold), log_error_anywhere):
        assert error(rows, tolerance * 1.1) <= error(rows, tolerance) + 1e-9
    assert log_error_at(rows + 1, tolerance, threshold) <= log_error_at(rows, tolerance, threshold) + 1e-9


@examples(40)
@given(data=st.data(), rows=ROWS, log_error=st.floats(-12, -1))
def test_confidence_limits_are_those_of_clopper_and_pearson(data: st.DataObject, rows: int, log_error: float) -> None:
    count = data.draw(st.integers(0, rows))
    low, high = lower_limit(count, rows, log_error), upper_limit(count, rows, log_error)
    assert low <= count / rows <= high
    assert low == 0 if count == 0 else binom.logsf(count - 1, rows, low) == pytest.approx(log_error, abs=1e-6)
    assert high == 1 if count == rows else binom.logcdf(count, rows, high) == pytest.approx(log_error, abs=1e-6)


@examples(40)
@given(rows=st.integers(1, 2_000), tolerance=st.floats(0.02, 0.5))
def test_a_limit_is_no_further_away_than_the_planned_tolerance(rows: int, tolerance: float) -> None:
    error = log_error_anywhere(rows, tolerance)
    for count in {0, 1, rows // 3, rows // 2, rows}:
        assert count / rows - lower_limit(count, rows, error) <= tolerance + 1e-9


def test_tails_too_small_for_a_number_are_bounded() -> None:
    tail = float(log_tail(1_000_000, 0.1, 200_000))
    assert -1e6 < tail < -30_000
    assert lower_limit(1_000, 2_000, -800) == pytest.approx(boundary(lambda p: bool(log_tail(2_000, p, 1_000) <= -800), 0.5, 0))
    assert float(log_tail(10, 0.0, 3)) < -600
    assert np.isneginf(log_tail(10, 0.5, 11))
    assert float(log_tail(10, 0.5, 0)) == 0
