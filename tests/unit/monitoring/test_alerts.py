"""Limits of alerts, and how often a chunk without any change is outside of them."""

from math import nan

import numpy as np
import pytest
from scipy.stats import t

from taxiway.monitoring.alerts import AlertLimits, alert_limits


def test_limits_are_three_standard_deviations_from_the_mean() -> None:
    limits = alert_limits("mae", [10.0, 12.0, 14.0, 12.0])
    assert (limits.low, limits.high) == pytest.approx((12 - 3 * 2**0.5, 12 + 3 * 2**0.5))


def test_limits_end_at_the_possible_values() -> None:
    assert alert_limits("accuracy", [0.1, 0.9]) == AlertLimits(0, 1)


def test_values_outside_of_the_limits_are_alerts() -> None:
    limits = AlertLimits(0.5, 0.75)
    assert [limits.alert(value) for value in (0.49, 0.5, 0.75, 0.76, nan)] == [True, False, False, True, False]


@pytest.mark.parametrize(("chunks", "stated"), [(10, 0.024), (25, 0.0082), (50, 0.0050)])
def test_false_alerts_are_as_frequent_as_stated(chunks: int, stated: float) -> None:
    exact = 2 * t.sf(3 * np.sqrt((chunks - 1) / (chunks + 1)), chunks - 1)
    assert exact == pytest.approx(stated, rel=0.02)
    drawn = np.random.default_rng(1).normal(size=(4_000, chunks + 1))
    alerts = np.mean([alert_limits("r2", reference).alert(new) for *reference, new in (drawn / 1_000).tolist()])
    assert alerts == pytest.approx(stated, abs=4 * np.sqrt(stated / 4_000))
