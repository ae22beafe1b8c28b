"""A value that no column holds is an error that names the column, and never an error of a library."""

from decimal import Decimal
from typing import Any

import pytest

from taxiway.errors import DataError
from taxiway.features.cells import UnfitError, typed
from taxiway.features.encoding import raw_frame

EDGES = (10**400, -(10**4000), "9" * 400, Decimal("1e400"), "0000-01-01", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59")
EDGES = (*EDGES, "9999-12-31T23:59:59-23:59", "9999-12-31 23:59:59.999999999", "2013-06-01T12:00:00+99:99", [10**400])


@pytest.mark.parametrize("cell", EDGES, ids=lambda cell: str(cell)[:20])
@pytest.mark.parametrize(
    "kind", ["integer", "number", "string", "boolean", "date", "datetime", "list of integer", "list of number"]
)
def test_a_value_at_the_edge_of_a_type_is_a_value_or_an_error_of_the_data(kind: str, cell: Any) -> None:
    for numeric, categorical in ((["x"], []), ([], ["x"])):
        try:
            raw_frame({"x": [cell]}, numeric, categorical, {"x": kind})
        except DataError as error:
            assert error.key == "x"


def test_the_year_0_is_no_date_and_a_long_integer_is_one() -> None:
    with pytest.raises(UnfitError, match="a date in ISO 8601"):
        typed("0000-01-01", "date")
    assert typed("9" * 400, "integer") == 10**400 - 1


def test_a_decimal_of_any_size_is_an_integer_if_it_is_whole() -> None:
    assert typed(Decimal(10**28 + 1), "integer") == 10**28 + 1
    for cell in (Decimal("1e-40"), Decimal("Infinity"), Decimal("sNaN")):
        with pytest.raises(UnfitError, match="an integer"):
            typed(cell, "integer")
