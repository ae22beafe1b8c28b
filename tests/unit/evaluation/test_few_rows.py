"""Intervals of metrics that few rows decide: exact at the literature's numbers, and as reliable as they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.metrics.deciding import deciding_rows, is_share
from taxiway.evaluation.metrics.few_rows import difference_of_few_rows, with_few_rows
from taxiway.evaluation.predictions import Predictions
from taxiway.records import Interval
from taxiway.stats.binomial import limits
from taxiway.stats.bootstrap import compare, standard_interval

CONFIDENCE = 0.99
CLASSES = ("no", "yes")


def predictions_of(predicted: np.ndarray) -> Predictions:
    certain = np.where(predicted == 1, 0.9, 0.1)
    return Predictions(np.column_stack([1 - certain, certain]), predicted.astype(np.intp), positive=1)


def interval_of(metric: str, labels: np.ndarray, predicted: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    predictions = predictions_of(predicted)
    found = compare(metric_of(metric, CLASSES).compute, labels, predictions, None, CONFIDENCE, groups).candidate
    rows = deciding_rows(metric, predictions, labels, CLASSES, groups)
    return with_few_rows(found, CONFIDENCE, 0, 1, rows, is_share_of_rows=is_share(metric) and groups is None)


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (10, 10), (19, 20), (300, 300), (3, 1000)])
def test_limits_are_clopper_and_pearsons(hits: int, rows: int) -> None:
    exact = binomtest(hits, rows).proportion_ci(CONFIDENCE, method="exact")
    assert limits(hits / rows, rows, CONFIDENCE) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(
    ("metric", "low"),
    [
        ("recall", 0.589),  # (alpha / 2) ** (1 / 10) for 10 of 10 positives
        ("f1", 0.589),
        ("roc_auc", 0.589),
        ("precision", 0.589),
        ("accuracy", 0.982),  # of 300 rows
        ("balanced_accuracy", 0.872),  # 38.7 rows: twice the harmonic mean of 10 and 290
    ],
)
def test_a_perfect_model_is_as_certain_as_the_rows_that_decide(metric: str, low: float) -> None:
    labels = (np.arange(300) < 10).astype(float)
    found = interval_of(metric, labels, labels)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(low, abs=0.001)


def test_whole_groups_are_counted() -> None:
    labels = (np.arange(300) < 100).astype(float)
    assert interval_of("recall", labels, labels, np.arange(300) // 10).low == pytest.approx(0.005 ** (1 / 10))


@pytest.mark.parametrize("positives", [12, 20, 60, 300, 1000])
@pytest.mark.parametrize("recall", [0.6, 0.8, 0.95, 0.99])
def test_a_threshold_is_rarely_passed_by_a_model_that_is_just_at_it(recall: float, positives: int) -> None:
    """The standard interval alone would pass it in up to 11% of the samples, instead of 0.5%."""
    passed = 0.0
    for hits in range(positives + 1):
        share = hits / positives
        standard = standard_interval(share, math.sqrt(share * (1 - share) / positives), CONFIDENCE, positives)
        if with_few_rows(standard, CONFIDENCE, 0, 1, positives, is_share_of_rows=True).low >= recall:
            passed += binom.pmf(hits, positives, recall)
    assert passed <= 0.009


@given(st.floats(0, 1), st.floats(0, 0.5), st.integers(0, 10_000), st.floats(-2, 0), st.floats(0.5, 3))
def test_an_interval_only_becomes_wider_and_holds_the_estimate(
    share: float, error: float, rows: int, low: float, high: float
) -> None:
    standard = standard_interval(low + share * (high - low), error, CONFIDENCE, rows)
    found = with_few_rows(standard, CONFIDENCE, low, high, rows)
    assert found.low <= standard.low <= found.value <= standard.high <= found.high
    different = difference_of_few_rows(standard, CONFIDENCE, low, high, rows)
    assert different.low <= standard.low <= different.value <= standard.high <= different.high


@pytest.mark.parametrize(("hits", "low", "high"), [(7, 0.265, 0.963), (2, 0.011, 0.648), (9, 0.456, 0.9995)])
def test_the_interval_of_a_share_is_exact(hits: int, low: float, high: float) -> None:
    labels = (np.arange(2000) < 10).astype(float)
    found = interval_of("recall", labels, (np.arange(2000) < hits).astype(float))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.001)


def test_many_rows_keep_the_standard_interval() -> None:
    standard = standard_interval(0.65, 0.005, CONFIDENCE, 9000)
    assert with_few_rows(standard, CONFIDENCE, 0, 1, 3000) == standard
    assert difference_of_few_rows(standard, CONFIDENCE, 0, 1, 3000) == standard


@pytest.mark.parametrize(("low", "high"), [(-math.inf, 1), (0, math.inf)])
def test_a_metric_without_a_range_keeps_its_interval(low: float, high: float) -> None:
    standard = standard_interval(0.9, 0.0, CONFIDENCE, 5)
    assert with_few_rows(standard, CONFIDENCE, low, high, 5) == standard


def test_a_class_that_is_never_predicted_says_nothing_about_its_precision() -> None:
    labels = (np.arange(300) < 10).astype(float)
    found = interval_of("precision", labels, np.zeros(300))
    assert (found.value, found.low, found.high) == (0, 0, 1)
    same = difference_of_few_rows(Interval(value=0, low=0, high=0, rows=300), CONFIDENCE, 0, 1, 0)
    assert (same.low, same.high) == (-1, 1)


def test_as_many_groups_as_the_cluster_bootstrap_needs_are_enough() -> None:
    standard = standard_interval(0.92, 0.002, CONFIDENCE, 25_000)
    assert with_few_rows(standard, CONFIDENCE, 0, 1, 25) == standard
    assert difference_of_few_rows(standard, CONFIDENCE, 0, 1, 25) == standard


def test_an_unknown_interval_stays_unknown() -> None:
    unknown = standard_interval(0.9, math.nan, CONFIDENCE, 5)
    assert math.isnan(with_few_rows(unknown, CONFIDENCE, 0, 1, 5).low)


def test_the_auc_of_a_constant_is_certain() -> None:
    labels = (np.arange(300) < 100).astype(float)
    found = interval_of("roc_auc", labels, np.zeros(300))
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


def test_two_models_that_agree_on_few_rows_may_differ_on_others() -> None:
    same = Interval(value=0, low=0, high=0, rows=300)
    found = difference_of_few_rows(same, CONFIDENCE, 0, 1, 10)
    assert (found.low, found.high) == pytest.approx((-0.411, 0.411), abs=0.001)


def test_the_rows_that_decide_a_metric_of_several_classes() -> None:
    classes, labels = ("a", "b", "c"), np.repeat([0.0, 1.0, 2.0], [10, 20, 40])
    predictions = Predictions(np.eye(3)[np.zeros(70, dtype=int)], np.zeros(70, dtype=np.intp))
    rows = {
        metric: deciding_rows(metric, predictions, labels, classes)
        for metric in ("accuracy", "recall(class=b)", "precision(class=b)", "f1(class=a)", "roc_auc(class=c)", "f1_macro")
    }
    assert rows == pytest.approx(
        {
            "accuracy": 70,
            "recall(class=b)": 20,
            "precision(class=b)": 0,
            "f1(class=a)": 70,
            "roc_auc(class=c)": 30,
            "f1_macro": 9 / (1 / 10 + 1 / 20 + 1 / 40),
        }
    )
