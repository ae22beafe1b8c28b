"""When losses have changed: the day and its interval, no change among quiet or unequal days, and every kind of loss."""

from datetime import UTC, datetime

import numpy as np
import pytest

from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.changes import MAX_DAYS, changes
from taxiway.monitoring.row_losses import largest_loss, loss_name_of, loss_of_rows

FIRST = datetime(2013, 5, 1, tzinfo=UTC).toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
STEP = np.repeat([0.18, 0.27], 28)


def errors(seed: int, rates: np.ndarray, rows: int = 200, spread: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Errors of so many rows a day, whose rate also differs between days."""
    rng, days = np.random.default_rng(seed), np.repeat(np.arange(len(rates)), rows)
    by_day = np.clip(rates + rng.normal(0, spread, len(rates)), 0, 1)
    return (rng.random(len(days)) < by_day[days]).astype(float), FIRST + days


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_a_step_is_found_at_its_day(spread: float) -> None:
    for seed in range(5):
        (found,) = changes(*errors(seed, STEP, spread=spread))
        assert found.earliest <= FIRST + 28 <= found.latest
        assert abs(found.day - FIRST - 28) <= 3
        assert (found.before, found.after) == (pytest.approx(0.18, abs=0.02), pytest.approx(0.27, abs=0.02))
        assert (found.rows_before + found.rows_after, found.rows_before) == (11_200, 200 * (found.day - FIRST))


@pytest.mark.parametrize(
    ("rates", "rows", "spread"),
    [
        (np.full(56, 0.18), 200, 0.0),
        (np.full(56, 0.18), 500, 0.02),
        (0.18 + 0.05 * (np.arange(56) % 7 >= 5), 500, 0.0),
        (np.where(np.arange(56) == 40, 0.6, 0.18), 300, 0.0),
    ],
    ids=["quiet", "harder and easier days", "weekends", "one bad day"],
)
def test_days_that_differ_without_a_change_have_none(rates: np.ndarray, rows: int, spread: float) -> None:
    assert [seed for seed in range(10) if changes(*errors(seed, rates, rows, spread))] == []


def test_a_worse_week_has_two_changes_and_an_improvement_is_one() -> None:
    worse, better = changes(*errors(1, np.repeat([0.18, 0.4, 0.18], [20, 10, 20])))
    assert (worse.day, better.day) == (FIRST + 20, FIRST + 30)
    assert worse.after == better.before > better.after
    assert worse.rows_after == better.rows_before == 2000
    (found,) = changes(*errors(1, STEP[::-1]))
    assert found.after < found.before


def test_too_few_days_or_rows_show_nothing() -> None:
    assert changes(np.empty(0), np.empty(0, dtype=int)) == []
    assert changes(*errors(0, np.repeat([0.0, 1.0], 2), rows=2000)) == [], "four days have no order that is rare"
    assert changes(*errors(0, STEP, rows=1)) == []


def test_only_the_newest_days_are_looked_at() -> None:
    rates = np.repeat([0.5, 0.1], [100, MAX_DAYS])
    assert changes(*errors(0, rates, rows=20)) == []
    assert len(changes(*errors(0, rates[:-50], rows=20))) == 1


def test_numbers_have_changes_in_their_unit() -> None:
    rng, days = np.random.default_rng(0), np.repeat(np.arange(40), 100)
    truth = rng.normal(size=len(days))
    predicted = Predictions(truth + rng.normal(size=len(days)) * np.where(days < 20, 10, 20))
    name, losses = loss_of_rows("mae", predicted, truth)
    (found,) = changes(losses, FIRST + days, largest_loss(name, losses[:2000]))
    assert (name, found.day) == ("absolute error", FIRST + 20)
    assert (found.before, found.after) == (pytest.approx(losses[:2000].mean()), pytest.approx(losses[2000:].mean()))
    assert changes(np.zeros(4000), FIRST + days, 0.0) == []
    losses[500] = 1e9
    (despite,) = changes(losses, FIRST + days, largest_loss(name, losses[:400]))
    assert despite.day == found.day, "one row with a huge loss hides nothing"


def test_every_metric_has_a_loss() -> None:
    names = {
        name: loss_name_of(name) for name in ("roc_auc", "accuracy", "f1", "recall(class=late)", "rmse", "mape", "log_loss")
    }
    assert names == {
        "roc_auc": "Brier score",
        "accuracy": "error rate",
        "f1": "error rate",
        "recall(class=late)": "error rate",
        "rmse": "squared error",
        "mape": "absolute error",
        "log_loss": "clipped log loss",
    }
    predictions = Predictions(np.array([[0.5, 0.5], [1.0, 0.0]]), 1)
    name, losses = loss_of_rows("log_loss", predictions, np.array([1.0, 1.0]))
    assert losses.tolist() == pytest.approx([np.log(2), largest_loss(name, np.empty(0))])
