"""Realised performance against scikit-learn."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import mean_absolute_error, roc_auc_score

from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.realised import realised


def test_realised_performance_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    scores, labels = rng.random(200), (rng.random(200) < 0.5).astype(float)
    values = np.stack([1 - scores, scores], axis=1)
    area = realised("roc_auc", Predictions(values, values.argmax(axis=1), 1), labels, ("a", "b"), 0.95)
    assert area.value == pytest.approx(roc_auc_score(labels, scores))
    assert area.low < area.value < area.high
    error = realised("mae", Predictions(scores), labels, (), 0.95)
    assert error.value == pytest.approx(mean_absolute_error(labels, scores))
    assert error.rows == 200


def test_an_interval_ends_at_the_possible_values() -> None:
    values = np.array([[0.2, 0.8]] * 20)
    labels = np.array([1.0] * 19 + [0.0])
    predictions = Predictions(values, np.ones(20, dtype=np.intp), 1)
    assert realised("f1", predictions, labels, ("a", "b"), 0.99).high == 1
    share = realised("accuracy", predictions, labels, ("a", "b"), 0.99)
    exact = binomtest(19, 20).proportion_ci(0.99, method="exact")
    assert (share.low, share.high) == pytest.approx((exact.low, exact.high))


def test_the_interval_of_many_rows_is_that_of_all_of_them() -> None:
    rng = np.random.default_rng(2)
    rows = 400_000
    wrong = rng.random(rows) < 0.2
    values = np.stack([wrong, ~wrong], axis=1).astype(float)
    found = realised("accuracy", Predictions(values, values.argmax(axis=1), 1), np.ones(rows), ("a", "b"), 0.99)
    assert found.value == pytest.approx(1 - wrong.mean())
    margin = 2.576 * np.sqrt(0.2 * 0.8 / rows)
    assert (found.high - found.low) / 2 == pytest.approx(margin, rel=0.15)
    assert found.rows == rows
