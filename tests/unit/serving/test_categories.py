"""A category is the same text in training, evaluation and serving, however a file or a request holds it."""

import json
from decimal import Decimal
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from taxiway.errors import DataError, SignatureError
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.signature import signature_columns
from taxiway.models.predictor import predictor_of
from taxiway.serving.protocol import Rows
from taxiway.serving.workers import process as worker

CATEGORIES = ("wet", "gate")
# 2 ** 53 + 1 has no float of its own: a column that pandas makes floats of would lose it.
LARGE = 2**53 + 1


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """A boolean, and an integer that a single gap makes a file hold as a float."""
    chance = np.random.default_rng(1)
    table = pd.DataFrame({"x": chance.random(400), "wet": chance.random(400) < 0.5, "gate": chance.integers(1, 4, 400) * 1.0})
    table.loc[0, "gate"] = np.nan
    return table


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model as older versions of Taxiway saved it: its signature has doubles and strings, and any value is a category."""
    fitted = make_pipeline(build_transform(FeatureColumns(("x",), CATEGORIES), accepts_missing=False), LogisticRegression())
    fitted.fit(raw_frame(rows, ["x"], CATEGORIES), rows["wet"] ^ (rows["gate"] == 2))
    columns = [ColSpec("double", "x", required=False)]
    columns += [ColSpec("string", name, required=False) for name in CATEGORIES]
    path = tmp_path_factory.mktemp("model") / "model"
    mlflow.sklearn.save_model(
        fitted,
        str(path),
        signature=ModelSignature(Schema(columns)),
        pip_requirements=[],
        serialization_format="skops",
        skops_trusted_types=["numpy.dtype"],
        pyfunc_predict_fn="predict_proba",
    )
    return mlflow.pyfunc.load_model(str(path))


def served(*requests: list[list[Any]]) -> list[Any]:
    outcomes = worker.predict([Rows(("x", *CATEGORIES), data) for data in requests])
    assert [outcome.error for outcome in outcomes] == [""] * len(requests)
    return [answer for outcome in outcomes for answer in json.loads(outcome.predictions)]


def test_json_categories_are_answered_as_evaluation_answers_them(
    rows: pd.DataFrame, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_predictor", predictor_of(model))
    evaluated = rows.dropna().astype({"gate": "int64"}).head(20)  # no gap here: the file holds integers
    expected = predict_rows(model.predict, raw_frame(evaluated, ["x"], CATEGORIES)).tolist()
    sent = [[row.x, bool(row.wet), int(row.gate)] for row in evaluated.itertuples()]
    assert served(sent) == expected
    assert served(*([row] for row in sent)) == expected
    assert np.ptp(np.array(expected)[:, 1]) > 0.1, "the categories decide something"


def test_a_gap_is_answered_as_evaluation_answers_it_whoever_shares_the_call(
    rows: pd.DataFrame, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_predictor", predictor_of(model))
    gaps = pd.DataFrame({"x": [0.5, np.nan], "wet": pd.Series([None, None], dtype="object"), "gate": [np.nan, 2.0]})
    expected = predict_rows(model.predict, raw_frame(gaps, ["x"], CATEGORIES)).tolist()
    missing, other = [[0.5, None, None]], [[None, None, 2]]
    assert served(missing) + served(other) == expected, "alone"
    assert served(missing, other) == expected, "a column of gaps beside one with a value"
    for neighbour in ([[0.1, "text", "text"]], [[0.1, True, 1]], [[0.1, False, LARGE]], [[0.1, 1.5, ""]], missing):
        assert served(missing, neighbour)[0] == expected[0], neighbour
        assert served(neighbour, missing)[-1] == expected[0], neighbour
        assert served([*neighbour, *missing])[-1] == expected[0], "in one request"


def test_a_bad_row_fails_alone_and_changes_nobody_elses_answer(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_predictor", predictor_of(model))
    good, bad = [[0.5, None, 2]], [["noon", None, 2]]
    (alone,) = worker.predict([Rows(("x", *CATEGORIES), bad)])
    outcomes = worker.predict([Rows(("x", *CATEGORIES), data) for data in (good, bad, good)])
    assert [json.loads(outcomes[i].predictions) for i in (0, 2)] == [served(good)] * 2
    assert (outcomes[1].status, outcomes[1].error) == (alone.status, alone.error)
    assert alone.status == 400
    assert alone.error == "the rows do not match the inputs of the model: row 0: column x is 'noon'; allowed: a number, or null"


@pytest.mark.parametrize("category", [None, "text", 1, True])
@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (1, 1.0),
        (True, 1.0),
        ("8", 8.0),
        (LARGE, float(LARGE)),
        (None, None),
        (float("nan"), None),
        ("", "refused"),
        (10**400, "refused"),
    ],
)
def test_a_number_is_read_the_same_alone_and_beside_any_other(cell: Any, number: Any, category: Any) -> None:
    for beside in ([], [None], [0.5], ["9"], [True], [2**70]):
        columns = {"x": [cell, *beside], "c": [category] * (1 + len(beside))}
        if number == "refused":
            with pytest.raises(DataError, match=r"row 0: column x is .*; allowed: a number, or null"):
                raw_frame(columns, ["x"], ["c"])
            continue
        frame = raw_frame(columns, ["x"], ["c"])
        assert (frame["x"].dtype, frame["c"].dtype) == (np.dtype("float64"), np.dtype("object"))
        assert frame["x"][0] == number or (number is None and np.isnan(frame["x"][0]))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (True, "True"),
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        ("1.0", "1.0"),
        (LARGE, str(LARGE)),
        (None, None),
        (float("nan"), None),
    ],
)
def test_a_cell_and_a_column_become_the_same_text(cell: Any, text: str | None) -> None:
    column = pd.Series([cell, "other"], dtype="object")
    assert raw_frame(pd.DataFrame({"c": column}), [], ["c"])["c"].tolist() == [text, "other"]
    for sent in ([cell], [cell, None], [cell, "other"], [cell, 1.5], [cell, LARGE]):
        assert raw_frame({"c": sent}, [], ["c"])["c"].tolist()[0] == text


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pd.Series([1.5, 2], dtype="float32"), "1.5"),
        (pd.Series([1, None], dtype="Int64"), "1"),
        (pd.Series([None, "a"], dtype="string"), None),
        (pd.Series(["a", "b"], dtype="category"), "a"),
        (pd.Series([Decimal("1.50"), Decimal(2)], dtype="object"), "1.5"),
        (pd.Series([Decimal(LARGE), None], dtype="object"), str(LARGE)),
        (pd.Series(pd.to_datetime(["2013-06-01 12:30", None])), "2013-06-01T12:30:00"),
        (pd.Series([None, None], dtype="float64"), None),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_every_type_of_a_file_has_one_text(column: "pd.Series[Any]", text: str | None) -> None:
    assert raw_frame(pd.DataFrame({"c": column}), [], ["c"])["c"].tolist()[0] == text


def test_a_cell_that_is_no_category_is_refused() -> None:
    with pytest.raises(DataError, match=r"row 1: column c is \[1, 2\]; allowed: a text"):
        raw_frame(pd.DataFrame({"c": pd.Series(["a", [1, 2]], dtype="object")}), [], ["c"])


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (None, "has no signature with named columns"),
        (Schema([ColSpec("double"), ColSpec("string")]), "has no signature with named columns"),
        (
            Schema([ColSpec("double", "x"), ColSpec("long", "n")]),
            "the type of n in the model.s signature is long; allowed: double for numbers, string",
        ),
    ],
    ids=["none", "unnamed", "long"],
)
def test_a_model_whose_signature_gives_no_types_is_refused(inputs: Any, says: str) -> None:
    class Metadata:
        def get_input_schema(self) -> Any:
            return inputs

    class Loaded:
        metadata = Metadata()

    with pytest.raises(SignatureError, match=says):
        signature_columns(Loaded())
