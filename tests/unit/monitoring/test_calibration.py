"""Calibrated probabilities are probabilities, keep the order of the scores, and are used only if they are better."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitoring.simulated import both, drawn
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from helping import examples
from taxiway.errors import DataError
from taxiway.evaluation.metrics.probabilities import expected_calibration_error
from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.calibration import calibrate, calibration_error


@examples(40)
@given(scores=st.lists(st.floats(0, 1), min_size=1, max_size=30), seed=st.integers(0, 1_000))
def test_calibrated_probabilities_are_in_range_and_monotone(scores: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = both(rng.random(200))
    labels = drawn(both(reference[:, 1] ** 3 if seed % 2 else np.round(reference[:, 1])), rng)
    fitted = calibrate(reference, labels)
    assert fitted.curves or fitted.lines
    found = fitted.probabilities(both(np.sort(scores)))
    assert np.all((found >= 0) & (found <= 1))
    assert found.sum(axis=1) == pytest.approx(1)
    assert np.all(np.diff(found[:, 1]) >= 0)


@examples(20)
@given(classes=st.integers(3, 6), seed=st.integers(0, 1_000))
def test_calibrated_probabilities_of_many_classes_add_up_to_one(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.ones(classes), 400)
    sharper = truth**3 / (truth**3).sum(axis=1, keepdims=True)
    fitted = calibrate(sharper, drawn(truth, rng))
    assert classes in (len(fitted.curves), len(fitted.lines))
    found = fitted.probabilities(np.vstack([sharper, np.eye(classes)]))
    assert np.all((found >= 0) & (found <= 1))
    assert found.sum(axis=1) == pytest.approx(1)


def test_a_row_without_any_calibrated_class_keeps_its_probabilities() -> None:
    truth = np.repeat(np.eye(3), 20, axis=0)
    reference = np.where(truth == 1, 0.6, 0.2)
    fitted = calibrate(reference, truth.argmax(axis=1).astype(float))
    unlike = np.full((1, 3), 0.2)
    assert fitted.probabilities(unlike).tolist() == unlike.tolist()
    assert fitted.probabilities(reference[:1]).tolist() == [[1, 0, 0]]


def test_the_curve_is_that_of_isotonic_regression() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(500)
    labels = drawn(both(np.where(scores < 0.7, 0.2, 0.9)), rng)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    new = np.linspace(0, 1, 1_001)
    assert calibrate(both(scores), labels).probabilities(both(new))[:, 1] == pytest.approx(oracle.predict(new))


def test_good_probabilities_are_mostly_used_as_they_are_and_hardly_changed_else() -> None:
    changed = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        values = both(rng.random(1_000))
        fitted = calibrate(values, drawn(values, rng))
        found = fitted.probabilities(values)
        changed += found is not values
        assert np.abs(found - values).mean() < 0.06
    assert changed < 15


def test_a_model_that_is_too_sure_of_itself_gets_a_line_and_its_bias_is_removed() -> None:
    rng = np.random.default_rng(5)
    log_odds = rng.normal(size=(2, 5_000))
    sure, truth = expit(1.25 * log_odds), expit(log_odds)
    fitted = calibrate(both(sure[0]), drawn(both(truth[0]), rng))
    ((slope, intercept),) = fitted.lines
    assert (slope, intercept) == pytest.approx((0.8, 0), abs=0.1)
    assert not fitted.curves
    found = fitted.probabilities(both(sure[1]))[:, 1]
    assert np.abs(found - truth[1]).mean() < np.abs(sure[1] - truth[1]).mean() / 3


def test_calibration_removes_most_of_the_error_on_new_rows() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(20_000)
    values, labels = both(truth**2), drawn(both(truth), rng)
    fitted = calibrate(values[:10_000], labels[:10_000])
    found = calibration_error(fitted.probabilities(values[10_000:]), labels[10_000:])
    assert fitted.error_before == pytest.approx(1 / 2 - 1 / 3, abs=0.01)
    assert fitted.error_after < 0.05
    assert found < 0.02


def test_errors_of_two_classes_do_not_cancel() -> None:
    rng = np.random.default_rng(4)
    second = rng.choice([0.2, 0.8], 20_000)
    values, labels = both(second), drawn(both(second - 0.1), rng)
    predicted = Predictions(values, values.argmax(axis=1), 1)
    assert expected_calibration_error(predicted, labels, np.ones((1, 20_000)))[0] < 0.01
    assert calibration_error(values, labels) == pytest.approx(0.1, abs=0.01)


def test_a_class_with_few_reference_rows_is_refused() -> None:
    labels = np.repeat([0.0, 1.0], [96, 4])
    with pytest.raises(DataError, match=r"a class has 4 of 100 reference rows; .* each class needs at least 5"):
        calibrate(both(np.linspace(0, 1, 100)), labels)
