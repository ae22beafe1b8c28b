"""Lists become numbers: as a brute force over the lists themselves gives them, however the lists are written."""

import json
import math
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import DataError
from taxiway.features import raw_frame
from taxiway.features.transformers.lists import ListNumbers, ListValues

ITEMS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(alphabet='ab\u00e9"\\,[', max_size=2) | st.characters(),
    "integer": st.integers(-(2**62), 2**62),
    "boolean": st.booleans(),
    "number": st.floats(allow_nan=False, allow_infinity=False),
}
ARROW = {"string": pa.string(), "integer": pa.int64(), "boolean": pa.bool_(), "number": pa.float64()}


def texts(lists: Any, kind: str) -> pd.DataFrame:
    return raw_frame({"x": lists}, (), ("x",), {"x": f"list of {kind}"})


@examples(60)
@given(kind=st.sampled_from([*ITEMS]), data=st.data())
def test_a_list_is_the_same_text_however_it_is_written(kind: str, data: st.DataObject) -> None:
    lists = data.draw(st.lists(st.none() | st.lists(st.none() | ITEMS[kind], max_size=4), min_size=1, max_size=8))
    expected = texts(lists, kind)["x"].tolist()
    arrow = pa.array(lists, pa.list_(ARROW[kind]))
    forms = [
        [None if cell is None else tuple(cell) for cell in lists],
        pd.Series([None if cell is None else np.array(cell, dtype=object) for cell in lists], dtype=object),
        pd.Series(arrow, dtype=pd.ArrowDtype(arrow.type)),
        json.loads(json.dumps(lists)),
    ]
    for form in forms:
        assert texts(form, kind)["x"].tolist() == expected
    for cell, text in zip(lists, expected, strict=True):
        read = None if text is None else json.loads(text)
        assert read == (
            cell if cell is None or kind in ("number", "string") else [None if one is None else str(one) for one in cell]
        )


@pytest.mark.parametrize(
    ("kind", "cell", "words"),
    [
        ("string", "a;b", "column x is 'a;b'; allowed: a list of texts, or null"),
        ("string", ["a", 7], "allowed: a list of texts; item 1 is a value of the type int, and must be a text"),
        ("integer", [1.5], "allowed: a list of integers; item 0 is a value of the type float, and must be an integer"),
        ("integer", ["one"], "item 0 is a value of the type str, and must be an integer"),
        ("boolean", ["yes"], "item 0 is a value of the type str, and must be true or false"),
        ("number", [1, True], "item 1 is a value of the type bool, and must be a finite number"),
        ("number", [math.inf], "item 0 is a value of the type float, and must be a finite number"),
        ("number", [10**400], "item 0 is a value of the type int, and must be a finite number"),
        ("number", [[1.0]], "item 0 is a value of the type a list, and must be a finite number"),
        ("number", np.ones((2, 2)), "allowed: a list of numbers"),
        ("integer", {"a": 1}, "allowed: a list of integers, or null"),
        ("integer", [np.datetime64("2024-01-01")], "must be an integer"),
        ("integer", np.array(["2024-01-01"], dtype="datetime64[ns]"), "must be an integer"),
        ("string", [{"a": 1}], "must be a text"),
    ],
)
def test_what_is_no_list_of_its_type_is_a_sentence(kind: str, cell: Any, words: str) -> None:
    with pytest.raises(DataError) as raised:
        texts([None, cell], kind)
    assert "row 1: column x is" in str(raised.value)
    assert words in str(raised.value)


def test_an_evaluated_list_of_another_type_is_unknown_instead() -> None:
    rows = {"x": [["a", 7, [1]], "a", [True], None]}
    read = raw_frame(rows, (), ("x",), {"x": "list of string"}, lenient=True)["x"].tolist()
    assert read == ['["a","7","[1]"]', None, '["True"]', None]
    assert raw_frame(rows, (), ("x",), {"x": "list of number"}, lenient=True)["x"].tolist() == [
        "[null,7.0,null]", None, "[null]", None,
    ]  # fmt: skip


VALUES = st.lists(st.none() | st.lists(st.none() | st.sampled_from(["a", "b", "c", ""]), max_size=5), min_size=1, max_size=90)


@examples(60)
@given(training=VALUES, later=VALUES)
def test_values_are_counted_as_by_hand(training: list[Any], later: list[Any]) -> None:
    fitted = ListValues().fit(texts(training, "string"))
    having = {value: sum(value in cell for cell in training if cell is not None) for value in ("", "a", "b", "c")}
    known = sorted((value for value in having if having[value] >= 20), key=lambda value: (-having[value], value))
    assert fitted.values_ == [known]
    assert fitted.get_feature_names_out(["x"]).tolist() == [*(f"x={value}" for value in known), "x.other", "x.length"]
    numbers = fitted.transform(texts(later, "string"))
    for cell, row in zip(later, numbers, strict=True):
        if cell is None:
            assert np.isnan(row).all()
        else:
            others = {one for one in cell if one is not None and one not in known}
            assert row.tolist() == [*(float(value in cell) for value in known), len(others), len(cell)]


def test_only_the_most_frequent_hundred_values_have_a_number() -> None:
    rows = [[at] for at in range(130) for _ in range(20 + at)]
    fitted = ListValues().fit(texts(rows, "integer"))
    assert [Counter(fitted.values_[0]).total(), fitted.values_[0][0], fitted.values_[0][-1]] == [100, "129", "30"]
    assert fitted.transform(texts([[129, 0, 1, 1]], "integer"))[0, [0, -2, -1]].tolist() == [1, 2, 4]


NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@examples(60)
@given(size=st.integers(0, 4), data=st.data())
def test_lists_of_one_length_are_their_numbers(size: int, data: st.DataObject) -> None:
    one_length = st.lists(NUMBERS, min_size=size, max_size=size)
    training = [*data.draw(st.lists(st.none() | one_length, max_size=4)), [0.0] * size]
    fitted = ListNumbers().fit(texts(training, "number"))
    later = data.draw(st.lists(st.none() | one_length | st.lists(NUMBERS, max_size=5), min_size=1, max_size=6))
    missing = [None] * size
    expected = [cell if cell is not None and len(cell) == size else missing for cell in later]
    found = fitted.transform(texts(later, "number"))
    assert np.array_equal(found, np.array(expected, dtype=float).reshape(len(later), size), equal_nan=True)
    assert fitted.get_feature_names_out(["x"]).tolist() == [f"x.{at}" for at in range(1, size + 1)]


@examples(60)
@given(later=st.lists(st.none() | st.lists(NUMBERS, max_size=5), min_size=1, max_size=6))
def test_lists_of_different_lengths_are_their_length_mean_minimum_and_maximum(later: list[Any]) -> None:
    fitted = ListNumbers().fit(texts([[1.0], [1.0, 2.0]], "number"))
    assert fitted.get_feature_names_out(["x"]).tolist() == ["x.length", "x.mean", "x.min", "x.max"]
    for cell, row in zip(later, fitted.transform(texts(later, "number")), strict=True):
        known = [one for one in cell or () if one is not None]
        if cell is None:
            assert np.isnan(row).all()
        elif not known:
            assert (row[0], np.isnan(row[1:]).all()) == (len(cell), True)
        else:
            assert (row[0], row[2], row[3]) == (len(cell), min(known), max(known))
            mean = float(sum(map(Fraction, known)) / len(known))
            assert row[1] == pytest.approx(mean, rel=1e-15, abs=1e-280)


def test_very_long_lists_of_one_length_are_summarized() -> None:
    assert ListNumbers().fit(texts([[0.0] * 4097] * 2, "number")).sizes_ == [None]
    assert ListNumbers().fit(texts([[0.0] * 4096] * 2, "number")).sizes_ == [4096]


def test_decimals_and_floats_of_any_width_are_numbers() -> None:
    cells = [[Decimal("1.50"), 2], np.float32([1.5, 2]), np.array([1.5, 2]), pa.array([1.5, 2]).to_pylist(), ["1.5", "2"]]
    assert texts(cells, "number")["x"].tolist() == ["[1.5,2.0]"] * 5
