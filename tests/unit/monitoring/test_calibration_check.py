"""The check of calibrated probabilities by labels: hardly any alarm without a change, and the changes that must be found."""

from typing import Any

import numpy as np
import pytest

from taxiway.monitoring.calibration import calibrate
from taxiway.monitoring.calibration_check import check_calibration


def drawn(rng: np.random.Generator, rows: int, base: float = 0.0) -> tuple[Any, Any]:
    """Probabilities of two classes, and labels that follow from them, or from ones whose logarithm of the odds is larger by `base`."""
    logits = rng.normal(-1.5, 1, rows)
    probability, truth = (1 / (1 + np.exp(-value)) for value in (logits, logits + base))
    return np.stack([1 - probability, probability], axis=1), (rng.random(rows) < truth).astype(float)


@pytest.mark.parametrize(("reference", "window"), [(2000, 500), (2000, 20_000), (500, 5000)])
def test_probabilities_that_hold_are_hardly_ever_said_not_to(reference: int, window: int) -> None:
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        values, labels = drawn(rng, reference)
        calibration = calibrate(values, labels)
        values, labels = drawn(rng, window)
        found = check_calibration(calibration.probabilities(values), labels, ("no", "yes"), reference, 0.99)
        alarms += not found.holds
    assert alarms <= 4, "1 is expected, and 5 or more have a probability of 0.3%"


def test_more_of_a_class_than_expected_is_found_and_said() -> None:
    rng = np.random.default_rng(1)
    values, labels = drawn(rng, 3000, base=0.35)
    found = check_calibration(values, labels, ("in time", "late"), 20_000, 0.99)
    assert not found.holds
    assert found.assumed < found.observed.low
    assert found.describe().startswith("the estimate assumed 22.")
    assert " late, 26.8% (24.7% to 28.9%) of 3,000 labels are" in found.describe()
    assert 0.03 < found.error < 0.1


def test_of_several_classes_the_one_with_the_most_evidence_is_said() -> None:
    rng = np.random.default_rng(2)
    values = rng.dirichlet((4, 3, 3), 4000)
    labels = np.array([rng.choice(3, p=each) for each in values], dtype=float)
    assert check_calibration(values, labels, ("a", "b", "c"), 4000, 0.99).holds
    changed = np.where((labels == 0) & (rng.random(4000) < 0.3), 2.0, labels)
    found = check_calibration(values, changed, ("a", "b", "c"), 4000, 0.99)
    assert not found.holds
    assert found.label in ("a", "c")


def test_certain_probabilities_that_are_wrong_once_hold() -> None:
    values = np.repeat([[1.0, 0.0]], 400, axis=0)
    labels = np.zeros(400)
    assert check_calibration(values, labels, ("no", "yes"), 400, 0.99).holds
    labels[0] = 1
    assert check_calibration(values, labels, ("no", "yes"), 400, 0.99).holds
    labels[:40] = 1
    assert not check_calibration(values, labels, ("no", "yes"), 400, 0.99).holds
