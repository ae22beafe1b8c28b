"""The raw columns of requests: long lists of one type are converted at once, with the results of cell by cell."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import DataError
from taxiway.features.encoding import category_text, raw_columns

INTEGERS = st.none() | st.integers(-(2**70), 2**70) | st.just(float("nan")) | st.just(7.0)
NUMBERS = INTEGERS | st.floats(-3e38, 3e38)
BOOLEANS = st.none() | st.sampled_from([0, 1, 0.0, 1.0, float("nan")])
OF_KIND: dict[str | None, st.SearchStrategy[Any]] = {
    None: NUMBERS,
    "number": NUMBERS,
    "integer": INTEGERS,
    "boolean": BOOLEANS,
}


@examples(200)
@given(data=st.data(), kind=st.sampled_from(list(OF_KIND)))
def test_numbers_that_are_converted_together_are_those_that_are_converted_alone(data: st.DataObject, kind: str | None) -> None:
    cells = data.draw(st.lists(OF_KIND[kind], min_size=1, max_size=20))
    types = {} if kind is None else {"x": kind}
    together, _ = raw_columns({"x": cells}, ["x"], [], types)
    # A text, which is parsed, prevents that the cells are converted together.
    alone, _ = raw_columns({"x": [*cells, "0"]}, ["x"], [], types)
    np.testing.assert_array_equal(together["x"], alone["x"][:-1])


@examples(100)
@given(cells=st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=20), kind=st.sampled_from([None, "string"]))
def test_texts_are_their_own_categories(cells: list[Any], kind: str | None) -> None:
    types = {} if kind is None else {"x": kind}
    assert raw_columns({"x": cells}, [], ["x"], types)[1]["x"] == cells


def test_a_number_that_no_float_holds_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"row 1: column x is 10{20}"):
        raw_columns({"x": [1, 10**400]}, ["x"], [], {})


@pytest.mark.parametrize(
    ("kind", "cell", "allowed"),
    [
        ("integer", 5.5, "an integer, or null"),
        ("integer", "5.5", "an integer, or null"),
        ("integer", True, "an integer, or null"),
        ("number", True, "a number, or null"),
        ("boolean", 0.5, "true, false or null"),
        ("boolean", 2, "true, false or null"),
    ],
)
@pytest.mark.parametrize("other", [None, "0"])
def test_a_number_is_of_the_type_of_its_column(kind: str, cell: Any, allowed: str, other: str | None) -> None:
    with pytest.raises(DataError, match=f"row 1: column x is .*; allowed: {allowed}"):
        raw_columns({"x": [other, cell]}, ["x"], [], {"x": kind})
    (number,) = raw_columns({"x": [cell]}, ["x"], [], {"x": kind}, lenient=True)[0]["x"]
    assert number == float(cell)


def test_booleans_of_numpy_are_no_numbers() -> None:
    column = {"x": pd.Series([True, False])}
    assert raw_columns(column, ["x"], [], {"x": "boolean"})[0]["x"].tolist() == [1.0, 0.0]
    with pytest.raises(DataError, match="allowed: an integer, or null"):
        raw_columns(column, ["x"], [], {"x": "integer"})


def test_small_floats_and_zoned_times_are_the_categories_of_requests() -> None:
    numbers = [0.1, 1.0, None, 1.5e-7]
    small = pd.Series(np.array([np.nan if number is None else number for number in numbers], dtype="float32"))
    sent = raw_columns({"x": numbers}, [], ["x"], {"x": "number"})
    assert raw_columns(pd.DataFrame({"x": small}), [], ["x"], {"x": "number"}) == sent
    assert [category_text(value) for value in np.array([0.1, 1, 110899528], dtype="float32")] == ["0.1", "1", "110899528"]
    times = ["2024-01-01T05:00:00+00:00", "2024-01-01T06:00:00+01:00"]
    first = raw_columns({"x": times}, [], ["x"], {"x": "datetime"})
    assert first[1] == {"x": ["2024-01-01T05:00:00+00:00"] * 2}
    in_tokyo = pd.DataFrame({"x": pd.to_datetime(times, utc=True).tz_convert("Asia/Tokyo")})
    assert raw_columns(in_tokyo, [], ["x"], {"x": "datetime"}) == first
