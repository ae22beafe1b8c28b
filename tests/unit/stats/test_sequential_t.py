"""The t-test that may be looked at after every value: it holds over all looks, and finds an effect about as soon as it can."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import nct, t

from helping import examples
from taxiway.stats.sequential_t import _PRIOR, log_t_evidence

ERROR = 0.05


def first(values: np.ndarray) -> int:
    """The number of values after which there is evidence; -1 if there never is."""
    looks = range(2, len(values) + 1)
    return next((count for count in looks if log_t_evidence(values[:count]) >= -math.log(ERROR)), -1)


@pytest.mark.parametrize("heavy", [False, True])
def test_no_effect_is_shown_no_more_often_than_promised(heavy: bool) -> None:
    runs, found = 600, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        found += first(rng.standard_t(4, 60) if heavy else rng.normal(size=60)) >= 0
    assert found <= runs * ERROR + 3 * math.sqrt(runs * ERROR)


@pytest.mark.parametrize(("effect", "most"), [(10.0, 4), (2.0, 7), (1.0, 15)])
def test_an_effect_is_shown_soon(effect: float, most: int) -> None:
    counts = [first(np.random.default_rng(seed).normal(effect, 1, 60)) for seed in range(60)]
    assert min(counts) > 0
    assert np.median(counts) <= most


@examples(20)
@given(mean=st.floats(0.1, 3), count=st.integers(2, 12), seed=st.integers(0, 1000))
def test_it_is_the_ratio_of_the_likelihoods_of_the_t_statistic(mean: float, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(mean, 1, count)
    if values.mean() <= 0:
        assert log_t_evidence(values) == 0
        return
    statistic = math.sqrt(count) * values.mean() / values.std(ddof=1)

    def weighted(effect: float) -> float:
        density = math.exp(-(effect**2) / (2 * _PRIOR)) / math.sqrt(2 * math.pi * _PRIOR)
        return float(nct.pdf(statistic, count - 1, effect * math.sqrt(count))) * density

    ratio = quad(weighted, -24, 24, limit=400, points=[0, values.mean()])[0] / t.pdf(statistic, count - 1)
    assert log_t_evidence(values) == pytest.approx(math.log(ratio), abs=0.01)


@examples(50)
@given(values=st.lists(st.floats(-5, 5), max_size=30), scale=st.floats(0.01, 100))
def test_the_unit_of_the_values_does_not_matter(values: list[float], scale: float) -> None:
    found = np.round(np.array(values), 3)
    assert log_t_evidence(found * scale) == pytest.approx(log_t_evidence(found), abs=1e-6)


def test_equal_values_and_too_few_are_defined() -> None:
    assert log_t_evidence(np.array([])) == log_t_evidence(np.array([1.0])) == log_t_evidence(np.zeros(9)) == 0
    assert log_t_evidence(np.full(3, 2.0)) < math.log(100) < log_t_evidence(np.full(4, 2.0)) < math.inf
