"""A category is the same text in training, evaluation and serving, however a file or a request holds it."""

import json
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from taxiway.features import raw_frame
from taxiway.features.transform import _build
from taxiway.serving import worker
from taxiway.serving.protocol import Rows

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
    """What the gateway would load: the transform and a classifier that needs the categories, with the signature they have."""
    fitted = make_pipeline(_build(("x",), CATEGORIES, accepts_missing=False), LogisticRegression())
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
    monkeypatch.setattr(worker, "_loaded", [model])
    evaluated = rows.dropna().astype({"gate": "int64"}).head(20)  # no gap here: the file holds integers
    expected = model.predict(raw_frame(evaluated, ["x"], CATEGORIES))
    sent = [[row.x, bool(row.wet), int(row.gate)] for row in evaluated.itertuples()]
    assert np.allclose(served(sent), expected, rtol=1e-12)
    assert np.allclose(served(*([row] for row in sent)), expected, rtol=1e-12)
    assert np.ptp(expected[:, 1]) > 0.1, "the categories decide something"
    missing = [0.5, None, None]
    assert served([missing], [sent[0]])[1] == served([sent[0]])[0], "a gap in another's request changes nothing"
    assert served([missing], [[0.5, "unknown", "unknown"]])[0] is not None


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
    (sent,) = worker._texts(("c",), [cell], frozenset({"c"}))
    assert (None if pd.isna(sent) else sent) == text
