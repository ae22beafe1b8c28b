"""Learning curves of a known power law, and how often their intervals contain what more rows really gain."""

import numpy as np
import pytest

from taxiway.errors import DataError
from taxiway.monitoring.learning_curve import fit_learning_curve, gain_of_rows

ROWS = (500, 1_000, 2_000, 4_000, 8_000)


def test_an_exact_power_law_is_found_and_extrapolated() -> None:
    curve = fit_learning_curve("accuracy", {rows: 1 - 2 * rows**-0.3 for rows in ROWS})
    gain, low, high = gain_of_rows(curve, 8_000, 0.95)
    assert curve.exponent == pytest.approx(0.3)
    assert gain == pytest.approx(2 * 8_000**-0.3 - 2 * 16_000**-0.3)
    assert (low, high) == pytest.approx((gain, gain), abs=1e-6)


def test_lower_values_are_better_for_an_error() -> None:
    curve = fit_learning_curve("mae", {rows: 50 * rows**-0.5 for rows in ROWS})
    assert gain_of_rows(curve, 8_000, 0.95)[0] == pytest.approx(50 * (8_000**-0.5 - 16_000**-0.5))


def test_rows_that_teach_nothing_have_no_gain() -> None:
    gain, _, _ = gain_of_rows(fit_learning_curve("roc_auc", dict.fromkeys(ROWS, 0.8)), 8_000, 0.95)
    assert gain == pytest.approx(0, abs=1e-9)


def test_the_interval_contains_the_gain_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    true, found = 2 * 8_000**-0.3 - 2 * 16_000**-0.3, []
    for _ in range(1_000):
        errors = {rows: 2 * rows**-0.3 * float(np.exp(rng.normal(scale=0.03))) for rows in ROWS}
        _, low, high = gain_of_rows(
            fit_learning_curve("accuracy", {rows: 1 - error for rows, error in errors.items()}), 8_000, 0.95
        )
        found.append(low <= true <= high)
    assert np.mean(found) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("values", [{500: 0.8, 1_000: 0.9, 2_000: 0.95}, {500: 0.8, 1_000: 0.9, 2_000: 0.95, 4_000: 1.0}])
def test_values_without_a_power_law_are_refused(values: dict[int, float]) -> None:
    with pytest.raises(DataError):
        fit_learning_curve("accuracy", values)
