"""Real models from training to a shadow comparison: gradient boosting on flights, saved, checked, loaded, served, shadowed, compared."""

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from running import CALLER, Running, start_gateway
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from helping import until
from taxiway.features import raw_frame
from taxiway.features.signature import ModelColumns
from taxiway.gates.shadow.gate import decide
from taxiway.models.row_model import RowModel
from taxiway.records import Status
from taxiway.registry.load import load_trusted
from taxiway.registry.register import ModelToSave, register
from taxiway.serving.answer_check import check_shadow
from taxiway.serving.replay import ReplayResult, replay
from taxiway.spec.shadow import Shadow
from taxiway.tracking.tags import CLASSES, THRESHOLD

MODEL = "serving_tests.late_arrivals"
NUMERIC = ["distance", "hour", "temp", "wind_speed", "visib", "seats"]
CATEGORICAL = ["carrier", "origin", "dest"]
REQUESTS = 400


@pytest.fixture(scope="module")
def flights(flights_folder: Path) -> pd.DataFrame:
    rows = pd.read_parquet(flights_folder / "2013-01.parquet").head(4000)
    return rows.astype(dict.fromkeys(NUMERIC, float))


@pytest.fixture(scope="module")
def champion(flights: pd.DataFrame) -> Pipeline:
    return trained(flights, 30)


def trained(flights: pd.DataFrame, iterations: int) -> Pipeline:
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("numeric", "passthrough", NUMERIC), ("categorical", codes, CATEGORICAL)])
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=iterations, random_state=0))
    return model.fit(raw_frame(flights, NUMERIC, CATEGORICAL), flights["late"])


@pytest.fixture(scope="module")
def served(
    mlflow_url: str, registry: MlflowClient, flights: pd.DataFrame, champion: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A gateway with two real versions of a model, the first one champion, loaded by the loader of production."""
    run = registry.create_run(registry.create_experiment(MODEL)).info.run_id
    columns = ModelColumns(tuple(NUMERIC), tuple(CATEGORICAL))
    for pipeline in (champion, trained(flights, 40)):
        key = f"{pipeline[-1].max_iter} iterations"
        register(
            registry,
            run,
            MODEL,
            ModelToSave(
                RowModel.of(pipeline, columns, ("False", "True"), 0.3),
                flights[NUMERIC + CATEGORICAL],
                key,
                {CLASSES: json.dumps(["False", "True"]), THRESHOLD: "0.3"},
                {},
            ),
        )
    registry.set_registered_model_alias(MODEL, "champion", "1")
    state = tmp_path_factory.mktemp("served")
    running = start_gateway(mlflow_url, state, models=[MODEL], loader="taxiway.registry.load:load_folder")
    until(lambda: running.admin.status(MODEL).champion == 1, "the champion is loaded")
    yield running
    running.stop()


def records(flights: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(flights[NUMERIC + CATEGORICAL].head(REQUESTS).to_json(orient="records"))
    return rows


def test_the_gateway_answers_as_the_model_does(served: Running, flights: pd.DataFrame, champion: Pipeline) -> None:
    answers = served.admin.predict(MODEL, records(flights))
    expected = champion.predict_proba(raw_frame(flights.head(REQUESTS), NUMERIC, CATEGORICAL))
    assert answers == expected.tolist()


def test_an_answer_names_the_classes_in_the_order_of_the_probabilities(
    served: Running, flights: pd.DataFrame, champion: Pipeline
) -> None:
    answer = served.post(MODEL, {"dataframe_records": records(flights)[:2]}).json()
    assert answer["classes"] == [str(value) for value in champion[-1].classes_]
    assert len(answer["predictions"]) == 2
    assert answer["threshold"] == 0.3


def test_a_gap_is_answered_alike_alone_and_beside_the_requests_of_others(
    served: Running, flights: pd.DataFrame, champion: Pipeline
) -> None:
    """Requests that wait together are predicted in one call, in which a text must not change what a missing category is."""
    rows = records(flights)[:40]
    for row in rows[::2]:
        row |= {"carrier": None, "dest": None}
    columns = {name: [row[name] for row in rows] for name in (*NUMERIC, *CATEGORICAL)}
    expected = champion.predict_proba(raw_frame(columns, NUMERIC, CATEGORICAL)).tolist()
    assert [served.admin.predict(MODEL, [row])[0] for row in rows[:4]] == expected[:4], "alone"
    assert served.admin.predict(MODEL, rows) == expected, "in one request"
    with ThreadPoolExecutor(16) as callers:
        assert list(callers.map(lambda row: served.admin.predict(MODEL, [row])[0], rows)) == expected, "beside others"


def test_rows_that_do_not_fit_the_signature_are_the_callers_fault(served: Running, flights: pd.DataFrame) -> None:
    row = records(flights)[0]
    fewer = {name: cell for name, cell in row.items() if name not in ("carrier", "origin")}
    for broken, says in (
        ({**row, "hour": "noon"}, "the rows do not match the inputs of the model: .*hour"),
        (fewer, "missing columns: carrier, origin; send every column"),
        (
            {**row, "carrier": ["UA"]},
            r"the rows do not match the inputs of the model: row 0: column carrier is \['UA'\]; allowed: a text",
        ),
        ({**row, "carrier": [["UA"]]}, 'row 0 has a list in a list in column "carrier"'),
        ({**row, "carrier": {"a": 1}}, 'row 0 has an object in column "carrier"'),
    ):
        response = served.post(MODEL, {"dataframe_records": [broken]})
        assert response.status_code == 400
        assert re.match(says, response.json()["message"])
        assert len(response.json()["message"]) < 300
    assert (
        served.post(MODEL, {"dataframe_records": [{**row, "carrier": "never seen", "temp": None, "engine": None}]}).status_code
        == 200
    )


def test_a_column_too_many_is_ignored_without_a_word_in_the_log(served: Running, flights: pd.DataFrame) -> None:
    row = records(flights)[0]
    answers = [served.post(MODEL, {"dataframe_records": [sent]}).json() for sent in (row, {**row, "tailnum": "N1"})]
    assert answers[0] == answers[1]
    assert "extra inputs" not in (served.state / "output").read_text()


def test_replayed_flights_are_shadowed_compared_and_checked(served: Running, flights: pd.DataFrame, mlflow_url: str) -> None:
    served.admin.put_challenger(MODEL, 2, "run-1", 600)
    seen: list[ReplayResult] = []
    done = asyncio.run(replay(served.url, CALLER, MODEL, records(flights), connections=8, progress=seen.append))
    assert done == ReplayResult(sent=REQUESTS, answered=REQUESTS, errors=0, lost=0)
    assert [each.sent for each in seen] == list(range(1, REQUESTS + 1))
    until(
        lambda: (status := served.admin.challenger(MODEL)) and status.answered == REQUESTS,
        "everything is mirrored",
        progress=lambda: served.admin.challenger(MODEL),
    )
    pairs = served.admin.pairs(MODEL, 2, "run-1", bodies=REQUESTS)
    report = decide(
        pairs,
        model=MODEL,
        version=2,
        champion=1,
        requirements=Shadow(min_requests=REQUESTS, max_p99_ratio=20),
        confidence=0.99,
    )
    assert report.status is Status.PASS, report.reasons
    assert report.agreement is not None
    assert report.agreement.value > 0.9
    assert (report.champion_errors, report.challenger_errors) == (0, 0)
    checked = check_shadow(report, pairs.pairs, partial(load_trusted, mlflow_url, MODEL))
    assert checked.status is Status.PASS
    assert "400 of 400 champion answers and 400 of 400 challenger answers in the log equal" in checked.reasons[-1].message
    assert not any(pair.body for pair in served.admin.pairs(MODEL, 2, "run-1").pairs), "nobody asked for them"


def test_replay_counts_errors_and_lost_requests(served: Running, flights: pd.DataFrame) -> None:
    rows = [records(flights)[0], {"carrier": "AA"}]
    assert asyncio.run(replay(served.url, CALLER, MODEL, rows)) == ReplayResult(sent=2, answered=1, errors=1, lost=0)
    assert asyncio.run(replay("http://127.0.0.1:9", CALLER, MODEL, rows)) == ReplayResult(sent=2, answered=0, errors=0, lost=2)
