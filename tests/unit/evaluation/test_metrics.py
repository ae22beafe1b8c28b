"""Metrics against scikit-learn's, weighted and not, and intervals against what is known of them."""

import tracemalloc

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import label_binarize

from helping import examples
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.metrics.probabilities import clipped_log_loss_rows
from taxiway.evaluation.predictions import Predictions, positive_class, predictions_of
from taxiway.features.labels import predicted_classes
from taxiway.spec.metrics import METRIC_FACTS
from taxiway.stats.bootstrap import compare


def _one_hot(y, k):
    return label_binarize(y, classes=range(k)) if k > 2 else np.stack([1 - y, y], axis=1)


def _area(y, p, w):
    if p.shape[1] == 2:
        return reference.roc_auc_score(y, p[:, 1], sample_weight=w)
    return reference.roc_auc_score(y, p, sample_weight=w, multi_class="ovr", average="macro")


def _precision(y, p, w):
    if p.shape[1] == 2:
        return reference.average_precision_score(y, p[:, 1], sample_weight=w)
    return reference.average_precision_score(_one_hot(y, p.shape[1]), p, sample_weight=w, average="macro")


def _brier(y, p, w):
    return reference.brier_score_loss(y, p[:, 1] if p.shape[1] == 2 else p, sample_weight=w)


def _calibration(y, p, w):
    """As in Guo et al. 2017, bin by bin."""
    chosen = predicted_classes(p)
    confidence, right, error = p[np.arange(len(y)), chosen], chosen == y, 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if w[inside].sum() > 0:
            gap = np.average(right[inside], weights=w[inside]) - np.average(confidence[inside], weights=w[inside])
            error += w[inside].sum() / w.sum() * abs(gap)
    return error


def _of_labels(function, **options):
    return lambda y, p, w: function(y, predicted_classes(p), sample_weight=w, **options)


def _of_class(function, at):
    return lambda y, p, w: function(y == at, predicted_classes(p) == at, sample_weight=w, zero_division=0)


def _at_threshold(function, threshold):
    return lambda y, p, w: function(y == 1, p[:, 1] >= threshold, sample_weight=w, zero_division=0)


ANY = {
    "accuracy": _of_labels(reference.accuracy_score),
    "average_precision": _precision,
    "average_precision(class=b)": lambda y, p, w: reference.average_precision_score(y == 1, p[:, 1], sample_weight=w),
    "balanced_accuracy": _of_labels(reference.balanced_accuracy_score),
    "brier": _brier,
    "clipped_log_loss": lambda y, p, w: np.average(-np.log(np.maximum(p[np.arange(len(y)), y], 0.01)), weights=w),
    "expected_calibration_error": _calibration,
    "f1(class=a)": _of_class(reference.f1_score, 0),
    "f1_macro": _of_labels(reference.f1_score, average="macro", zero_division=0),
    "f1_weighted": _of_labels(reference.f1_score, average="weighted", zero_division=0),
    "log_loss": lambda y, p, w: reference.log_loss(y, p, sample_weight=w, labels=range(p.shape[1])),
    "matthews_corrcoef": _of_labels(reference.matthews_corrcoef),
    "precision(class=b)": _of_class(reference.precision_score, 1),
    "recall(class=b)": _of_class(reference.recall_score, 1),
    "roc_auc": _area,
    "roc_auc(class=b)": lambda y, p, w: reference.roc_auc_score(y == 1, p[:, 1], sample_weight=w),
}
BINARY = {
    "f1": _of_labels(reference.f1_score, zero_division=0),
    "f1(threshold=0.3)": _at_threshold(reference.f1_score, 0.3),
    "precision": _of_labels(reference.precision_score, zero_division=0),
    "precision(threshold=0.6)": _at_threshold(reference.precision_score, 0.6),
    "recall": _of_labels(reference.recall_score, zero_division=0),
    "recall(threshold=0.3)": _at_threshold(reference.recall_score, 0.3),
}
SEVERAL = {
    "top_k_accuracy(k=2)": lambda y, p, w: reference.top_k_accuracy_score(y, p, k=2, sample_weight=w, labels=range(p.shape[1]))
}
OF_NUMBERS = {
    "mae": lambda y, s, w: reference.mean_absolute_error(y, s, sample_weight=w),
    "mape": lambda y, s, w: reference.mean_absolute_percentage_error(y, s, sample_weight=w),
    "pinball_loss(quantile=0.9)": lambda y, s, w: reference.mean_pinball_loss(y, s, sample_weight=w, alpha=0.9),
    "r2": lambda y, s, w: reference.r2_score(y, s, sample_weight=w),
    "rmse": lambda y, s, w: reference.root_mean_squared_error(y, s, sample_weight=w),
    "smape": lambda y, s, w: np.average(
        [0 if a == b == 0 else 2 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(y, s, strict=True)], weights=w
    ),
}
assert {name.partition("(")[0] for name in {*ANY, *BINARY, *SEVERAL, *OF_NUMBERS}} == set(METRIC_FACTS)


def binary(scores: np.ndarray) -> Predictions:
    """Predictions of two classes from the probabilities of the second."""
    return predictions_of(np.stack([1 - scores, scores], axis=1), "ab", "ab", 1)


def test_clipped_log_loss_has_limits_for_each_row() -> None:
    sure = np.array([0.0, 1.0, 1.0 + 1e-15])
    found = clipped_log_loss_rows(binary(sure), np.array([1.0, 0.0, 1.0]))
    assert found.tolist() == [METRIC_FACTS["clipped_log_loss"].high] * 2 + [0.0] == [np.log(100)] * 2 + [0.0]


@pytest.mark.parametrize("name", sorted({**ANY, **BINARY, **SEVERAL}))
@examples(40)
@given(data=st.data())
def test_a_metric_is_scikit_learns_with_weights_and_ties(name: str, data: st.DataObject) -> None:
    classes = data.draw(st.just(2) if name in BINARY else st.integers(3, 4) if name in SEVERAL else st.integers(2, 4))
    rows = data.draw(st.integers(2 * classes, 60))
    # Few distinct scores: ties are where implementations differ.
    parts = data.draw(hnp.arrays(np.float64, (rows, classes), elements=st.sampled_from([1.0, 2.0, 4.0, 13.0])))
    probabilities = parts / parts.sum(axis=1, keepdims=True)
    labels = data.draw(hnp.arrays(np.int64, rows, elements=st.integers(0, classes - 1)))
    labels[:classes] = range(classes)
    weights = data.draw(hnp.arrays(np.float64, rows, elements=st.integers(0, 4).map(float)))
    weights[:classes] = 1  # all classes stay in
    predictions = predictions_of(probabilities, "abcd"[:classes], "abcd"[:classes], 1 if classes == 2 else None)
    ours = metric_of(name, "abcd"[:classes]).compute(predictions, labels.astype(float), weights[None, :])[0]
    drawn = weights > 0  # rows that are not drawn are not there
    theirs = {**ANY, **BINARY, **SEVERAL}[name](labels[drawn], probabilities[drawn], weights[drawn])
    assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_a_metric_of_many_classes_does_not_sort_the_weights_of_all_rows_for_each_of_them(name: str) -> None:
    rng = np.random.default_rng(0)
    classes = [str(one) for one in range(50)]
    predictions = predictions_of(rng.dirichlet(np.ones(50), 2_000), classes, classes, None)
    labels, weights = rng.integers(0, 50, 2_000).astype(float), rng.integers(0, 3, (100, 2_000)).astype(float)
    compute = metric_of(name, classes).compute
    compute(predictions, labels, weights[:1])  # imports
    tracemalloc.start()
    try:
        found = compute(predictions, labels, weights)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2 * weights.nbytes  # the weights by row, once; a sorted copy for each class is what made it slow
    assert found[0] == pytest.approx(ANY[name](labels, predictions.values, weights[0]), abs=1e-9)


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
    ours = metric_of(name).compute(Predictions(scores), labels, weights[None, :])[0]
    assert ours == pytest.approx(OF_NUMBERS[name](labels, scores, weights), rel=1e-7, abs=1e-7)


def test_r2_of_labels_that_are_all_one_is_not_a_number() -> None:
    assert np.isnan(metric_of("r2").compute(Predictions(np.array([0.1, 0.9])), np.full(2, 3.0), np.ones((1, 2)))[0])


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "recall"])
def test_rows_without_the_class_give_nan_and_no_error(name: str) -> None:
    found = metric_of(name, "ab").compute(binary(np.array([0.1, 0.9])), np.zeros(2), np.ones((1, 2)))
    assert np.isnan(found[0])


def test_averages_over_classes_leave_out_those_without_rows() -> None:
    """A bootstrap replicate may have no row of a rare class: its mean is over the others, and no NaN spoils the interval."""
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    labels, weights = np.array([0.0, 1.0, 0.0, 2.0]), np.array([[1.0, 1.0, 1.0, 0.0]])
    predictions = predictions_of(probabilities, "abc", "abc", None)
    for name in ("balanced_accuracy", "f1_macro", "roc_auc", "average_precision"):
        ours = metric_of(name, "abc").compute(predictions, labels, weights)[0]
        rest = predictions_of(probabilities[:3], "abc", "abc", None)
        assert ours == metric_of(name, "abc").compute(rest, labels[:3], np.ones((1, 3)))[0]
        assert np.isfinite(ours)


def test_a_class_that_was_not_learned_is_an_error_with_probability_0() -> None:
    """Three labels, of which the model knows two: as scikit-learn has it if the third gets the probability 0."""
    own = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    labels, ones = np.array([0.0, 1.0, 2.0, 1.0]), np.ones((1, 4))
    predictions = predictions_of(own, "ab", "abc", positive_class("ab"))
    assert predictions.values[:, 2].tolist() == [0, 0, 0, 0]
    assert metric_of("accuracy", "abc").compute(predictions, labels, ones)[0] == 0.75
    assert metric_of("balanced_accuracy", "abc").compute(predictions, labels, ones)[0] == pytest.approx(2 / 3)
    assert metric_of("log_loss", "abc").compute(predictions, labels, ones)[0] == pytest.approx(
        -(np.log([0.9, 0.8, 1e-15, 0.7])).mean()
    )
    expected = reference.roc_auc_score(labels == 1, own[:, 1])  # still of the second class
    assert metric_of("roc_auc", "abc").compute(predictions, labels, ones)[0] == pytest.approx(expected)


def test_whole_groups_are_resampled_together() -> None:
    """Rows that are copies of each other give the interval of the rows without copies (Moulton 1990)."""
    rng = np.random.default_rng(8)
    labels = (rng.random(400) < 0.4).astype(float)
    scores = np.clip(labels * 0.2 + rng.random(400) * 0.8, 0, 1)
    once = compare(metric_of("accuracy", "ab").compute, labels, binary(scores), None, 0.95).candidate
    copies, groups = np.repeat(np.arange(400), 25), np.repeat(np.arange(400), 25)
    together = compare(metric_of("accuracy", "ab").compute, labels[copies], binary(scores[copies]), None, 0.95, groups)
    assert together.candidate.value == pytest.approx(once.value)
    assert together.candidate.high - together.candidate.low == pytest.approx(once.high - once.low, rel=0.1)
    apart = compare(metric_of("accuracy", "ab").compute, labels[copies], binary(scores[copies]), None, 0.95)
    assert apart.candidate.high - apart.candidate.low < (once.high - once.low) / 4


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random(4000) < 0.3).astype(float)
    scores = np.full(4000, 0.4)  # always says no: accuracy is the share of zeros
    found = compare(metric_of("accuracy", "ab").compute, labels, binary(scores), None, 0.95).candidate
    share = 1 - labels.mean()
    assert found.value == pytest.approx(share)
    expected = 1.96 * np.sqrt(share * (1 - share) / 4000)
    assert found.high - found.value == pytest.approx(expected, rel=0.12)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_the_auc_interval_is_hanley_and_mcneils() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(3000) < 0.4).astype(float)
    scores = 1 / (1 + np.exp(-(rng.normal(size=3000) + labels)))
    found = compare(metric_of("roc_auc", "ab").compute, labels, binary(scores), None, 0.95).candidate
    auc, positives, negatives = found.value, labels.sum(), (1 - labels).sum()
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)) / (positives * negatives)
    assert found.high - found.value == pytest.approx(1.96 * np.sqrt(variance), rel=0.15)


def test_pairing_makes_the_difference_sharper_than_the_parts() -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random(2000) < 0.5).astype(float)
    scores = np.clip(0.5 + 0.2 * (labels - 0.5) + rng.normal(scale=0.2, size=2000), 0, 1)
    other = np.clip(scores + rng.normal(scale=0.01, size=2000), 0, 1)
    found = compare(metric_of("brier", "ab").compute, labels, binary(scores), binary(other), 0.99)
    assert found.champion is not None
    assert found.difference is not None
    assert found.difference.high - found.difference.low < (found.candidate.high - found.candidate.low) / 5
    assert found.difference.low <= 0 <= found.difference.high


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(4), 0
    for _ in range(200):
        labels = (rng.random(300) < 0.3).astype(float)
        found = compare(metric_of("accuracy", "ab").compute, labels, binary(np.full(300, 0.1)), None, 0.9).candidate
        covered += found.low <= 0.7 <= found.high
    assert 165 <= covered <= 195  # 180 expected, 3.5 standard deviations


def test_the_same_rows_give_the_same_interval() -> None:
    rng = np.random.default_rng(5)
    labels, scores = (rng.random(500) < 0.5).astype(float), rng.random(500)
    assert compare(metric_of("roc_auc", "ab").compute, labels, binary(scores), None, 0.99) == compare(
        metric_of("roc_auc", "ab").compute, labels, binary(scores), None, 0.99
    )
