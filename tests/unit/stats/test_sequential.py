"""The e-process on disagreements: valid whenever one stops, and earlier than a fixed number of rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.stats.bounds import bennett_rows
from taxiway.stats.sequential import expected_labels, log_capital, log_capital_of, sequence_limits

DISAGREEMENT = 0.1


def stops(gain: float, bound: float, error: float, *, rows: int, runs: int, seed: int) -> np.ndarray:
    """For each of some simulated series of rows the labels after which it was stopped; -1 if it never was."""
    rng = np.random.default_rng(seed)
    draws = rng.random((runs, rows))
    win, differ = (DISAGREEMENT + gain) / 2, DISAGREEMENT
    wins, labels = np.cumsum(draws < win, axis=1), np.cumsum(draws < differ, axis=1)
    every = np.arange(99, rows, 100)  # looks every 100 rows
    seen = np.arange(1, rows + 1)[every]
    capital = log_capital(wins[:, every], (labels - wins)[:, every], seen - labels[:, every], bound)
    reached = capital >= -math.log(error)
    return np.where(reached.any(axis=1), labels[:, every][np.arange(runs), reached.argmax(axis=1)], -1)


@pytest.mark.parametrize("bound", [0.0, 0.01, -0.02])
def test_an_untrue_claim_is_shown_no_more_often_than_promised(bound: float) -> None:
    runs, error = 400, 0.05
    shown = stops(bound, bound, error, rows=5_000, runs=runs, seed=1) >= 0
    assert shown.sum() <= runs * error + 6 * math.sqrt(runs * error)


@pytest.mark.parametrize(("gain", "bound", "labels"), [(0.02, 0.0, 449), (0.03, 0.01, 446), (0.05, 0.01, 110)])
def test_labels_are_about_as_many_as_they_can_be(gain: float, bound: float, labels: int) -> None:
    """The given numbers are the medians of a bet that knows the share of wins; this one has to find it."""
    found = stops(gain, bound, 1e-4, rows=20_000, runs=100, seed=2)
    assert (found >= 0).mean() > 0.9
    median = np.median(found[found >= 0])
    assert labels * 0.9 < median < labels * 1.4
    expected = expected_labels(gain, DISAGREEMENT, bound, math.log(1e-4), 10**6)
    assert expected is not None and 0.8 * expected < median < 1.25 * expected


def test_stopping_early_saves_labels() -> None:
    log_error = math.log(1e-4)
    fixed = bennett_rows(0.01, log_error, DISAGREEMENT)
    early = expected_labels(0.02, DISAGREEMENT, 0.0, log_error, fixed)
    assert early is not None and early < fixed * DISAGREEMENT / 2
    assert expected_labels(0.0, DISAGREEMENT, 0.0, log_error, fixed) is None


@examples(50)
@given(wins=st.integers(0, 500), losses=st.integers(0, 500), ties=st.integers(0, 5_000), bound=st.floats(-0.9, 0.9))
def test_wins_add_to_the_evidence_and_losses_take_away(wins: int, losses: int, ties: int, bound: float) -> None:
    capital = log_capital(wins, losses, ties, bound)
    assert log_capital(wins + 1, losses, ties, bound) > capital > log_capital(wins, losses + 1, ties, bound)


def test_one_row_gains_nothing_on_average_at_the_bound() -> None:
    for bound in (-0.3, 0.0, 0.2):
        win = (0.5 + bound) / 2
        mean = (
            win * np.exp(log_capital(1, 0, 0, bound))
            + (0.5 - win) * np.exp(log_capital(0, 1, 0, bound))
            + 0.5 * np.exp(log_capital(0, 0, 1, bound))
        )
        assert mean == pytest.approx(1)


@examples(20)
@given(wins=st.integers(0, 60), losses=st.integers(0, 60), ties=st.integers(0, 300), bound=st.floats(-0.9, 0.9))
def test_rows_with_any_value_are_bet_on_as_wins_and_losses_are(wins: int, losses: int, ties: int, bound: float) -> None:
    values = np.repeat([1.0, -1.0, 0.0], [wins, losses, ties])
    assert log_capital_of(values, bound) == pytest.approx(float(log_capital(wins, losses, ties, bound)), abs=1e-9)


@examples(20)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 200), spread=st.floats(0.01, 1))
def test_the_limits_are_around_the_mean_and_do_not_depend_on_the_order(seed: int, rows: int, spread: float) -> None:
    values = np.random.default_rng(seed).uniform(-spread, spread, rows)
    low, high = sequence_limits(values, math.log(0.005))
    assert -1 <= low <= values.mean() <= high <= 1
    assert sequence_limits(values[::-1], math.log(0.005)) == pytest.approx((low, high))
    assert sequence_limits(-values, math.log(0.005)) == pytest.approx((-high, -low))


def test_without_rows_nothing_is_known() -> None:
    assert sequence_limits(np.empty(0), math.log(0.005)) == (-1.0, 1.0)
