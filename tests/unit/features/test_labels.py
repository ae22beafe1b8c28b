"""Labels as files have them: decimals and large integers are numbers, too."""

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from taxiway.errors import DataError
from taxiway.features.labels import label_numbers, learnable_classes


def labels(*values: Any) -> "pd.Series[Any]":
    return pd.Series(values, dtype="object", name="price")


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ((Decimal("1.50"), Decimal("2.25"), 3), [1.5, 2.25, 3.0]),
        ((2**70, -1), [2.0**70, -1.0]),
    ],
)
def test_decimals_and_large_integers_are_numbers_of_a_regression(values: tuple[Any, ...], numbers: list[float]) -> None:
    assert label_numbers(labels(*values)).tolist() == numbers
    assert learnable_classes(labels(*values), "regression") == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [((10**400, 1), "infinite in 1 row"), ((True, Decimal(1)), "is of type object"), (("a", 1), "is of type object")],
)
def test_other_labels_of_a_regression_are_errors(values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        label_numbers(labels(*values))


def test_decimals_with_fractions_are_no_classes() -> None:
    with pytest.raises(DataError, match="some of them with fractions"):
        learnable_classes(labels(Decimal("1.5"), Decimal(2), Decimal(3)), "classification")
    assert learnable_classes(labels(Decimal("1.00"), Decimal(2), Decimal(3)), "classification") == ("1", "2", "3")
