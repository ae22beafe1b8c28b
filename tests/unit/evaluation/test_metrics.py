"""Metrics against scikit-learn's, weighted and not, and intervals against what is known of them."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helping import examples
from taxiway.evaluation.metrics import METRICS
from taxiway.stats.bootstrap import compare

THEIRS = {
    "accuracy": lambda y, s, w: reference.accuracy_score(y, s >= 0.5, sample_weight=w),
    "average_precision": lambda y, s, w: reference.average_precision_score(y, s, sample_weight=w),
    "brier": lambda y, s, w: reference.brier_score_loss(y, s, sample_weight=w),
    "log_loss": lambda y, s, w: reference.log_loss(y, s, sample_weight=w),
    "roc_auc": lambda y, s, w: reference.roc_auc_score(y, s, sample_weight=w),
}
OF_NUMBERS = {
    "mae": lambda y, s, w: reference.mean_absolute_error(y, s, sample_weight=w),
    "r2": lambda y, s, w: reference.r2_score(y, s, sample_weight=w),
    "rmse": lambda y, s, w: reference.root_mean_squared_error(y, s, sample_weight=w),
}
assert {*THEIRS, *OF_NUMBERS} == set(METRICS)


@pytest.mark.parametrize("name", sorted(THEIRS))
@examples(40)
@given(data=st.data())
def test_a_metric_is_scikit_learns_with_weights_and_ties(name: str, data: st.DataObject) -> None:
    rows = data.draw(st.integers(4, 60))
    # Few distinct scores: ties are where implementations differ.
    scores = data.draw(hnp.arrays(np.float64, rows, elements=st.sampled_from([0.01, 0.2, 0.3, 0.5, 0.7, 0.99])))
    labels = np.zeros(rows)
    labels[: data.draw(st.integers(1, rows - 1))] = 1
    weights = data.draw(hnp.arrays(np.float64, rows, elements=st.integers(0, 4).map(float)))
    weights[0] = weights[-1] = 1  # both classes stay in
    ours = METRICS[name].compute(scores, labels, weights[None, :])[0]
    assert ours == pytest.approx(THEIRS[name](labels, scores, weights), abs=1e-9)


@pytest.mark.parametrize("name", sorted(OF_NUMBERS))
@examples(40)
@given(data=st.data())
def test_a_metric_of_numbers_is_scikit_learns_with_weights(name: str, data: st.DataObject) -> None:
    rows = data.draw(st.integers(4, 60))
    numbers = hnp.arrays(np.float64, rows, elements=st.floats(-1e3, 1e3, width=32))
    scores, labels = data.draw(numbers), data.draw(numbers)
    labels[0], labels[-1] = 2000, 1000  # they differ, whatever was drawn
    weights = data.draw(hnp.arrays(np.float64, rows, elements=st.integers(0, 4).map(float)))
    weights[0] = weights[-1] = 1
    ours = METRICS[name].compute(scores, labels, weights[None, :])[0]
    assert ours == pytest.approx(OF_NUMBERS[name](labels, scores, weights), rel=1e-7, abs=1e-7)


def test_r2_of_labels_that_are_all_one_is_not_a_number() -> None:
    assert np.isnan(METRICS["r2"].compute(np.array([0.1, 0.9]), np.full(2, 3.0), np.ones((1, 2)))[0])


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_one_class_gives_nan_and_no_error(name: str) -> None:
    assert np.isnan(METRICS[name].compute(np.array([0.1, 0.9]), np.zeros(2), np.ones((1, 2)))[0])


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random(4000) < 0.3).astype(float)
    scores = np.full(4000, 0.4)  # always says no: accuracy is the share of zeros
    found = compare(METRICS["accuracy"].compute, labels, scores, None, 0.95).candidate
    share = 1 - labels.mean()
    assert found.value == pytest.approx(share)
    expected = 1.96 * np.sqrt(share * (1 - share) / 4000)
    assert found.high - found.value == pytest.approx(expected, rel=0.12)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_the_auc_interval_is_hanley_and_mcneils() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(3000) < 0.4).astype(float)
    scores = 1 / (1 + np.exp(-(rng.normal(size=3000) + labels)))
    found = compare(METRICS["roc_auc"].compute, labels, scores, None, 0.95).candidate
    auc, positives, negatives = found.value, labels.sum(), (1 - labels).sum()
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)) / (positives * negatives)
    assert found.high - found.value == pytest.approx(1.96 * np.sqrt(variance), rel=0.15)


def test_pairing_makes_the_difference_sharper_than_the_parts() -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random(2000) < 0.5).astype(float)
    scores = np.clip(0.5 + 0.2 * (labels - 0.5) + rng.normal(scale=0.2, size=2000), 0, 1)
    other = np.clip(scores + rng.normal(scale=0.01, size=2000), 0, 1)
    found = compare(METRICS["brier"].compute, labels, scores, other, 0.99)
    assert found.champion is not None
    assert found.difference is not None
    assert found.difference.high - found.difference.low < (found.candidate.high - found.candidate.low) / 5
    assert found.difference.low <= 0 <= found.difference.high


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(4), 0
    for _ in range(200):
        labels = (rng.random(300) < 0.3).astype(float)
        found = compare(METRICS["accuracy"].compute, labels, np.full(300, 0.1), None, 0.9).candidate
        covered += found.low <= 0.7 <= found.high
    assert 165 <= covered <= 195  # 180 expected, 3.5 standard deviations


def test_the_same_rows_give_the_same_interval() -> None:
    rng = np.random.default_rng(5)
    labels, scores = (rng.random(500) < 0.5).astype(float), rng.random(500)
    assert compare(METRICS["roc_auc"].compute, labels, scores, None, 0.99) == compare(
        METRICS["roc_auc"].compute, labels, scores, None, 0.99
    )
