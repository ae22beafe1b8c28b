"""The gateway answers as MLflow does: as its scoring server for a plain model, and as its loaded model for one of Taxiway.

MLflow's scoring server takes only `inputs` for models of Taxiway, whose signature leaves the checks of values to the model.
"""

import asyncio
import json
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from mlflow.deployments import PredictionsResponse
from mlflow.pyfunc import scoring_server
from mlflow.utils.proto_json_utils import dump_input_data
from real_models import PLAIN, serve, some_rows
from running import CALLER, Running
from streams import arrow_stream

from taxiway.registry.signature import as_records
from taxiway.serving.gateway.bodies.formats import BodyFormat

Body = tuple[str, str | bytes]
"""A content type, and a body."""
JSON, CSV = str(BodyFormat.JSON), str(BodyFormat.CSV)
NAMES = [name for names in PLAIN for name in names]
GOOD = {"distance": 1.5, "carrier": "AA", "code": "007"}


@dataclass
class Served:
    """A gateway, its two models as MLflow loads them, and MLflow's scoring server of the plain one."""

    gateway: Running
    typed: str
    plain: str
    typed_model: mlflow.pyfunc.PyFuncModel
    mlflow_server: httpx.ASGITransport

    def ask(self, model: str, body: Body) -> httpx.Response:
        headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": body[0]}
        return self.gateway.http.post(f"{self.gateway.url}/models/{model}/invocations", content=body[1], headers=headers)

    def ask_mlflow(self, body: Body) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.mlflow_server, base_url="http://mlflow") as http:
                return await http.post("/invocations", content=body[1], headers={"Content-Type": body[0]})

        return asyncio.run(asked())


@pytest.fixture(scope="module")
def served(mlflow_url: str, registry: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    gateway, typed, plain = serve(mlflow_url, registry, tmp_path_factory.mktemp("served"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")  # `init` sets it, and leaves it
        mlflow.set_tracking_uri(mlflow_url)
        typed_model, plain_model = (mlflow.pyfunc.load_model(f"models:/{name}@champion") for name in (typed, plain))
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # what it was
        transport = httpx.ASGITransport(scoring_server.init(plain_model), raise_app_exceptions=False)
        yield Served(gateway, typed, plain, typed_model, transport)
    gateway.stop()


def forms(rows: pd.DataFrame) -> dict[str, Body]:
    """The same rows in each form that MLflow's scoring server takes."""
    records = as_records(rows)  # pandas' own JSON has fewer digits
    columns = {name: [record[name] for record in records] for name in rows}
    data = [list(record.values()) for record in records]
    return {
        "dataframe_split": (JSON, json.dumps({"dataframe_split": {"columns": list(rows), "data": data}})),
        "dataframe_records": (JSON, json.dumps({"dataframe_records": records})),
        "instances": (JSON, json.dumps({"instances": records})),
        "inputs as records": (JSON, json.dumps({"inputs": records})),
        "inputs": (JSON, json.dumps({"inputs": columns})),
        "csv": (f"{CSV}; charset=utf-8", rows.to_csv(index=False)),
    }


def test_every_form_is_answered_as_by_the_scoring_server_of_mlflow(served: Served) -> None:
    rows = some_rows(200)[NAMES]
    rows.loc[3, "distance"] = None
    rows.loc[rows["carrier"] == "NA", "carrier"] = "never seen"  # in a CSV, MLflow takes it for a missing value
    expected = None
    for form, body in forms(rows).items():
        theirs, ours = served.ask_mlflow(body), served.ask(served.plain, body)
        assert (theirs.status_code, ours.status_code) == (200, 200), (form, theirs.text[:300], ours.text[:300])
        expected = expected or theirs.json()["predictions"]
        assert theirs.json()["predictions"] == ours.json()["predictions"] == expected, form
    ours = served.ask(served.plain, (BodyFormat.ARROW, arrow_stream(pa.Table.from_pandas(rows))))
    assert ours.json()["predictions"] == expected


def test_every_form_is_answered_as_by_the_model_that_mlflow_loads(served: Served) -> None:
    """Texts that look like numbers stay texts, whatever other rows there are; a gap is missing."""
    rows = some_rows(120).astype({"seats": "Int64", "gate": "Int64", "rain": "boolean", "wet": "boolean"})
    for at, name in enumerate(rows):
        rows.loc[at, name] = None
    answer = served.typed_model.predict(rows)
    expected = [list(row) for row in zip(answer["probability_False"], answer["probability_True"], strict=True)]
    assert len({tuple(row) for row in expected}) > 10, "the predictions differ between rows"
    bodies = forms(rows) | {
        "arrow": (BodyFormat.ARROW, arrow_stream(pa.Table.from_pandas(rows))),
        "the client of mlflow": (JSON, dump_input_data(rows.astype("object").where(rows.notna(), None))),
    }
    for form, body in bodies.items():
        assert served.ask(served.typed, body).json()["predictions"] == expected, form
    for at in range(20):  # alone, each row is answered as beside the others
        for form, body in forms(rows.iloc[[at]]).items():
            assert served.ask(served.typed, body).json()["predictions"] == expected[at : at + 1], (at, form)


def test_the_client_of_mlflow_reads_the_answer(served: Served) -> None:
    """`ScoringServerClient` itself cannot send a token; these are its functions for the body and for the answer."""
    answer = served.ask(served.plain, (JSON, dump_input_data(pd.DataFrame([GOOD]))))
    assert PredictionsResponse.from_json(answer.text).get_predictions().shape == (1, 2)


def test_the_example_of_the_guide_is_answered_as_the_same_rows_in_json(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY", served.gateway.url)
    monkeypatch.setenv("MODEL", served.plain)
    monkeypatch.setenv("TAXIWAY_CALLER_TOKEN", CALLER)
    runpy.run_path(str(Path(__file__).parents[3] / "docs/examples/arrow_request.py"))
    rows = [{"carrier": "US", "code": "007", "distance": 529}, {"carrier": "AA", "code": "7", "distance": None}]
    expected = served.ask(served.plain, (JSON, json.dumps({"dataframe_records": rows}))).json()["predictions"]
    assert json.loads(capsys.readouterr().out) == expected


def records(**changed: object) -> Body:
    return JSON, json.dumps({"dataframe_records": [{**GOOD, **changed}]})


def split(columns: list[str], *rows: list[object]) -> Body:
    return JSON, json.dumps({"dataframe_split": {"columns": columns, "data": rows}})


def csv(*lines: str) -> Body:
    return CSV, "\n".join(lines)


HEADER, ROW = ",".join(NAMES), "1.5,AA,007"
INVALID: dict[str, Body] = {
    "a missing column": (JSON, json.dumps({"dataframe_records": [{"distance": 1.5, "carrier": "AA"}]})),
    "a text for a number": records(distance="abc"),
    "a list for a number": records(distance=[1]),
    "an object for a number": records(distance={"a": 1}),
    "an unknown key": (JSON, json.dumps({"rows": [GOOD]})),
    "two forms": (JSON, json.dumps({"instances": [GOOD], "inputs": [GOOD]})),
    "half of an object": (JSON, "{"),
    "a list": (JSON, "[1]"),
    "a number": (JSON, "1"),
    "no body": (JSON, ""),
    "another encoding than UTF-8": (JSON, b"\xff"),
    "no rows": (JSON, json.dumps({"dataframe_records": []})),
    "no rows of some columns": split(NAMES),
    "no columns": (JSON, json.dumps({"dataframe_split": {"data": [[1.5, "AA", "007"]]}})),
    "a short row": split(NAMES, [1.5, "AA"]),
    "a column twice": split([*NAMES, "code"], [1.5, "AA", "1", "2"]),
    "an unknown part": (JSON, json.dumps({"dataframe_split": {"a": 1, "columns": NAMES, "data": [[1.5, "AA", "007"]]}})),
    "rows that are no objects": (JSON, json.dumps({"dataframe_records": [1]})),
    "columns of different lengths": (JSON, json.dumps({"inputs": {"distance": [1.5, 2], "carrier": ["a"], "code": ["b"]}})),
    "a path": (JSON, json.dumps({"inputs": "/etc/hostname"})),
    "rows without names": (JSON, json.dumps({"instances": [[1.5, "AA", "007"]]})),
    "a csv without a column": csv("distance,carrier", "1.5,AA"),
    "a csv with a text for a number": csv(HEADER, "x,AA,007"),
    "a csv with a long line": csv(HEADER, ROW, f"{ROW},1"),
    "a csv with blanks in names": csv("distance, carrier, code", ROW),
    "an empty csv": csv(),
    "a csv with names only": csv(HEADER),
    "a csv with an open quote": csv(HEADER, '1.5,"AA,007'),
    "a csv in another encoding": (CSV, HEADER.encode() + b"\n1.5,\xff,007"),
    "plain text": ("text/plain", ROW),
    "latin-1": (f"{CSV}; charset=latin-1", ROW),
    "an unknown parameter": (f"{CSV}; header=absent", ROW),
}
EQUAL: dict[str, Body] = {
    "a number as text": records(distance="1.5"),
    "true for a number": records(distance=True),
    "no number": records(distance=None),
    "no text": records(carrier=None),
    "another column": records(more=1),
    "NaN": (JSON, '{"dataframe_records":[{"distance":NaN,"carrier":"AA","code":"007"}]}'),
    "a key twice": (JSON, '{"dataframe_records":[{"distance":1,"distance":2,"carrier":"AA","code":"007"}]}'),
    "an index": (JSON, json.dumps({"dataframe_split": {"index": [5], "columns": NAMES, "data": [[1.5, "AA", "007"]]}})),
    "a csv with gaps": csv(HEADER, ",AA,007", "1.5,,007"),
    "a csv with a byte order mark": csv("\ufeff" + HEADER, ROW),
    "a csv with empty lines": csv(HEADER, "", ROW, ""),
    "a csv with lines of Windows": (CSV, f"{HEADER}\r\n{ROW}\r\n"),
    "a csv with an index": csv("," + HEADER, "0," + ROW),
}
# The guide lists these differences, too: body, status of MLflow, status of the gateway.
DIFFERENT: dict[str, tuple[Body, int, int]] = {
    "params": ((JSON, json.dumps({"dataframe_records": [GOOD], "params": {}})), 200, 400),
    "a further key": ((JSON, json.dumps({"dataframe_records": [GOOD], "more": 1})), 200, 400),
    "instances by column": ((JSON, json.dumps({"instances": {name: [GOOD[name]] for name in NAMES}})), 200, 400),
    "inputs without lists": ((JSON, json.dumps({"inputs": GOOD})), 200, 400),
    "an integer for a text": (records(code=7), 200, 200),
    "infinity": (records(distance=float("inf")), 200, 400),
    "more than a 32-bit float": (records(distance=1e100), 200, 400),
    "NA for a text": (csv(HEADER, "1.5,NA,007"), 200, 200),
    "NA for a number": (csv(HEADER, "NA,AA,007"), 200, 400),
    "inf in a csv": (csv(HEADER, "inf,AA,007"), 200, 400),
    "a short line": (csv(HEADER, "1.5,AA"), 200, 400),
    "a name twice in a csv": (csv(f"{HEADER},code", f"{ROW},1"), 200, 400),
    "text after a quote": (csv(HEADER, '1.5,"A"A,007'), 200, 400),
    "a content type in capitals": ((JSON.upper(), json.dumps({"inputs": [GOOD]})), 415, 200),
    "a quoted charset": ((f'{JSON}; charset="utf-8"', json.dumps({"inputs": [GOOD]})), 415, 200),
}


@pytest.mark.parametrize("name", INVALID)
def test_what_mlflow_refuses_is_refused_with_the_same_status(served: Served, name: str) -> None:
    theirs, ours = served.ask_mlflow(INVALID[name]), served.ask(served.plain, INVALID[name])
    assert theirs.status_code in (400, 415), theirs.text[:300]
    assert ours.status_code == theirs.status_code, ours.text[:300]


@pytest.mark.parametrize("name", EQUAL)
def test_unusual_rows_are_answered_as_by_mlflow(served: Served, name: str) -> None:
    theirs, ours = served.ask_mlflow(EQUAL[name]), served.ask(served.plain, EQUAL[name])
    assert ours.json()["predictions"] == theirs.json()["predictions"]


@pytest.mark.parametrize("name", DIFFERENT)
def test_differences_from_mlflow_are_those_that_the_guide_lists(served: Served, name: str) -> None:
    body, their_status, our_status = DIFFERENT[name]
    theirs, ours = served.ask_mlflow(body), served.ask(served.plain, body)
    assert (theirs.status_code, ours.status_code) == (their_status, our_status), (theirs.text[:300], ours.text[:300])
    if theirs.is_success and ours.is_success:
        assert theirs.json()["predictions"] != ours.json()["predictions"]
