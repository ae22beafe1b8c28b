"""Bounds on means: the numbers of the literature, and coverage on simulated rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.stats.bounds import (
    bennett_log_error,
    bennett_rows,
    bennett_tolerance,
    effective_groups,
    empirical_bernstein_tolerance,
    hoeffding_log_error,
    hoeffding_rows,
    hoeffding_tolerance,
)
from taxiway.stats.multiplicity import log_models

TOLERANCES = st.floats(0.001, 0.5)
LOG_ERRORS = st.floats(-200, -1)
RUNS = 4_000


def allowed(error: float) -> int:
    """How many of RUNS may be wrong, at an error and six standard deviations of chance."""
    return math.floor(RUNS * error + 6 * math.sqrt(RUNS * error))


@pytest.mark.parametrize(
    ("confidence", "tolerance", "one", "one_full", "two", "two_full"),
    [
        (0.99, 0.1, 404, 1340, 1753, 5496),
        (0.99, 0.05, 1615, 5358, 7012, 21984),
        (0.99, 0.025, 6457, 21429, 28045, 87933),
        (0.99, 0.01, 40355, 133930, 175282, 549581),
        (0.999, 0.1, 519, 1455, 2214, 5957),
        (0.999, 0.05, 2075, 5818, 8854, 23826),
        (0.999, 0.025, 8299, 23271, 35414, 95302),
        (0.999, 0.01, 51868, 145443, 221333, 595633),
        (0.9999, 0.1, 634, 1570, 2674, 6417),
        (0.9999, 0.05, 2536, 6279, 10696, 25668),
        (0.9999, 0.025, 10141, 25113, 42782, 102670),
        (0.9999, 0.01, 63381, 156956, 267385, 641684),
        (0.99999, 0.1, 749, 1685, 3135, 6878),
        (0.99999, 0.05, 2996, 6739, 12538, 27510),
        (0.99999, 0.025, 11983, 26955, 50150, 110038),
        (0.99999, 0.01, 74894, 168469, 313437, 687736),
    ],
)
def test_rows_are_those_of_the_paper_s_table(
    confidence: float, tolerance: float, one: int, one_full: int, two: int, two_full: int
) -> None:
    error = math.log1p(-confidence)
    independent, adaptive = log_models(32, 1), log_models(32, 32)
    halved = math.log(2)  # two variables have half of the tolerance and of the error each
    assert hoeffding_rows(tolerance, error - independent) == one
    assert hoeffding_rows(tolerance, error - adaptive) == one_full
    assert hoeffding_rows(tolerance / 2, error - independent - halved) == two
    assert hoeffding_rows(tolerance / 2, error - adaptive - halved) == two_full


def test_rows_are_those_of_the_paper_s_text() -> None:
    error = math.log(1e-4)
    assert hoeffding_rows(0.01, error) == 46_052  # one model
    assert hoeffding_rows(0.02, math.log(0.002) - math.log(2) - log_models(7, 1), 2.0) == 44_269  # SemEval
    assert hoeffding_rows(0.02, math.log(0.002) - math.log(2) - log_models(7, 7), 2.0) == 58_799
    assert bennett_rows(0.01, error - math.log(4) - log_models(32, 1), 0.1) == 29_048
    assert bennett_rows(0.01, error - math.log(4) - log_models(32, 32), 0.1) == 67_706
    assert 0.1 * bennett_rows(0.01, error - math.log(4), 0.1) == pytest.approx(2_189, abs=0.5)  # labels for each commit
    assert bennett_rows(0.02, math.log(0.001) - log_models(7, 7), 0.1) == 6_260
    assert bennett_rows(0.022, math.log(0.001) - log_models(7, 7), 0.1) == 5_204
    assert bennett_rows(0.02, math.log(0.001) - log_models(7, 1), 0.1) == 4_713


@pytest.mark.parametrize(
    ("disagreement", "rows", "adaptive"),
    [(0.02, 6_499, 15_147), (0.05, 14_972, 34_896), (0.12, 34_675, 80_822), (0.2, 57_180, 133_277), (0.25, 71_244, 166_058)],
)
def test_rows_of_bennett_grow_with_the_disagreement(disagreement: float, rows: int, adaptive: int) -> None:
    """0.12 is the disagreement that may remain after a filter by d < 0.1 +/- 0.01 that only rejects above 0.11."""
    error = math.log(1e-4 / 4)
    assert bennett_rows(0.01, error - log_models(32, 1), disagreement) == rows
    assert bennett_rows(0.01, error - log_models(32, 32), disagreement) == adaptive


def test_bennett_is_worse_than_hoeffding_only_if_almost_all_rows_differ() -> None:
    assert bennett_rows(0.01, -10, 1.0) > hoeffding_rows(0.01, -10, 2.0) > bennett_rows(0.01, -10, 0.9)
    assert bennett_log_error(10, 0.1, 0.0) == -math.inf  # identical models


@examples(60)
@given(rows=st.integers(1, 10**6), log_error=LOG_ERRORS, share=st.floats(0.001, 1))
def test_tolerances_are_the_inverse_of_errors(rows: int, log_error: float, share: float) -> None:
    assert hoeffding_log_error(rows, hoeffding_tolerance(rows, log_error)) == pytest.approx(log_error)
    tolerance = bennett_tolerance(rows, log_error, share)
    assert tolerance == 2 or bennett_log_error(rows, tolerance, share) == pytest.approx(log_error)


@examples(60)
@given(tolerance=TOLERANCES, log_error=LOG_ERRORS, share=st.floats(0.01, 1))
def test_one_row_less_would_not_be_enough(tolerance: float, log_error: float, share: float) -> None:
    for rows, bound in (
        (hoeffding_rows(tolerance, log_error), lambda rows: hoeffding_log_error(rows, tolerance)),
        (bennett_rows(tolerance, log_error, share), lambda rows: bennett_log_error(rows, tolerance, share)),
    ):
        assert bound(rows) <= log_error * (1 - 1e-9)
        assert rows == 1 or bound(rows - 1) > log_error * (1 + 1e-9)


@pytest.mark.parametrize("disagreement", [0.02, 0.1, 0.5])
def test_bennett_covers_the_difference_of_two_models(disagreement: float) -> None:
    rng, rows, error = np.random.default_rng(1), 500, 0.01
    wins, losses = 0.6 * disagreement, 0.4 * disagreement
    drawn = rng.multinomial(rows, [wins, losses, 1 - disagreement], size=RUNS)
    means = (drawn[:, 0] - drawn[:, 1]) / rows
    tolerance = bennett_tolerance(rows, math.log(error), disagreement)
    assert (means - (wins - losses) > tolerance).sum() <= allowed(error)
    assert (wins - losses - means > tolerance).sum() <= allowed(error)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_empirical_bernstein_covers_and_is_tight_for_a_small_variance(share: float) -> None:
    rng, rows, error = np.random.default_rng(2), 1_000, 0.01
    counts = rng.binomial(rows, share, RUNS)
    means = counts / rows
    wrong = 0
    for mean in means:
        variance = mean * (1 - mean) * rows / (rows - 1)
        wrong += mean - share > empirical_bernstein_tolerance(rows, math.log(error), variance)
    assert wrong <= allowed(error)
    tolerance = empirical_bernstein_tolerance(rows, math.log(error), share * (1 - share))
    assert (tolerance < hoeffding_tolerance(rows, math.log(error))) is (share < 0.1)


def test_empirical_bernstein_of_one_row_says_nothing() -> None:
    assert empirical_bernstein_tolerance(1, -5, 0.0, 3.0) == 3


def test_groups_count_by_their_sizes() -> None:
    assert effective_groups([1] * 50) == 50
    assert effective_groups([10] * 50) == 50
    assert effective_groups([100, *[1] * 100]) == pytest.approx(
        200**2 / (100**2 + 100)
    )  # hardly 4: one group is half of the rows


def test_hoeffding_covers_the_mean_of_unequal_groups() -> None:
    rng, error = np.random.default_rng(3), 0.05
    sizes = np.array([1] * 60 + [5] * 12)
    groups = rng.random((RUNS, len(sizes))) < 0.3  # all rows of a group are alike
    means = groups @ sizes / sizes.sum()
    tolerance = hoeffding_tolerance(effective_groups(sizes.tolist()), math.log(error))
    assert (means - 0.3 > tolerance).sum() <= allowed(error)
