"""The moments of numbers in exact arithmetic, which neither overflow nor underflow: what profiles are compared with."""

from collections.abc import Sequence
from fractions import Fraction

import pytest

from taxiway.data.profiling.profile import ColumnProfile

Moments = tuple[float, float, float, float]


def moments(values: Sequence[float]) -> Moments:
    """Mean, population standard deviation, skewness and excess kurtosis; 0 for a constant."""
    numbers = [Fraction(value) for value in values]
    mean = sum(numbers) / len(numbers)
    unit = max(abs(number - mean) for number in numbers)
    if not unit:
        return float(mean), 0.0, 0.0, 0.0
    deviations = [float((number - mean) / unit) for number in numbers]
    second, third, fourth = (sum(deviation**power for deviation in deviations) / len(deviations) for power in (2, 3, 4))
    std = second**0.5
    return float(mean), float(unit * Fraction(std)), third / std**3, fourth / second**2 - 3


def assert_moments(column: ColumnProfile, expected: Moments) -> None:
    """The column has these moments, to as many digits as floats can tell where the values are far from their mean's zero."""
    mean, std, skewness, kurtosis = expected
    largest = max(abs(column.minimum or 0.0), abs(column.maximum or 0.0))
    assert column.mean == pytest.approx(mean, rel=1e-9, abs=1e-9 * largest)
    assert column.std == pytest.approx(std, rel=1e-6, abs=1e-6 * largest)
    if std > 1e-3 * largest:
        assert column.skewness == pytest.approx(skewness, rel=1e-6, abs=1e-6)
        assert column.kurtosis == pytest.approx(kurtosis, rel=1e-6, abs=1e-6)
