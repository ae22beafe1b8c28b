"""The decision threshold is the best one on the rows that it is chosen on."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from helping import examples
from taxiway.evaluation.metrics.by_name import Metric, metric_of
from taxiway.evaluation.predictions import Predictions
from taxiway.evaluation.threshold import choose_threshold

CLASSES = ("no", "yes")
ORACLES = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": lambda y, p, **more: metrics.f1_score(y, p, zero_division=np.nan, **more),
    "matthews_corrcoef": metrics.matthews_corrcoef,
}


@pytest.mark.parametrize("name", ORACLES)
@examples(40)
@given(
    rows=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=25).filter(
        lambda rows: len({label for _, label in rows}) == 2
    )
)
@pytest.mark.filterwarnings("ignore")
def test_no_other_threshold_is_better(name: str, rows: list[tuple[int, bool]]) -> None:
    scores, labels = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    probabilities = scores / 20
    chosen = choose_threshold(metric_of(name, CLASSES), np.column_stack([1 - probabilities, probabilities]), labels)
    found = 0.5 if chosen is None else chosen
    assert 0 < found < 1

    def by(threshold: float) -> float:
        return float(ORACLES[name](labels, probabilities >= threshold))

    cuts = np.unique([0, *probabilities, 1])
    others = [by(at) for at in (0.5, *((cuts[1:] + cuts[:-1]) / 2))]
    assert by(found) == pytest.approx(np.nanmax(others))


def cost(false_alarm: float, miss: float) -> Metric:
    def compute(predictions: Predictions, labels: Any, weights: Any) -> Any:
        predicted = predictions.predicted
        return weights @ (false_alarm * ((predicted == 1) & (labels == 0)) + miss * ((predicted == 0) & (labels == 1)))

    return Metric("cost", -1, compute)


@pytest.mark.parametrize(("false_alarm", "miss"), [(1, 1), (1, 4), (9, 1)])
def test_the_threshold_for_costs_is_that_of_elkan(false_alarm: float, miss: float) -> None:
    """Of calibrated probabilities, false_alarm / (false_alarm + miss) is optimal (Elkan 2001, equation 2)."""
    rng = np.random.default_rng(1)
    probabilities = rng.random(40_000)
    labels = (rng.random(40_000) < probabilities).astype(float)
    found = choose_threshold(cost(false_alarm, miss), np.column_stack([1 - probabilities, probabilities]), labels)
    assert found == pytest.approx(false_alarm / (false_alarm + miss), abs=0.02)


@pytest.mark.parametrize(("false_alarm", "miss", "low", "high"), [(1, 9, 0, 0.3), (9, 1, 0.3, 1)])
def test_by_costs_the_same_class_may_be_best_for_all_rows(false_alarm: float, miss: float, low: float, high: float) -> None:
    """A dummy model predicts the class that costs less on average."""
    same = np.tile([0.7, 0.3], (10, 1))
    assert low < choose_threshold(cost(false_alarm, miss), same, (np.arange(10) < 3).astype(float)) < high


def test_no_threshold_is_chosen_if_none_is_better_than_another() -> None:
    labels = np.arange(10.0) % 2
    assert choose_threshold(metric_of("accuracy", CLASSES), np.full((10, 2), 0.5), labels) is None
    probabilities = np.linspace(0.05, 0.95, 10)
    assert choose_threshold(cost(0, 0), np.column_stack([1 - probabilities, probabilities]), labels) is None
