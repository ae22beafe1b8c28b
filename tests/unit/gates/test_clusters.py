"""Intervals for rows in clusters: those of independent rows if each cluster is one row, and wide enough if its rows are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from taxiway.gates.shadow.clusters import clustered_mean, clustered_proportion

CONFIDENCE = 0.95
CLUSTERS = st.lists(
    st.integers(1, 6).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size))), min_size=2, max_size=30
)


@pytest.mark.parametrize(("hits", "rows"), [(0, 7), (3, 10), (20, 20), (990, 1000)])
def test_clusters_of_one_row_give_the_exact_binomial_interval(hits: int, rows: int) -> None:
    exact = binomtest(hits, rows).proportion_ci(CONFIDENCE, method="exact")
    found = clustered_proportion([1] * hits + [0] * (rows - hits), [1] * rows, CONFIDENCE)
    assert found == pytest.approx((exact.low, exact.high))


def test_clusters_of_one_row_give_students_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, 40)
    low, high = t.interval(CONFIDENCE, 39, values.mean(), values.std(ddof=1) / 40**0.5)
    assert clustered_mean(values.tolist(), [1] * 40, CONFIDENCE) == pytest.approx((values.mean(), low, high))


@given(CLUSTERS, st.integers(2, 50))
def test_a_row_that_is_repeated_within_its_request_proves_nothing_more(clusters: list[tuple[int, int]], times: int) -> None:
    hits, sizes = [list(column) for column in zip(*clusters, strict=True)]
    once = clustered_mean(hits, sizes, CONFIDENCE)
    often = clustered_mean([times * hit for hit in hits], [times * size for size in sizes], CONFIDENCE)
    assert often == pytest.approx(once)
    low, high = clustered_proportion([times * (hit > 0) for hit in hits], [times] * len(hits), CONFIDENCE)
    single = clustered_proportion([int(hit > 0) for hit in hits], [1] * len(hits), CONFIDENCE)
    assert high - low >= (single[1] - single[0]) * 0.9


@given(CLUSTERS)
def test_an_interval_holds_the_proportion_and_stays_between_0_and_1(clusters: list[tuple[int, int]]) -> None:
    hits, sizes = [list(column) for column in zip(*clusters, strict=True)]
    low, high = clustered_proportion(hits, sizes, CONFIDENCE)
    assert 0 <= low <= sum(hits) / sum(sizes) <= high <= 1


@pytest.mark.parametrize("clusters", [3, 10, 100])
@pytest.mark.parametrize("true", [0.8, 0.99])
@pytest.mark.parametrize("alike", [0.02, 0.3, 1.0])
def test_an_interval_holds_as_often_as_it_says_however_alike_the_rows_of_a_request_are(
    alike: float, true: float, clusters: int
) -> None:
    """Beta-binomial requests of 1 to 20 rows with this correlation of the rows; that of independent rows would hold in half of them."""
    random, rounds = np.random.default_rng(2), 300
    worth, held_share, held_mean = 1 / alike - 1, 0, 0
    for _ in range(rounds):
        sizes = random.integers(1, 21, clusters)
        rates = (
            random.beta(true * worth, (1 - true) * worth, clusters)
            if alike < 1
            else (random.random(clusters) < true).astype(float)
        )
        hits = random.binomial(sizes, rates)
        low, high = clustered_proportion(hits.tolist(), sizes.tolist(), CONFIDENCE)
        held_share += low <= true <= high
        _, lower, upper = clustered_mean(hits.tolist(), sizes.tolist(), CONFIDENCE)
        held_mean += lower <= true <= upper
    assert held_share / rounds >= 0.92
    if clusters == 100 and true == 0.8:  # a mean of few clusters, or of few that differ, is not normal
        assert held_mean / rounds >= 0.92


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40), st.data())
def test_a_row_that_differs_never_raises_an_interval_of_none(sizes: list[int], data: st.DataObject) -> None:
    different = data.draw(st.sampled_from(range(len(sizes))))
    hits = [size - (index == different) for index, size in enumerate(sizes)]
    before, after = (clustered_proportion(found, sizes, CONFIDENCE) for found in (sizes, hits))
    assert after[0] <= before[0]
    assert after[1] <= before[1]
