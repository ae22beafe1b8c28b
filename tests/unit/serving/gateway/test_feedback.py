"""Feedback: true labels reach the prediction that they are for, whenever, however often and in whatever form they come."""

import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelling import asked, counts, csv_of, send, send_file, stored
from mlflow import MlflowClient
from running import CALLER, Running, add_version, register, start_gateway

from helping import until
from taxiway.cli.serving import send_labels
from taxiway.errors import RequestError
from taxiway.serving.callers import Caller, Scope, add_caller
from taxiway.serving.gateway.feedback import matched
from taxiway.serving.gateway.feedback.given import MEDIA_TYPES, read_labels
from taxiway.serving.gateway.rolling.roll import roll

JSON, CSV, PARQUET = MEDIA_TYPES


@pytest.fixture(scope="module")
def gateway(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that hashes or omits columns, which the tests of the module share, each with a model of its own."""
    running = start_gateway(mlflow_url, tmp_path_factory.mktemp("labelled"), hash_columns=["card"], omit_columns=["name"])
    yield running
    running.stop()


def test_private_columns_that_no_model_takes_are_named(gateway: Running, model: str) -> None:
    assert gateway.admin.status(model).champion == 1
    warning = 'no served model takes "card", "name", which --hash-column or --omit-column names'
    until(lambda: warning in (gateway.state / "output").read_text(), "the gateway warns of misspelled names")


def forget(gateway: Running) -> None:
    """Roll the log, then delete its requests, as the gateway does when there are many."""
    roll(gateway.state)
    with closing(sqlite3.connect(gateway.state / "requests.sqlite")) as log, log:
        log.execute("DELETE FROM requests")


def test_labels_are_stored_once_and_corrected(gateway: Running, model: str) -> None:
    first, second = asked(gateway, model), asked(gateway, model)
    assert counts(send(gateway, model, [{"request_id": first, "label": 1}])) == (1, 0, 0, [])
    both = [{"request_id": first, "label": 1}, {"request_id": second, "row": 0.0, "label": 0.5}]
    assert counts(send(gateway, model, both)) == (1, 0, 1, [])
    assert counts(send(gateway, model, both)) == (0, 0, 2, [])
    assert counts(send(gateway, model, [{"request_id": first, "label": "late"}])) == (0, 1, 0, [])
    assert stored(gateway, model) == [
        (first, 0, "1", 1.0, "admin"),
        (second, 0, "0.5", 0.5, "admin"),
        (first, 0, "late", None, "admin"),
    ]


def test_each_label_that_cannot_be_used_is_answered(gateway: Running, model: str, registry: MlflowClient) -> None:
    one = asked(gateway, model)
    two = gateway.ask(model, 0.5, 0.25).headers["X-Taxiway-Request-Id"]
    failed = gateway.ask(model, -1).headers["X-Taxiway-Request-Id"]
    other = register(registry, "Healthy")
    gateway.admin.refresh(other)
    elsewhere = asked(gateway, other)
    cases = {
        "no prediction of this model has this request_id": {"request_id": "0" * 32, "label": 1},
        "no prediction of this model has this request_id,": {"request_id": elsewhere, "label": 1},
        "has 2 rows; give the row": {"request_id": two, "label": 1},
        "no row 2": {"request_id": two, "row": 2, "label": 1},
        "was answered with an error": {"request_id": failed, "label": 1},
        "it has no label": {"request_id": one, "label": None},
        "no label; allowed": {"request_id": one},
        'unknown field "text"': {"request_id": one, "label": 1, "text": 1},
        "its row is": {"request_id": one, "label": 1, "row": -1},
        "neither a request_id nor a key": {"label": 1, "key": {}},
        "neither a number between -1e300 and 1e300": {"request_id": one, "label": [1]},
        "it is not an object": 1,
        "no prediction of this model has this key": {"key": {"nothing": 1}, "label": 1},
        "has no value": {"key": {"x": None}, "label": 1},
        'does not have "name"': {"key": {"name": "Ada"}, "label": 1},
    }
    answer = send(gateway, model, [*cases.values(), {"request_id": two, "row": 1, "label": 1}])
    assert counts(answer) == (1, 0, 0, list(range(len(cases))))
    for reason, refused in zip(cases, answer.json()["refused"], strict=True):
        assert reason in refused["reason"]


def test_a_label_that_comes_late_is_joined_to_the_day_of_the_prediction(gateway: Running, model: str) -> None:
    sent = asked(gateway, model)
    forget(gateway)
    assert counts(send(gateway, model, [{"request_id": sent, "label": 1}])) == (1, 0, 0, [])
    assert stored(gateway, model) == [(sent, 0, "1", 1.0, "admin")]
    (file,) = (gateway.state / f"log/labels/model={model}").glob("*/*.parquet")
    ((day,),) = duckdb.sql(
        f"SELECT strftime(received_at, '%Y-%m-%d') FROM '{gateway.state}/log/requests/model={model}/*/*.parquet'"
    ).fetchall()
    assert file.parent.name == f"day={day}"


@pytest.mark.parametrize("form", [CSV, JSON, PARQUET])
def test_a_label_with_a_key_is_for_all_predictions_with_it(gateway: Running, model: str, form: str) -> None:
    keys: list[dict[str, Any]] = [{"flight": "UA1", "card": 12}, {"flight": "007", "card": 12.0}, {"flight": 7, "card": "12"}]
    ids = [asked(gateway, model, **key, name="Ada") for key in keys]
    roll(gateway.state)
    again = asked(gateway, model, flight="UA1", card=12)  # not in the files
    labels = [{**key, "label": at} for at, key in enumerate(keys)]
    if form == JSON:
        body = json.dumps(
            {"labels": [{"key": {"flight": each.pop("flight"), "card": each.pop("card")}, **each} for each in labels]}
        ).encode()
    else:
        texts = [{name: str(value) for name, value in each.items()} for each in labels]
        body = csv_of(texts) if form == CSV else parquet_of(labels[:2])
        labels = labels if form == CSV else labels[:2]
    assert counts(send(gateway, model, body, **{"Content-Type": form})) == (len(labels) + 1, 0, 0, [])
    assert {name: int(float(value)) for name, _, _, value, _ in stored(gateway, model)} == {
        **dict(zip(ids[: len(labels)], range(len(labels)), strict=True)),
        again: 0,
    }


def test_a_key_finds_the_row_of_a_csv_request(gateway: Running, model: str) -> None:
    headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": "text/csv"}
    sent = gateway.http.post(f"{gateway.url}/models/{model}/invocations", content=b"x,flight\n0.5,7\n", headers=headers)
    labels = [{"key": {"flight": flight}, "label": 1} for flight in (7, "7", 7.0, 8)]
    assert counts(send(gateway, model, labels)) == (1, 0, 0, [3])
    assert stored(gateway, model)[0][0] == sent.headers["X-Taxiway-Request-Id"]


def test_many_requests_are_rolled_before_keys_are_looked_up(
    gateway: Running, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asked(gateway, model, flight="AA7")
    monkeypatch.setattr(matched, "_MAX_NOT_ROLLED", 0)
    body = json.dumps({"labels": [{"key": {"flight": "AA7"}, "label": 1}]}).encode()
    found = matched.match_labels(gateway.state, model, (), body, JSON)
    assert [label.request_id for label in found.new] == [sent]
    assert list((gateway.state / f"log/requests/model={model}").glob("*/*.parquet"))


def test_a_body_with_many_kinds_of_keys_is_bounded(gateway: Running, model: str) -> None:
    numbers = {f"n{at}": at for at in range(10)}
    sent = asked(gateway, model, **numbers)
    whole = [{"key": {name: str(value) for name, value in numbers.items()}, "label": 1}]
    assert counts(send(gateway, model, whole)) == (1, 0, 0, [])
    assert stored(gateway, model)[0][0] == sent
    one_more = [{"key": {**numbers, "n10": 10}, "label": 1}]
    assert "has 11 columns" in send(gateway, model, one_more).json()["refused"][0]["reason"]
    kinds = [{"key": {name: value}, "label": 1} for name, value in numbers.items()]
    answer = send(gateway, model, kinds)
    assert counts(answer) == (0, 0, 1, [5, 6, 7, 8, 9])  # all are for the same prediction
    assert "more than 5 sets of columns" in answer.json()["refused"][0]["reason"]


def parquet_of(rows: list[dict[str, Any]]) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), content)
    return content.getvalue()


def test_a_class_must_be_one_of_the_model(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, champion=0)
    add_version(registry, model, "Healthy", classes='["False", "True"]')
    registry.set_registered_model_alias(model, "champion", "1")
    gateway.admin.refresh(model)
    sent = [asked(gateway, model) for _ in range(3)]
    values = [True, "false", "maybe"]
    answer = send(gateway, model, [{"request_id": each, "label": value} for each, value in zip(sent, values, strict=True)])
    assert counts(answer) == (2, 0, 0, [2])
    assert 'its label is "maybe", and the classes are "False", "True"' in answer.json()["refused"][0]["reason"]
    assert [label for _, _, label, *_ in stored(gateway, model)] == ["True", "False"]


@pytest.mark.parametrize("rolled", [False, True])
def test_the_label_of_a_predicted_number_is_a_number(gateway: Running, registry: MlflowClient, rolled: bool) -> None:
    model = register(registry, "PredictsNumbers")
    gateway.admin.refresh(model)
    sent = asked(gateway, model, flight=7)
    assert counts(send(gateway, model, [{"request_id": sent, "label": 5.5}])) == (1, 0, 0, [])
    if rolled:
        forget(gateway)
    for text in ("nan", "1_000", "<script>", True):
        answer = send(gateway, model, [{"request_id": sent, "label": text}, {"key": {"flight": 7}, "label": text}])
        assert counts(answer) == (0, 0, 0, [0, 1])
        assert answer.json()["refused"][0]["reason"].endswith("and the model predicts numbers")
    assert counts(send(gateway, model, f"request_id,label\n{sent},6\n".encode(), **{"Content-Type": "text/csv"})) == (
        0,
        1,
        0,
        [],
    )
    assert [label for _, _, label, *_ in stored(gateway, model)][-1] == "6"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_command_sends_a_file_in_parts(
    gateway: Running, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(send_labels, "_ROWS", 2)
    rows = [{"request_id": asked(gateway, model), "label": str(at)} for at in range(5)]
    rows.insert(3, {"request_id": "unknown", "label": "1"})
    file = tmp_path / f"labels.{ending}"
    file.write_bytes(csv_of(rows) if ending == "csv" else parquet_of(rows))
    done = send_file(gateway, model, file)
    assert done.exit_code == 1, done.output  # a label was refused
    assert done.stdout == "5 labels recorded, 0 corrected, 0 known already\n"
    assert done.stderr.splitlines()[0] == "1 label refused:"
    assert "label 4: no prediction of this model has this request_id" in done.stderr
    again = send_file(gateway, model, file)
    assert again.stdout == "0 labels recorded, 0 corrected, 5 known already\n"


def test_the_command_sends_what_people_have_filled_in(gateway: Running, model: str, tmp_path: Path) -> None:
    rows = [
        {"request_id": asked(gateway, model), "row": "0", "input.carrier": 'a, "b"', "label": label}
        for label in ("True", "", "False")
    ]
    file = tmp_path / "labels.csv"
    file.write_bytes(csv_of(rows))
    done = send_file(gateway, model, file)
    assert done.stdout == "2 labels recorded, 0 corrected, 0 known already\n", done.output
    file.write_text(file.read_text() + "id,0,True\n")
    torn = send_file(gateway, model, file)
    assert torn.exit_code == 1
    assert "row 4 of " in torn.stderr
    assert "has 3 values, and the header 4; correct the row" in torn.stderr


def test_the_example_of_the_guide_can_be_read() -> None:
    example = Path(__file__).parents[4] / "docs/examples/feedback.json"
    assert [(label.problem, label.row) for label in read_labels(example.read_bytes(), JSON)] == [
        ("", None),
        ("", 2),
        ("", None),
    ]


def test_feedback_needs_its_scope_and_a_body_that_can_be_read(gateway: Running, model: str) -> None:
    tokens = {
        scope: add_caller(gateway.state, Caller(name=f"{scope}-{model}", scopes=(scope,)))
        for scope in Scope
        if scope != Scope.ADMIN
    }
    bodies = {
        400: [
            (b"{", JSON),
            (b"[]", JSON),
            (b'{"labels": []}', JSON),
            (b"label\n1\n", CSV),
            (b"request_id,x,label\n", CSV),
            (b"request_id,label,label\n", CSV),
            (b"\xff", CSV),
            (b"PAR1", PARQUET),
            (parquet_of([{"x": 1}]), PARQUET),
        ],
        415: [(b"<labels/>", "application/xml")],
    }

    def allowed(token: str) -> int:
        return send(gateway, model, [{"request_id": "1", "label": 1}], Authorization=f"Bearer {token}").status_code

    until(lambda: allowed(tokens[Scope.FEEDBACK]) == 200, "the gateway knows the callers")
    assert {scope: allowed(token) for scope, token in tokens.items()} == {
        Scope.PREDICT: 403,
        Scope.EXPLAIN: 403,
        Scope.FEEDBACK: 200,
        Scope.METRICS: 403,
    }
    for status, cases in bodies.items():
        for body, media_type in cases:
            answer = send(gateway, model, body, **{"Content-Type": media_type})
            assert answer.status_code == status, (body, answer.text)
            assert answer.json()["message"]


def test_labels_outlive_a_gateway_that_is_killed(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    model = register(registry, "Healthy")
    gateway = start_gateway(mlflow_url, tmp_path, models=[model])
    until(lambda: gateway.ask(model, 0.5).status_code == 200, "the champion answers")
    sent = asked(gateway, model)
    assert counts(send(gateway, model, [{"request_id": sent, "label": 1}])) == (1, 0, 0, [])
    gateway.process.kill()
    assert stored(gateway, model) == [(sent, 0, "1", 1.0, "admin")]
    gateway.stop()


scalars = st.one_of(st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none())


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["request_id", "row", "label", "key", "z"]),
            st.one_of(scalars, st.dictionaries(st.text(max_size=3), scalars)),
        )
    )
)
def test_every_label_of_a_body_is_read_or_refused(labels: list[dict[str, Any]]) -> None:
    body = json.dumps({"labels": labels}).encode()
    try:
        found = read_labels(body, JSON)
    except RequestError as error:
        assert error.status == 400
        return
    assert [label.index for label in found] == list(range(len(labels)))
    assert all(label.problem or (label.label is not None and (label.request_id or label.key)) for label in found)


@given(st.binary(max_size=300), st.sampled_from(MEDIA_TYPES), st.booleans())
def test_any_bytes_are_labels_or_refused(noise: bytes, media_type: str, header: bool) -> None:
    starts = {JSON: b'{"labels": [', CSV: b"request_id,label\n", PARQUET: parquet_of([{"request_id": "a", "label": 1}])[:-20]}
    try:
        assert read_labels(starts[media_type] * header + noise, media_type)
    except RequestError as error:
        assert error.status in (400, 413)
