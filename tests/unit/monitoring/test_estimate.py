"""Estimated performance of classifiers against enumeration, simulation and NannyML."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monitoring.simulated import both, drawn

from helping import examples, shared_data
from taxiway.errors import DataError
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.predictions import Predictions
from taxiway.features.labels import predicted_classes
from taxiway.monitoring.alerts import alert_limits
from taxiway.monitoring.calibration import calibrate
from taxiway.monitoring.estimate import estimated
from taxiway.monitoring.realised import realised

METRICS = ("roc_auc", "accuracy", "precision", "recall", "f1", "log_loss")
OF_MANY = ("roc_auc", "accuracy", "precision(class=b)", "recall(class=b)", "f1_macro", "log_loss")


def predictions(values):
    return Predictions(values, predicted_classes(values), 1 if values.shape[1] == 2 else None)


def value(metric, made, labels, classes=("a", "b")):
    return float(metric_of(metric, classes).compute(made, labels, np.ones((1, len(labels))))[0])


@examples(40)
@given(second=hnp.arrays(float, st.integers(2, 30), elements=st.floats(0.01, 0.99)), seed=st.integers(0, 100))
def test_rates_are_those_of_the_expected_confusion_matrix(second, seed: int) -> None:
    probabilities, made = both(second), predictions(both(np.random.default_rng(seed).random(len(second))))
    (tn, fp), (fn, tp) = ([probabilities[made.predicted == each, of].sum() for each in (0, 1)] for of in (0, 1))
    assert tn + fp + fn + tp == pytest.approx(len(second))
    found = {
        name: estimated(name, made, probabilities, ("a", "b"), 0.95).value for name in ("accuracy", "recall", "f1", "precision")
    }
    assert found["accuracy"] == pytest.approx((tp + tn) / len(second))
    assert found["recall"] == pytest.approx(tp / (tp + fn))
    assert found["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert found["precision"] == pytest.approx(tp / (tp + fp) if tp + fp else 0)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "brier"])
@examples(20)
@given(second=hnp.arrays(float, st.integers(1, 7), elements=st.floats(0, 1)), seed=st.integers(0, 100))
def test_means_of_rows_are_the_mean_over_all_labels(metric: str, second, seed: int) -> None:
    made = predictions(both(np.random.default_rng(seed).random(len(second))))
    expected = 0.0
    for labels in itertools.product((0.0, 1.0), repeat=len(second)):
        share = np.where(np.array(labels) == 1, second, 1 - second).prod()
        expected += share * value(metric, made, np.array(labels))
    assert estimated(metric, made, both(second), ("a", "b"), 0.95).value == pytest.approx(expected)


@pytest.mark.parametrize(("metric", "classes"), [*((name, "ab") for name in METRICS), *((name, "abc") for name in OF_MANY)])
def test_realised_performance_is_as_estimated_if_probabilities_are_calibrated(metric: str, classes: str) -> None:
    rng = np.random.default_rng(5)
    found, seen = [], []
    for _ in range(100):
        probabilities = rng.dirichlet(np.ones(len(classes)), 400)
        made = predictions(probabilities)
        found.append(estimated(metric, made, probabilities, classes, 0.9))
        seen.append(value(metric, made, drawn(probabilities, rng), classes))
    gaps = np.array([one.value for one in found]) - seen
    assert abs(gaps.mean()) < 3 * gaps.std(ddof=1) / 10
    covered = sum(one.low <= truth <= one.high for one, truth in zip(found, seen, strict=True))
    assert 81 <= covered <= 98  # 90 of 100 are expected, with a standard deviation of 3


def test_the_error_of_many_rows_is_scaled_from_some() -> None:
    second = np.random.default_rng(6).random(200_000)
    found = estimated("accuracy", predictions(both(second)), both(second), ("a", "b"), 0.95)
    error = np.sqrt((second * (1 - second)).sum()) / len(second)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.15)
    assert found.rows == 200_000


def test_an_interval_ends_at_the_possible_values() -> None:
    found = estimated("accuracy", predictions(both(np.full(20, 0.99))), both(np.full(20, 0.99)), ("a", "b"), 0.99)
    assert found.high == 1
    sure = estimated("roc_auc", predictions(both(np.array([0.0, 1.0]))), both(np.array([0.0, 1.0])), ("a", "b"), 0.99)
    assert (sure.value, sure.low, sure.high) == (1, 1, 1)


def test_a_metric_without_rows_of_a_class_has_no_interval() -> None:
    found = estimated("recall", predictions(both(np.full(10, 0.01))), both(np.full(10, 0.01)), ("a", "b"), 0.99)
    assert found.value == 0
    assert np.isnan([found.low, found.high]).all()


def test_too_many_rows_for_so_many_classes_are_refused() -> None:
    probabilities = np.full((101, 1_000), 0.001)
    with pytest.raises(
        DataError, match="accuracy of 101 rows with 1,000 classes needs too much memory; allowed: at most 100 rows"
    ):
        estimated("accuracy", predictions(probabilities), probabilities, [*map(str, range(1_000))], 0.99)


def test_flipped_labels_are_seen_by_realised_performance_only() -> None:
    rng = np.random.default_rng(7)
    probabilities = both(rng.random(2_000))
    labels, made = drawn(probabilities, rng), predictions(probabilities)
    flipped = np.where(rng.random(2_000) < 0.3, 1 - labels, labels)
    expected = estimated("accuracy", made, probabilities, ("a", "b"), 0.99)
    before, after = (realised("accuracy", made, these, ("a", "b"), 0.99) for these in (labels, flipped))
    assert expected.low < before.value < expected.high
    assert after.high < expected.low


def car_loans(name: str) -> pd.DataFrame:
    return pd.read_csv(shared_data(f"synthetic_car_loan_{name}.csv.gz"))


@pytest.fixture(scope="module")
def loans():
    """Reference and analysis rows of NannyML's car loans, in chunks of 5,000 rows, and the calibration."""
    reference, analysis = car_loans("reference"), car_loans("analysis").merge(car_loans("analysis_target"), on="id")
    fitted = calibrate(both(reference.y_pred_proba.to_numpy()), reference.repaid.to_numpy(float))
    chunks = [[rows.iloc[start : start + 5_000] for start in range(0, 50_000, 5_000)] for rows in (reference, analysis)]
    return *chunks, fitted


def loan_predictions(rows: pd.DataFrame) -> Predictions:
    return Predictions(both(rows.y_pred_proba.to_numpy()), rows.y_pred.to_numpy(np.intp), 1)


LARGEST_ERROR = {"roc_auc": 0.0049, "accuracy": 0.0080, "f1": 0.0068, "precision": 0.0198, "recall": 0.0211}
"""The largest difference of NannyML's estimate and realised performance in a chunk of the analysis rows."""


@pytest.mark.parametrize("metric", LARGEST_ERROR)
def test_estimates_of_car_loans_are_those_of_nannyml(metric: str, loans) -> None:
    reference, analysis, fitted = loans
    limits = alert_limits(metric, [value(metric, loan_predictions(rows), rows.repaid.to_numpy(float)) for rows in reference])

    def estimates(chunks):
        made = [loan_predictions(rows) for rows in chunks]
        return [estimated(metric, one, fitted.probabilities(one.values), ("0", "1"), 0.99) for one in made]

    intervals = estimates(analysis)
    found = [one.value for one in intervals]
    seen = [value(metric, loan_predictions(rows), rows.repaid.to_numpy(float)) for rows in analysis]
    assert [limits.alert(one.value) for one in estimates(reference)] == [False] * 10
    assert [limits.alert(one) for one in found] == [False] * 5 + [True] * 5
    assert np.abs(np.subtract(found, seen)).max() == pytest.approx(LARGEST_ERROR[metric], abs=0.0001)
    contained = [one.low <= truth <= one.high for one, truth in zip(intervals, seen, strict=True)]
    assert all(contained[:5])
    assert sum(contained[5:]) == {"precision": 2, "recall": 0}.get(metric, 5)
    if metric == "roc_auc":
        assert found[5:] == pytest.approx([0.9611, 0.9618, 0.9611, 0.9625, 0.9613], abs=0.0001)
        assert seen[5:] == pytest.approx([0.9600, 0.9585, 0.9590, 0.9631, 0.9576], abs=0.0001)
        assert (limits.low, limits.high) == pytest.approx((0.9633, 0.9787), abs=0.0001)
