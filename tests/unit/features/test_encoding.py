"""The raw columns of requests: long lists of one type are converted at once, with the results of cell by cell."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import DataError
from taxiway.features.encoding import raw_columns

NUMBERS = st.none() | st.integers(-(2**70), 2**70) | st.floats(-3e38, 3e38) | st.just(float("nan"))


@examples(200)
@given(cells=st.lists(NUMBERS, min_size=1, max_size=20), kind=st.sampled_from([None, "number", "integer", "boolean"]))
def test_numbers_that_are_converted_together_are_those_that_are_converted_alone(cells: list[Any], kind: str | None) -> None:
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
