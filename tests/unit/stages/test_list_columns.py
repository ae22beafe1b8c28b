"""Columns of lists through a whole run: a model learns them, is saved with them, and answers requests as it was evaluated."""

import json
import logging
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.types.schema import Array, DataType
from sklearn.metrics import roc_auc_score
from stages.conftest import Site

from taxiway.models.predictor import predictor_of
from taxiway.records import FeatureSet, Outcome
from taxiway.serving.answer_check import LoggedAnswer, check_answers
from taxiway.serving.protocol import read_rows as rows_of_body
from taxiway.serving.workers import process as worker
from taxiway.spec.pipeline import Features
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in

SCHEMA = """\
label: y
features:
  a: {type: number}
  tags: {type: list, presence: optional}
  codes: {type: list}
  vector: {type: list, presence: optional}
  prices: {type: list}
  days: {type: list}
  nothing: {type: list}
  y: {type: boolean}
"""
FILE = pa.schema(
    {
        "a": pa.float64(),
        "tags": pa.list_(pa.string()),
        "codes": pa.large_list(pa.int64()),
        "vector": pa.list_(pa.float32()),
        "prices": pa.list_(pa.decimal128(10, 2)),
        "days": pa.list_(pa.date32()),
        "nothing": pa.list_(pa.null()),
        "y": pa.bool_(),
    }
)
LISTS = ("tags", "codes", "vector", "prices")
NOISE = 2**53 + 1


def arrive(site: Site, span: int, rows: int = 800) -> pd.DataFrame:
    """Rows whose label depends on one tag, on the first number of the vector, and on the mean of the prices."""
    chance = np.random.default_rng(span)
    tags = [chance.choice(["vegan", "quick", "mild"], int(size)).tolist() for size in chance.integers(0, 4, rows)]
    vector = np.float32(chance.normal(size=(rows, 3))).astype(float)
    prices = [chance.integers(0, 100, int(size)).tolist() for size in chance.integers(1, 4, rows)]
    score = 3.0 * np.array(["vegan" in each for each in tags]) + 2 * vector[:, 0] + np.array([np.mean(p) for p in prices]) / 20
    gone = chance.random((rows, 2)) < 0.05
    made = [
        {
            "a": float(chance.normal()),
            "tags": None if gone[at, 0] else [*tags[at], *([None] if at % 50 == 0 else [])],
            "codes": [NOISE + int(chance.integers(3)), *([None] if at % 40 == 0 else [])],
            "vector": None if gone[at, 1] else vector[at].tolist(),
            "prices": prices[at],
            "days": [],
            "nothing": [],
            "y": bool(score[at] + chance.normal() > 4),
        }
        for at in range(rows)
    ]
    site.data.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(made, schema=FILE), site.data / f"{span}.parquet")
    return pd.DataFrame(made)


def test_a_run_learns_lists_and_its_model_answers_them_alone_and_together(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "taxiway.stages")
    arrive(site, 1)
    rows = arrive(site, 2)
    made = site.pipeline()
    (site.folder / "small.schema.yaml").write_text(SCHEMA)
    found = run_in(installation, made)
    assert found.summary is not None
    assert found.features is not None
    assert found.candidate is not None
    assert found.summary.outcome is Outcome.FIRST_CHAMPION
    assert found.features.describe() == "1 numeric and 4 list columns"
    assert found.features.lists == LISTS
    assert_said(found.features, caplog.text)

    version = found.candidate.version
    uri = installation.client.get_model_version(found.candidate.model, str(version)).source
    model = mlflow.pyfunc.load_model(uri)
    types = {column.name: column.type for column in model.metadata.get_input_schema().inputs}
    assert types["tags"] == Array(DataType.string)
    assert types["codes"] == Array(DataType.long)
    assert types["vector"] == Array(DataType.double)
    together = model.predict(rows)["probability_True"].to_numpy()
    assert roc_auc_score(rows["y"], together) > 0.9
    for useful in ("tags", "vector", "prices"):
        without = model.predict(rows.assign(**{useful: [[]] * len(rows)}))["probability_True"]
        assert roc_auc_score(rows["y"], without) < roc_auc_score(rows["y"], together) - 0.01, useful
    arrow = pd.read_parquet(site.data / "2.parquet", dtype_backend="pyarrow", columns=["a", "tags", "codes", "prices"])
    arrow["vector"] = rows["vector"]
    assert np.array_equal(model.predict(arrow)["probability_True"], together)
    assert_answered(model, rows.head(60), together[:60])
    assert_refused(model, rows)


def assert_said(features: FeatureSet, log: str) -> None:
    for note in (
        "tags: whether each of the 3 most frequent values is in the list, the number of others, and the length",
        "vector: the 3 numbers of each list",
        "prices: length, mean, minimum and maximum, because the lists have different lengths",
    ):
        assert note in log
    assert {*features.left_out} == {"days", "nothing"}
    assert '"days" is of type list<element: date32[day]>, which is no feature; allowed: lists of texts' in log
    assert '"nothing" is of type list without items, which is no feature' in log


def records_of(rows: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(
        json.dumps(rows.drop(columns="y").astype(object).where(rows.notna(), None).to_dict("records"))
    )
    return records


def assert_answered(model: Any, rows: pd.DataFrame, expected: Any) -> None:
    bodies = [json.dumps({"dataframe_records": [record]}) for record in records_of(rows)]
    requests = [rows_of_body(body.encode())[1] for body in bodies]
    together = [json.loads(outcome.predictions)[0] for outcome in worker.predict_with(predictor_of(model), requests)]
    alone = [json.loads(worker.predict_with(predictor_of(model), [request])[0].predictions)[0] for request in requests[:20]]
    assert [row[1] for row in together] == expected.tolist()
    assert alone == together[:20]
    logged = [LoggedAnswer(str(at), body, [row]) for at, (body, row) in enumerate(zip(bodies, together, strict=True))]
    check = check_answers({1: logged}, lambda _: model)
    assert (check.answers, check.equal) == (60, 60)


def assert_refused(model: Any, rows: pd.DataFrame) -> None:
    record = records_of(rows.head(1))[0]
    good = rows_of_body(json.dumps({"dataframe_records": [record]}).encode())[1]
    for name, cell, says in (
        ("tags", "vegan", "row 0: column tags is 'vegan'; allowed: a list of texts, or null"),
        ("tags", [7], "allowed: a list of texts; item 0 is a value of the type int, and must be a text"),
        ("codes", [0.5], "item 0 is a value of the type float, and must be an integer"),
        ("codes", [float(2**60)], "must be an integer with all its digits"),
        ("vector", ["one"], "allowed: a list of numbers; item 0 is a value of the type str, and must be a finite number"),
        ("a", [1.0], "row 0: column a is [1.0]; allowed: a number, or null"),
    ):
        request = rows_of_body(json.dumps({"dataframe_records": [{**record, name: cell}]}).encode())[1]
        refused, answered = worker.predict_with(predictor_of(model), [request, good])
        assert (refused.status, answered.status) == (400, 200)
        assert says in refused.error


def test_lists_can_be_dropped_and_listed(site: Site, installation: Installation) -> None:
    for span in (1, 2):
        arrive(site, span, 400)
    for features, lists in (
        (Features(drop=("tags", "days")), ("codes", "vector", "prices")),
        (Features(lists=("vector",)), ("vector",)),
    ):
        made = site.pipeline(features=features.model_dump())
        (site.folder / "small.schema.yaml").write_text(SCHEMA)
        found = run_in(installation, made, until="transform")
        assert found.features is not None
        assert found.features.lists == lists
