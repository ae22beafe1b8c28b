"""The losses of single rows: evidence that holds over all looks, for every metric that a rollback can be decided by."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples, rounds
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.row_losses import log_evidence, loss_differences, row_loss_name
from taxiway.spec.metrics import METRIC_FACTS
from taxiway.spec.monitor import ROW_LOSSES
from taxiway.stats.sequential import log_capital, log_capital_of

DAYS, ROWS, SERIES = 35, 60, 300
ERROR = 0.05


def two_classes(rng: np.random.Generator, rows: int, noise: float, other: float) -> tuple[Predictions, Predictions, np.ndarray]:
    """Rows, of which two models see the signal with some noise each."""
    signal = rng.normal(size=rows)
    labels = (signal + rng.logistic(size=rows) > 0).astype(float)

    def model(spread: float) -> Predictions:
        positive = 1 / (1 + np.exp(-(signal + rng.normal(size=rows) * spread)))
        return Predictions(np.column_stack([1 - positive, positive]), (positive >= 0.5).astype(np.intp), 1)

    return model(noise), model(other), labels


def numbers(rng: np.random.Generator, rows: int, noise: float, other: float) -> tuple[Predictions, Predictions, np.ndarray]:
    """Rows of a regression with heavy tails."""
    signal = rng.normal(size=rows)
    labels = signal + rng.standard_t(3, size=rows)
    return Predictions(signal + rng.normal(size=rows) * noise), Predictions(signal + rng.normal(size=rows) * other), labels


def first_days(metric: str, served: float, previous: float, *, series: int, days: int, rows: int) -> list[int]:
    """For each simulated champion the day on which the evidence, looked at every day, is enough; -1 if it never is."""
    draw = two_classes if METRIC_FACTS[metric].problem == "classification" else numbers
    found = []
    for seed in range(series):
        rng = np.random.default_rng([seed, len(metric)])
        largest = 1.0
        if draw is numbers:  # by evaluation rows, which are others
            largest = float(abs(loss_differences(metric, *draw(rng, 500, served, previous))).max())
        differences = loss_differences(metric, *draw(rng, days * rows, served, previous))
        of = np.repeat(np.arange(days), rows)
        weeks = range(7, days + 1, 7)  # the evidence changes at the end of each week only
        evidence = ((last, log_evidence(differences[: last * rows], largest, of[: last * rows])) for last in weeks)
        found.append(next((last for last, each in evidence if each >= -math.log(ERROR)), -1))
    return found


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss", "mae", "rmse"])
def test_a_champion_that_is_no_worse_is_replaced_no_more_often_than_promised(metric: str) -> None:
    days = first_days(metric, 0.8, 0.8, series=SERIES, days=DAYS, rows=ROWS)
    wrong = sum(day >= 0 for day in days)
    assert wrong <= SERIES * ERROR + 3 * math.sqrt(SERIES * ERROR)


@pytest.mark.parametrize(("metric", "most_days"), [("accuracy", 14), ("roc_auc", 7), ("log_loss", 7), ("mae", 7), ("rmse", 7)])
def test_a_real_loss_is_shown_within_days(metric: str, most_days: int) -> None:
    days = first_days(metric, 2.5, 0.5, series=40, days=56, rows=ROWS)
    assert min(days) >= 0, "each is shown"
    assert np.median(days) <= most_days


def test_days_on_which_one_model_is_better_are_no_evidence_that_it_is() -> None:
    """The models predict differently for a tenth of the rows, and which of them is right more often changes from day to day."""
    series, days, rows = 60, 35, 1000
    by_rows = both = 0
    for seed in range(series):
        rng = np.random.default_rng(seed)
        gain = np.repeat(np.clip(rng.normal(0, 0.03, days), -0.09, 0.09), rows)
        draws, of = rng.random(days * rows), np.repeat(np.arange(days), rows)
        differences = (draws < (0.1 + gain) / 2).astype(float) - (draws > 1 - (0.1 - gain) / 2)
        looks = [slice(last * rows) for last in range(7, days + 1, 7)]
        by_rows += any(log_capital_of(differences[look], 0.0) >= -math.log(ERROR) for look in looks)
        both += any(log_evidence(differences[look], 1.0, of[look]) >= -math.log(ERROR) for look in looks)
    assert by_rows > series * 3 * ERROR, "rows alone would not do"
    assert both <= series * ERROR + 3 * math.sqrt(series * ERROR)


@pytest.mark.deep
def test_a_champion_that_is_worse_on_weekdays_and_better_in_the_week_stays() -> None:
    """It is promoted on a Monday, and predicts 2% more of the rows wrong until Friday, and 6% fewer at the weekend.

    One looks on Fridays, when the rows so far speak most against it, and on Sundays, when the evidence changes.
    """
    series, days, rows = rounds(10, 30), 28, 2000
    looks = [week + day for week in range(0, days, 7) for day in (5, 7)]
    replaced = 0
    for seed in range(series):
        rng = np.random.default_rng(seed)
        of = np.repeat(np.arange(days), rows)
        worse = np.where(of % 7 < 5, 0.02, -0.06)
        draws = rng.random(days * rows)
        differences = (draws < (0.1 + worse) / 2).astype(float) - (draws > 1 - (0.1 - worse) / 2)
        evidence = (log_evidence(differences[: last * rows], 1.0, of[: last * rows]) for last in looks)
        replaced += max(evidence) >= -math.log(ERROR)
    assert replaced <= series * ERROR


def test_the_days_after_the_last_whole_week_do_not_count() -> None:
    rng = np.random.default_rng(1)
    values = rng.choice([-1.0, 0.0, 1.0, 1.0], 13 * 50)
    days = np.repeat(np.arange(13), 50)
    assert log_evidence(values[: 6 * 50], 1.0, days[: 6 * 50]) == 0
    assert log_evidence(values, 1.0, days) == log_evidence(values[: 7 * 50], 1.0, days[: 7 * 50]) > 0


@pytest.mark.parametrize("metric", ROW_LOSSES)
def test_every_metric_with_a_row_loss_has_losses_within_their_limits(metric: str) -> None:
    draw = two_classes if METRIC_FACTS[metric].problem == "classification" else numbers
    served, previous, labels = draw(np.random.default_rng(1), 400, 2.5, 0.5)
    found = loss_differences(metric, served, previous, labels)
    assert found.shape == (400,)
    assert found.mean() > 0
    if draw is two_classes:
        assert abs(found).max() <= 1
    values = [
        metric_of(metric, ("a", "b") if draw is two_classes else ()).compute(each, labels, np.ones((1, 400)))[0]
        for each in (served, previous)
    ]
    assert (values[0] - values[1]) * METRIC_FACTS[metric].direction < 0, "the metric itself agrees"


def test_losses_of_many_classes_are_within_their_limits() -> None:
    wrong, right = np.array([[0.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 0.0]])
    served, previous = (Predictions(values, values.argmax(axis=1)) for values in (wrong, right))
    for metric in ("accuracy", "brier", "log_loss", "roc_auc"):
        assert loss_differences(metric, served, previous, np.zeros(1)) == pytest.approx([1.0])


def test_metrics_without_row_losses_have_none() -> None:
    assert row_loss_name("f1") is None
    assert row_loss_name("average_precision(class=x)") == "Brier score"


@examples(100)
@given(values=st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=300))
def test_the_evidence_is_that_of_wins_losses_and_ties(values: list[float]) -> None:
    counts = [values.count(each) for each in (1.0, -1.0, 0.0)]
    assert log_capital_of(np.array(values), 0.0) == pytest.approx(float(log_capital(*counts, 0.0)), abs=1e-9)


@examples(100)
@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=50), largest=st.floats(0.01, 10))
def test_the_evidence_is_never_more_than_that_of_rows(values: list[float], largest: float) -> None:
    before = np.array(values)
    days = np.arange(len(before)) % 7
    bound = log_capital_of(np.clip(before / largest, -1, 1), 0.0) if len(before) >= 7 else 0.0
    assert log_evidence(before, largest, days) <= bound
    most = np.full(7, largest)
    assert log_evidence(most, largest, np.arange(7)) == log_evidence(9 * most, largest, np.arange(7)) > 0


def test_equal_models_of_numbers_are_no_evidence() -> None:
    assert log_evidence(np.zeros(200), 0.0, np.arange(200)) == 0.0
