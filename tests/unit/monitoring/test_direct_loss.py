"""Estimated errors of regressions against simulated ones."""

import numpy as np
import pandas as pd
import pytest

from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.direct_loss import fit_loss
from taxiway.monitoring.realised import realised


def houses(rows, seed, *, hard=0.5, shift=0.0):
    """Raw columns, predictions and labels: the error is normal, with a standard deviation of 1 in easy towns and of 4 in hard ones."""
    rng = np.random.default_rng(seed)
    town = np.where(rng.random(rows) < hard, "hard", "easy").astype(object)
    town[rng.random(rows) < 0.1] = None
    area = np.where(rng.random(rows) < 0.1, np.nan, rng.random(rows))
    predicted = 10 * rng.random(rows)
    labels = predicted + shift + rng.normal(size=rows) * np.where(town == "hard", 4, 1)
    return pd.DataFrame({"area": area, "town": town}), predicted, labels


@pytest.fixture(scope="module", params=["mae", "rmse"])
def fitted(request):
    return fit_loss(request.param, *houses(4_000, seed=1))


def seen(fitted, predicted, labels):
    return realised(fitted.metric, Predictions(predicted), labels, (), 0.9).value


@pytest.mark.parametrize("hard", [0.0, 0.5, 1.0])
def test_the_error_of_new_rows_is_estimated(fitted, hard: float) -> None:
    frame, predicted, labels = houses(4_000, seed=2, hard=hard)
    found = fitted.estimated(frame, predicted, 0.99)
    assert found.value == pytest.approx(seen(fitted, predicted, labels), rel=0.1)
    assert 0 < found.low < found.value < found.high
    assert found.rows == 4_000


def test_intervals_contain_the_realised_error_of_small_chunks(fitted) -> None:
    covered = 0
    for seed in range(100, 200):
        frame, predicted, labels = houses(100, seed)
        found = fitted.estimated(frame, predicted, 0.9)
        covered += found.low <= seen(fitted, predicted, labels) <= found.high
    assert 81 <= covered <= 98  # 90 of 100 are expected, with a standard deviation of 3


def test_concept_drift_is_seen_by_realised_performance_only(fitted) -> None:
    frame, predicted, labels = houses(1_000, seed=3, shift=5.0)
    found = fitted.estimated(frame, predicted, 0.99)
    assert realised(fitted.metric, Predictions(predicted), labels, (), 0.99).low > found.high


def test_an_unknown_category_counts_as_missing(fitted) -> None:
    frame, predicted, _ = houses(50, seed=4)
    values = [fitted.estimated(frame.assign(town=town), predicted, 0.9).value for town in ("elsewhere", None)]
    assert values[0] == values[1]


def test_a_model_without_errors_is_estimated_without_errors() -> None:
    frame, predicted, _ = houses(200, seed=5)
    found = fit_loss("rmse", frame, predicted, predicted).estimated(frame, predicted, 0.99)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_second_fit_is_the_same() -> None:
    first, second = (fit_loss("mae", *houses(500, seed=6)).estimated(*houses(50, seed=7)[:2], 0.9) for _ in range(2))
    assert first == second
