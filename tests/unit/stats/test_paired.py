"""Exact bounds on the difference of two shares on the same rows: brute force over all outcomes, and the plan of their error."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial

from helping import examples
from taxiway.stats.bounds import bennett_rows, hoeffding_log_error
from taxiway.stats.paired import log_error_of_difference, lower_limit_of_difference
from taxiway.stats.search import smallest

ROWS = 24
limit = functools.cache(lower_limit_of_difference)


@pytest.mark.parametrize("error", [0.2, 0.01])
@pytest.mark.parametrize("differing", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("difference", [-1.0, -0.3, 0.0, 0.3, 0.9])
def test_limits_are_wrong_no_more_often_than_promised(error: float, differing: float, difference: float) -> None:
    """The probability of all outcomes whose limit is above the true difference, which is a part of the differing rows."""
    true = difference * differing
    law = multinomial(ROWS, [(differing + true) / 2, (differing - true) / 2, 1 - differing])
    wrong = sum(
        law.pmf([wins, losses, ROWS - wins - losses])
        for wins in range(ROWS + 1)
        for losses in range(ROWS + 1 - wins)
        if limit(wins, losses, ROWS, math.log(error)) > true + 1e-9
    )
    assert wrong <= error


def test_at_a_difference_of_zero_it_is_mcnemar_s_exact_test() -> None:
    for wins, losses in ((75, 25), (60, 40), (10, 0), (8, 3)):
        p_value = binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue
        for factor, above in ((1.02, True), (0.98, False)):
            level = math.log(p_value * factor / 0.9)  # the limit of the disagreement has a tenth
            assert (lower_limit_of_difference(wins, losses, 1_000, level) >= 0) is above


@examples(60)
@given(data=st.data(), rows=st.integers(1, 400), log_error=st.floats(-20, -1))
def test_limits_enclose_the_estimate_and_follow_the_counts(data: st.DataObject, rows: int, log_error: float) -> None:
    wins = data.draw(st.integers(0, rows))
    losses = data.draw(st.integers(0, rows - wins))
    low = lower_limit_of_difference(wins, losses, rows, log_error)
    high = -lower_limit_of_difference(losses, wins, rows, log_error)
    assert -1 <= low <= (wins - losses) / rows <= high <= 1
    assert lower_limit_of_difference(wins, losses, rows, log_error - 1) <= low + 1e-12
    if losses:
        assert lower_limit_of_difference(wins + 1, losses - 1, rows, log_error) >= low - 1e-12


@examples(60)
@given(
    rows=st.integers(20, 3_000),
    tolerance=st.floats(0.01, 0.2),
    bound=st.sampled_from([0.0]) | st.floats(-0.1, 0.1),
    differing=st.floats(0.05, 1),
)
def test_an_estimate_beyond_the_tolerance_is_decided_at_the_planned_error(
    rows: int, tolerance: float, bound: float, differing: float
) -> None:
    count = math.floor(differing * rows)
    if count == 0:
        return
    error = log_error_of_difference(rows, tolerance, bound, count / rows)
    wins = math.ceil((count + rows * (bound + tolerance)) / 2)
    losses = count - wins
    if losses >= 0 and error < 0:
        assert lower_limit_of_difference(wins, losses, rows, error) >= bound - 1e-9
    wins = math.floor((count + rows * (bound - tolerance)) / 2)
    if wins >= 0 and count - wins >= 0 and error < 0:
        assert -lower_limit_of_difference(count - wins, wins, rows, error) <= bound + 1e-9


@examples(60)
@given(rows=st.integers(20, 50_000), tolerance=st.floats(0.01, 0.2), bound=st.floats(-0.1, 0.1), differing=st.floats(0.2, 1))
def test_errors_fall_with_rows_and_tolerance_and_grow_with_the_disagreement(
    rows: int, tolerance: float, bound: float, differing: float
) -> None:
    found = log_error_of_difference(rows, tolerance, bound, differing)
    assert log_error_of_difference(rows, tolerance * 1.05, bound, differing) <= found + 1e-9
    assert log_error_of_difference(rows * 1.05, tolerance, bound, differing) <= found + 1e-9
    if found < -2:  # as in all plans
        at = bound if differing < 0.75 else 0.0  # a share near 1 is known so well that errors fall again
        more = log_error_of_difference(rows, tolerance, at, min(1.0, differing * 1.05))
        assert more >= log_error_of_difference(rows, tolerance, at, differing) - 1e-9
    assert (
        log_error_of_difference(rows, tolerance, 0.0, 1.0) <= hoeffding_log_error(rows, tolerance, 2.0) - math.log(0.9) + 1e-9
    )


def test_fewer_rows_are_needed_than_by_bennett() -> None:
    error = math.log(1e-4 / 32)
    rows = smallest(lambda count: log_error_of_difference(count, 0.01, 0.0, 0.1) <= error, most=10**6)
    assert rows is not None and rows < 0.8 * bennett_rows(0.01, error, 0.1)


def test_rows_of_which_none_differ() -> None:
    assert lower_limit_of_difference(0, 0, 1_000, math.log(0.01)) == pytest.approx(-(1 - 0.001 ** (1 / 1_000)))
    assert np.isclose(binom.cdf(0, 1_000, 1 - 0.001 ** (1 / 1_000)), 0.001)
