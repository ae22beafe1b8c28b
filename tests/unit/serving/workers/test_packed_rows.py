"""The rows of a large request, which are packed: they are the same rows, and get the same answers."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import RequestError
from taxiway.features.signature import ModelColumns
from taxiway.models.predictor import Cells, Predictor
from taxiway.serving.gateway.bodies.formats import BodyFormat
from taxiway.serving.gateway.bodies.read_body import read_body, read_large_body
from taxiway.serving.protocol import USUAL_LIMITS, PickledRows, Rows
from taxiway.serving.workers.process import predict_with

CELLS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from("abc"), CELLS | st.lists(CELLS, max_size=2), min_size=1), min_size=1, max_size=6
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def predictor(predict: Any) -> Predictor:
    return Predictor(ModelColumns(("x", "y"), ()), predict, "original")


def sums(cells: Cells) -> Any:
    return np.column_stack([np.array(cells["x"], float), np.array(cells["y"], float)])


@examples(100)
@given(records=RECORDS)
def test_a_large_body_has_the_rows_of_a_small_one(records: list[dict[str, Any]]) -> None:
    body = json.dumps({"dataframe_records": records}).encode()
    text, rows = read_body(body, BodyFormat.JSON, USUAL_LIMITS)
    without_text, packed = read_large_body(body, BodyFormat.JSON, USUAL_LIMITS)
    assert (text, without_text) == (body.decode(), None)
    assert (packed.columns, packed.data, packed.row_count, packed.cells) == (rows.columns, rows.data, len(records), rows.cells)


def test_a_large_csv_is_logged_as_json() -> None:
    text, packed = read_large_body(b"x,y\n1,2\n3,4\n", BodyFormat.CSV, USUAL_LIMITS)
    assert text == '{"dataframe_split":{"columns":["x","y"],"data":[["1","2"],["3","4"]]}}'
    assert packed.data == [["1", "2"], ["3", "4"]]


@examples(100)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), data=st.data())
def test_packed_rows_get_the_answers_of_the_rows(sizes: list[int], data: st.DataObject) -> None:
    batch: list[Rows] = []
    for size in sizes:
        row = st.lists(NUMBERS, min_size=2, max_size=2)
        columns = tuple(data.draw(st.permutations(["x", "y"])))
        batch.append(Rows(columns, data.draw(st.lists(row, min_size=size, max_size=size))))
    mixed: Sequence[Rows | PickledRows] = [PickledRows.of(rows) if data.draw(st.booleans()) else rows for rows in batch]
    expected = [outcome.predictions for outcome in predict_with(predictor(sums), batch)]
    assert [outcome.predictions for outcome in predict_with(predictor(sums), mixed)] == expected
    for rows, predictions in zip(batch, expected, strict=True):
        in_order = [dict(zip(rows.columns, row, strict=True)) for row in rows.data]
        assert json.loads(predictions) == [[row["x"], row["y"]] for row in in_order]


@examples(200)
@given(number=NUMBERS)
def test_a_number_of_an_answer_is_the_models_bit_for_bit(number: float) -> None:
    (outcome,) = predict_with(predictor(lambda _: np.array([number])), [Rows(("x", "y"), [[1, 2]])])
    (found,) = json.loads(outcome.predictions)
    assert (found, math.copysign(1, found), type(found)) == (number, math.copysign(1, number), float)


@pytest.mark.parametrize("predictions", [[math.nan], [math.inf], np.array([-math.inf]), np.array(math.nan)])
def test_predictions_that_are_no_numbers_are_an_error_of_the_model(predictions: Any) -> None:
    (outcome,) = predict_with(predictor(lambda _: np.asarray(predictions)), [Rows(("x", "y"), [[1, 2]])])
    assert (outcome.status, outcome.predictions) == (500, "")


def test_too_many_empty_records_are_refused_before_they_are_counted() -> None:
    with pytest.raises(RequestError) as raised:
        read_body(json.dumps({"inputs": [{}] * 10_001}).encode(), BodyFormat.JSON, USUAL_LIMITS)
    assert raised.value.status == 413
