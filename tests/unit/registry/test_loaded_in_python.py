"""A registered model takes the rows that it was trained on, whoever reads them, and answers them as the gateway does."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from mlflow import MlflowClient
from registry.typed_rows import CATEGORICAL, NUMERIC, READERS, REQUIRED, ROWS, as_source_file, learned, table_of
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from helping import examples
from taxiway.data.engine.read_rows import column_types
from taxiway.errors import DataError
from taxiway.evaluation.scoring import LoadedModel
from taxiway.evaluation.scoring import score as scored
from taxiway.features import raw_frame
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.signature import ModelColumns, signature_columns
from taxiway.models.predictor import predictor_of
from taxiway.models.row_model import RowModel
from taxiway.records import Span
from taxiway.registry.load import load_trusted
from taxiway.registry.register import ModelToSave, register
from taxiway.serving.protocol import read_rows as rows_of_body
from taxiway.serving.workers import process as worker
from taxiway.store import Store
from taxiway.tracking.run import MlflowRun

NAME = "python.loaded"
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "load_in_python.py"


@pytest.fixture(scope="module")
def champion(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a champion as `train` and `push` leave it."""
    store, path = Store(str(tmp_path_factory.mktemp("store"))), tmp_path_factory.mktemp("span") / "span.parquet"
    pq.write_table(learned(), path)
    span = Span(source="made", name="1", rows=400, content=store.put_file(path))
    types = column_types((span,), store, (*NUMERIC, *CATEGORICAL))
    rows = pd.read_parquet(path)
    columns = ModelColumns(NUMERIC, CATEGORICAL, types, tuple(n for n in (*NUMERIC, *CATEGORICAL) if n not in REQUIRED))
    frame = raw_frame(rows, NUMERIC, CATEGORICAL, types)
    label = np.where(rows["wet"].isna() | (rows["plan"] == "basic") | (rows["gate"] == 2), "stays", "leaves")
    fitted = make_pipeline(
        build_transform(FeatureColumns(NUMERIC, CATEGORICAL), accepts_missing=False), LogisticRegression(max_iter=300)
    ).fit(frame, label)
    client = MlflowClient(mlflow_url)
    run = MlflowRun.find_or_make(client, "python/loaded", "loaded/1", {})
    to_save = ModelToSave(RowModel.of(fitted, columns, ("leaves", "stays")), rows, "key", {}, {})
    version, _ = register(client, run.run_id, NAME, to_save)
    client.set_registered_model_alias(NAME, "champion", str(version))
    mlflow.set_tracking_uri(mlflow_url)
    yield f"models:/{NAME}@champion"
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # what it was


@pytest.fixture(scope="module")
def model(champion: str) -> Any:
    return mlflow.pyfunc.load_model(champion)


def gateway_answers(model: Any, table: pa.Table) -> list[list[float]]:
    """The gateway's answers to the rows as JSON."""
    records = [
        {
            name: float(cell) if isinstance(cell, Decimal) else cell.isoformat() if isinstance(cell, date) else cell
            for name, cell in row.items()
        }
        for row in table.to_pylist()
    ]
    (outcome,) = worker.predict_with(
        predictor_of(model), [rows_of_body(json.dumps({"dataframe_records": records}).encode())[1]]
    )
    assert outcome.error == ""
    return list(json.loads(outcome.predictions))


def bits(answers: Any) -> list[list[str]]:
    return [[float(number).hex() for number in row] for row in answers]


@pytest.mark.parametrize("reader", READERS)
@examples(15)
@given(rows=ROWS)
def test_rows_as_any_reader_gives_them_are_answered_as_the_gateway_does(
    model: Any, reader: str, rows: list[dict[str, Any]]
) -> None:
    table = table_of(rows)
    expected = gateway_answers(model, table)
    found = model.predict(READERS[reader](table))
    assert list(found.columns) == ["prediction", "probability_leaves", "probability_stays"]
    assert bits(found.iloc[:, 1:].to_numpy()) == bits(expected)
    assert found["prediction"].tolist() == ["leaves" if row[0] >= row[1] else "stays" for row in expected]


def test_the_signature_has_the_types_of_the_source(model: Any) -> None:
    inputs = {column.name: (column.type.name, column.required) for column in model.metadata.get_input_schema()}
    assert inputs == {
        **dict.fromkeys(("seats", "stops", "gate"), ("long", False)),
        **dict.fromkeys(("price", "fare"), ("double", False)),
        **dict.fromkeys(("rain", "wet"), ("boolean", False)),
        **dict.fromkeys(("day", "seen_at"), ("datetime", False)),
        "distance": ("double", True),
        "carrier": ("string", True),
        "plan": ("string", False),
    }
    assert [column.name for column in model.metadata.get_output_schema()] == [
        "prediction",
        "probability_leaves",
        "probability_stays",
    ]


def test_a_model_loaded_with_the_sklearn_flavor_or_checked_first_answers_the_same(
    model: Any, champion: str, mlflow_url: str
) -> None:
    rows = pd.read_parquet(as_source_file(learned(50)))
    expected = model.predict(rows)
    for loaded in (mlflow.sklearn.load_model(champion), load_trusted(mlflow_url, NAME, 1)):
        pd.testing.assert_frame_equal(loaded.predict(rows), expected)
    probabilities = mlflow.sklearn.load_model(champion).predict_proba(rows)
    assert bits(probabilities) == bits(expected.iloc[:, 1:].to_numpy())


def test_the_input_example_is_answered(model: Any) -> None:
    assert model.predict(model.input_example).equals(model.predict(learned().slice(0, 3).to_pylist()))


def test_mlflows_own_server_takes_the_example(model: Any, champion: str) -> None:
    from mlflow.models import validate_serving_input
    from mlflow.models.utils import load_serving_example

    answers = validate_serving_input(champion, load_serving_example(champion))
    assert answers.equals(model.predict(learned().slice(0, 3).to_pylist()))


def test_blanks_around_the_names_of_a_csv_header_do_not_matter(model: Any) -> None:
    rows = pd.read_parquet(as_source_file(learned(5)))
    assert model.predict(rows.rename(columns=lambda name: f" {name} ")).equals(model.predict(rows))


@pytest.mark.parametrize("empty", [[], learned(1).to_pandas().iloc[:0]], ids=["list", "frame"])
def test_no_rows_have_no_predictions(model: Any, empty: Any) -> None:
    found = model.predict(empty)
    assert len(found) == 0
    assert list(found) == list(model.predict(learned(1).to_pandas()))


def test_a_column_that_is_there_twice_is_refused(model: Any) -> None:
    rows = learned(1).to_pandas()
    with pytest.raises(DataError, match='the rows have "distance" more than once; allowed: each column once'):
        model.predict(pd.concat([rows, rows[["distance"]]], axis=1))


def test_predictions_have_the_index_of_the_rows(model: Any) -> None:
    rows = pd.read_parquet(as_source_file(learned(5))).set_index(pd.Index(list("vwxyz")))
    assert model.predict(rows.iloc[::-1]).index.tolist() == list("zyxwv")


ROW = {"distance": 1.0, "carrier": "AA"}


@pytest.mark.parametrize(
    ("column", "cell", "same"),
    [
        ("wet", "true", True),
        ("wet", "FALSE", False),
        ("wet", 1, True),
        ("wet", 0.0, False),
        ("rain", "True", True),
        ("gate", "2", 2),
        ("gate", 2.0, 2),
        ("gate", Decimal("2.00"), 2),
        ("fare", "1.50", 1.5),
        ("day", "2013-06-01", date(2013, 6, 1)),
        ("day", pd.Timestamp("2013-06-01"), date(2013, 6, 1)),
        ("seen_at", "2013-06-01 12:00:00", datetime(2013, 6, 1, 12)),
        ("seen_at", np.datetime64("2013-06-01T12:00:00.000005"), datetime(2013, 6, 1, 12, 0, 0, 5)),
        ("plan", float("nan"), None),
        ("wet", pd.NA, None),
        ("seen_at", pd.NaT, None),
    ],
)
def test_a_value_written_otherwise_is_the_same_value(model: Any, column: str, cell: Any, same: Any) -> None:
    answers = [model.predict([{**ROW, column: value}]).iloc[0].tolist() for value in (cell, same)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("wet", "yes", "row 0: column wet is 'yes'; allowed: true or false, or null"),
        ("wet", 2, "allowed: true or false"),
        ("rain", "yes", "column rain is 'yes'; allowed: a number, or null"),
        ("distance", float("inf"), "column distance is inf; allowed: a number from -3.4e38 to 3.4e38, or null"),
        ("distance", "-1e400", "column distance is -inf; allowed: a number from"),
        ("distance", 1e39, "column distance is 1e.39; allowed: a number from"),
        ("gate", "north", "allowed: an integer"),
        ("gate", 1.5, "allowed: an integer"),
        ("gate", True, "allowed: an integer"),
        ("gate", float(2**60), "an integer with all its digits"),
        ("fare", "1,5", "allowed: a number"),
        ("carrier", 7, "pandas makes 7 of it, unless the column is read with the type string"),
        ("plan", True, "allowed: a text"),
        ("day", "1 June 2013", "allowed: a date in ISO 8601"),
        ("day", "2013-06-01T12:00", "allowed: a date without a time of day"),
        ("seen_at", "today", "allowed: a date and time in ISO 8601"),
    ],
)
def test_a_value_of_another_type_is_refused_by_python_and_by_the_gateway(model: Any, column: str, cell: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as refused:
        model.predict(pd.DataFrame([{**ROW, column: cell}]))
    names = signature_columns(model).names
    body = {"dataframe_records": [{**dict.fromkeys(names), **ROW, column: cell}]}
    (outcome,) = worker.predict_with(predictor_of(model), [rows_of_body(json.dumps(body).encode())[1]])
    assert (outcome.status, str(refused.value) in outcome.error) == (400, True)


def test_a_champion_is_evaluated_after_a_column_has_changed_its_type(model: Any, caplog: pytest.LogCaptureFixture) -> None:
    """As one with an unknown category: else no run could replace it. Values that still fit are what they were."""
    rows = pd.read_parquet(as_source_file(learned(40)))
    champion = LoadedModel(1, model, ("leaves", "stays"))

    def score(champion: LoadedModel, rows: pd.DataFrame) -> np.ndarray:
        return scored(champion, rows, champion.classes, 1).values[:, 1]

    expected = score(champion, rows)
    texts = rows.assign(wet=rows["wet"].map({True: "true", False: "false"}), gate=rows["gate"].astype("Int64").astype("string"))
    assert score(champion, texts).tolist() == expected.tolist()
    assert caplog.text == ""
    renamed = rows.assign(gate=rows["gate"].map(lambda gate: f"gate {gate:g}", na_action="ignore"))
    unknown = rows.assign(gate=rows["gate"].where(rows["gate"].isna(), 99))
    assert score(champion, renamed).tolist() == score(champion, unknown).tolist()
    assert "version 1 is evaluated on values that it would refuse in requests: row 0: column gate is 'gate" in caplog.text
    # One value that does not fit leaves the others of the column as they are.
    fits = rows["wet"].notna().to_numpy()
    mixed = rows.assign(wet=rows["wet"].astype("object"))
    mixed.loc[mixed.index[fits][0], "wet"] = "maybe"
    others = np.arange(len(rows)) != np.flatnonzero(fits)[0]
    assert score(champion, mixed)[others].tolist() == expected[others].tolist()


def test_a_column_may_be_absent_only_if_its_values_may_be_missing(model: Any) -> None:
    with_gaps = {**ROW, **dict.fromkeys(name for name in signature_columns(model).names if name not in ROW)}
    assert model.predict([ROW]).equals(model.predict([with_gaps]))
    with pytest.raises(DataError, match='do not have the columns "carrier", which the model needs'):
        model.predict(pd.DataFrame({"distance": [1.0]}))


def test_the_example_of_the_guide_is_answered(
    model: Any, champion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guide's names are those of another pipeline and of other files; the calls are what is tested."""
    rows = learned(20)
    pq.write_table(rows, tmp_path / "2026-06.parquet")
    monkeypatch.chdir(tmp_path)
    text = EXAMPLE.read_text().replace("models:/subscriptions.cancellations@champion", champion).replace("customer_id", "id")
    assert champion in text
    exec(compile(text, str(EXAMPLE), "exec"), {})
    written = pd.read_csv(tmp_path / "predictions.csv", float_precision="round_trip")
    expected = model.predict(pd.read_parquet("2026-06.parquet"))
    assert written["id"].tolist() == rows["id"].to_pylist()
    assert bits(written[list(expected.columns[1:])].to_numpy()) == bits(expected.iloc[:, 1:].to_numpy())
