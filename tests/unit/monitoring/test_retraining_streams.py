"""How soon a champion is trained again after a change of the world, and how often without one, on streams with real models."""

import math

import pytest
from monitoring.streams import NOISE, stream, trainings_on

from taxiway.spec.monitor import RetrainingPolicy

POLICY = RetrainingPolicy(min_gain=0.01)
ROWS, CHANGE = 500, 30
RETURNS = 2
"""Labels come one window late: the window of the change is known two windows later."""


def test_at_most_one_training_on_average_in_a_hundred_quiet_windows() -> None:
    made = [trainings_on(stream(105, ROWS, lambda _: 0.5, seed), POLICY) for seed in range(2)]
    assert sum(map(len, made)) <= 2


@pytest.mark.parametrize("seed", range(3))
def test_a_sudden_change_is_answered_as_soon_as_its_labels_are_known(seed: int) -> None:
    found = trainings_on(stream(50, ROWS, lambda window: 0.5 + 0.8 * (window >= CHANGE), seed), POLICY)
    after = [window for window in found if window >= CHANGE]
    assert after[0] == CHANGE + RETURNS
    assert len(after) <= 3


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_turn_around_are_answered_as_soon_as_they_are_known(seed: int) -> None:
    found = trainings_on(stream(50, ROWS, lambda window: 0.5 + math.pi * (window >= CHANGE), seed), POLICY)
    after = [window for window in found if window >= CHANGE]
    assert after[0] == CHANGE + RETURNS
    assert len(after) <= 4


@pytest.mark.parametrize("seed", range(2))
def test_a_gradual_change_is_answered_before_it_has_cost_fifteen_points(seed: int) -> None:
    def angle(window: int) -> float:
        return 0.5 + 0.04 * min(max(window - CHANGE, 0), 30)

    found = [window for window in trainings_on(stream(70, ROWS, angle, seed), POLICY) if window >= CHANGE]
    assert (1 - 2 * NOISE) * (angle(found[0]) - angle(CHANGE)) / math.pi < 0.15
    assert 3 <= len(found) <= 15


def test_seasons_are_followed_with_fewer_trainings_than_windows() -> None:
    found = trainings_on(stream(80, ROWS, lambda window: 0.5 + 0.8 * math.sin(2 * math.pi * window / 26), 1), POLICY)
    quiet = trainings_on(stream(80, ROWS, lambda _: 0.5, 1), POLICY)
    assert len(quiet) <= 2, "without seasons, there is nothing to follow"
    assert 20 <= len(found) <= 45


@pytest.mark.parametrize("seed", range(2))
def test_labels_that_become_wrong_more_often_cause_no_storm(seed: int) -> None:
    made = stream(90, ROWS, lambda _: 0.5, seed, lambda window: 0.3 if window >= CHANGE else NOISE)
    assert len([window for window in trainings_on(made, POLICY) if window >= CHANGE]) <= 4
