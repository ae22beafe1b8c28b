"""What callers and pipelines see of a gateway: who may do what, what is refused, who answers."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from mlflow import MlflowClient
from running import ADMIN, CALLER, Running, add_version, register, start_gateway

from helping import until
from taxiway.errors import ConfigError, TerminalError, TransientError
from taxiway.records.digests import digest_of_bytes
from taxiway.serving.client import GatewayClient
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.state.request_log import RequestLog


@pytest.fixture(scope="module")
def model(gateway: Running, registry: MlflowClient) -> str:
    """A healthy model that the gateway serves as version 1."""
    name = register(registry, "Healthy", "Healthy", "Unloadable")
    assert gateway.admin.refresh(name).champion == 1
    return name


def test_every_form_of_the_scoring_protocol_gets_the_same_answer(gateway: Running, model: str) -> None:
    forms = [
        {"dataframe_records": [{"x": 0.25}, {"x": 0.5}]},
        {"dataframe_split": {"columns": ["x"], "data": [[0.25], [0.5]]}},
        {"inputs": {"x": [0.25, 0.5]}},
        {"instances": [{"x": 0.25}, {"x": 0.5}]},
    ]
    for form in forms:
        response = gateway.post(model, form)
        assert response.json() == {"predictions": [[0.75, 0.25], [0.5, 0.5]]}, form
        assert response.headers["X-Taxiway-Model-Version"] == "1"
        assert len(response.headers["X-Taxiway-Request-Id"]) == 32


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"not json", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "the body is an array"),
        (b'{"rows": []}', '"rows"'),
        (b'{"dataframe_records": []}', "no rows"),
        (b'{"dataframe_records": [1]}', "a list of objects"),
        (b'{"dataframe_split": {"columns": ["x"], "data": [[1, 2]]}}', "row 0"),
        (b'{"dataframe_split": {"columns": ["x", "x"], "data": [[1, 2]]}}', "duplicate column"),
        (b'{"inputs": "/etc/hostname"}', "has the wrong format"),
        (b'{"inputs": {"x": [1, [[2]]]}}', 'row 1 has a list in a list in column "x"'),
        (b'{"inputs": {"x": [1, [2, {}]]}}', 'row 1 has an object in a list in column "x"'),
        (
            b'{"inputs": {"x": [[' + b"0," * 10_000 + b"0]]}}",
            'row 0 has a list of 10,001 items in column "x"; allowed: a number',
        ),
        (b'{"dataframe_split": {"columns": ["x"], "data": [[{}]]}}', 'row 0 has an object in column "x"'),
        (b'{"inputs": {"x": [1], "y": [1, 2]}}', "different lengths"),
        (b'{"dataframe_records": [{"x": 1}], "params": {}}', "exactly one"),
    ],
)
def test_bad_input_is_refused_with_a_message(gateway: Running, model: str, body: bytes, says: str) -> None:
    url = f"{gateway.url}/models/{model}/invocations"
    response = gateway.http.post(url, content=body, headers={"Authorization": f"Bearer {CALLER}"})
    assert response.status_code == 400
    assert says in response.json()["message"]


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_body_is_refused_before_it_is_read(gateway: Running, model: str, chunked: bool) -> None:
    chunks = [b" " * (1 << 20)] * 3
    url = f"{gateway.url}/models/{model}/invocations"
    content = iter(chunks) if chunked else b"".join(chunks)
    response = httpx.post(url, content=content, headers={"Authorization": f"Bearer {CALLER}"})
    assert response.status_code == 413
    assert "2,097,152 bytes" in response.json()["message"]


def test_nobody_gets_anywhere_without_a_token(gateway: Running, model: str) -> None:
    routes = [
        *(
            ("GET", path)
            for path in ("/version", "/models", f"/models/{model}", f"/models/{model}/pairs", "/docs", "/openapi.json")
        ),
        *(("POST", path) for path in ("/invocations", f"/models/{model}/invocations", f"/models/{model}/refresh")),
        *((verb, f"/models/{model}/challenger") for verb in ("GET", "PUT", "DELETE")),
    ]
    for verb, path in routes:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {ADMIN}"}):
            assert gateway.http.request(verb, gateway.url + path, headers=headers).status_code == 401, (verb, path, headers)
    assert gateway.http.get(f"{gateway.url}/ping").status_code == 200


def test_a_caller_changes_nothing(gateway: Running, model: str) -> None:
    caller = {"Authorization": f"Bearer {CALLER}"}
    content = {"version": 2, "owner": "caller", "expires_in_s": 60}
    answers = [
        gateway.http.post(f"{gateway.url}/models/{model}/refresh", headers=caller),
        gateway.http.put(f"{gateway.url}/models/{model}/challenger", json=content, headers=caller),
        gateway.http.get(f"{gateway.url}/models/{model}/challenger", headers=caller),
        gateway.http.delete(f"{gateway.url}/models/{model}/challenger?owner=caller", headers=caller),
        gateway.http.get(f"{gateway.url}/models/{model}/pairs?version=2&owner=caller", headers=caller),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert gateway.admin.challenger(model) is None


def test_a_verb_that_a_route_does_not_know_is_named_as_that(gateway: Running, model: str) -> None:
    response = gateway.http.get(f"{gateway.url}/models/{model}/invocations", headers={"Authorization": f"Bearer {CALLER}"})
    assert (response.status_code, response.json()["error_code"]) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "POST"


def test_there_are_no_pages_about_the_routes(gateway: Running) -> None:
    admin = {"Authorization": f"Bearer {ADMIN}"}
    assert [gateway.http.get(gateway.url + path, headers=admin).status_code for path in ("/docs", "/redoc")] == [404] * 2


def test_the_log_of_requests_is_its_owners_alone(gateway: Running, model: str) -> None:
    gateway.ask(model, 1)
    files = list(gateway.state.glob("requests.sqlite*"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * len(files)
    assert files


def test_no_token_is_ever_logged(gateway: Running, model: str) -> None:
    gateway.ask(model, 1)
    written = b"".join(path.read_bytes() for path in gateway.state.iterdir() if path.is_file())
    assert b"Uvicorn running" in written
    assert CALLER.encode() not in written
    assert ADMIN.encode() not in written


def test_version_is_mlflows(gateway: Running) -> None:
    import mlflow

    response = gateway.http.get(f"{gateway.url}/version", headers={"Authorization": f"Bearer {CALLER}"})
    assert response.text == mlflow.__version__
    assert response.headers["X-Taxiway-Version"]


def test_a_bad_row_fails_only_its_own_request(gateway: Running, model: str) -> None:
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda x: gateway.ask(model, x), [0.5, -1, 0.25, 0.75] * 8))
    assert [answer.status_code for answer in answers] == [200, 500, 200, 200] * 8
    assert [answer.json()["predictions"][0][1] for answer in answers[2::4]] == [0.25] * 8


def test_only_admins_are_told_what_a_model_raised(gateway: Running, model: str) -> None:
    answer = gateway.ask(model, -1)
    request_id = answer.headers["X-Taxiway-Request-Id"]
    assert answer.json()["message"] == (
        f"{model} failed for this request; to ask those who operate the gateway, give them the request id {request_id}"
    )
    assert gateway.ask(model, -1, token=ADMIN).json()["message"] == "the model failed: ValueError: a row has x = -1"
    assert (
        "caller was answered with 500: the model failed: ValueError: a row has x = -1" in (gateway.state / "output").read_text()
    )
    with closing(sqlite3.connect(f"{(gateway.state / 'requests.sqlite').as_uri()}?mode=ro", uri=True)) as log:
        ((error,),) = log.execute("SELECT champion_error FROM requests WHERE request_id = ?", (request_id,))
    assert error == "the model failed: ValueError: a row has x = -1"


def test_answers_go_to_those_who_asked_when_many_ask_at_once(gateway: Running, model: str) -> None:
    xs = [i / 1000 for i in range(300)]
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda x: gateway.ask(model, x, x / 2).json()["predictions"], xs))
    assert [[row[1] for row in answer] for answer in answers] == [[x, x / 2] for x in xs]


def test_a_model_without_a_champion_is_unavailable_until_it_gets_one(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy", champion=0)
    assert gateway.admin.refresh(model).champion == 0
    response = gateway.ask(model, 1)
    assert response.status_code == 503
    assert "no champion" in response.json()["message"]
    registry.set_registered_model_alias(model, "champion", "1")
    until(lambda: gateway.ask(model, 1).status_code == 200, "the new champion is served without a refresh")


def test_a_champion_that_cannot_be_loaded_leaves_the_old_one(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy", "Unloadable")
    gateway.admin.refresh(model)
    registry.set_registered_model_alias(model, "champion", "2")
    status = gateway.admin.refresh(model)
    assert status.champion == 1
    assert "unloadable on purpose" in status.problem
    assert gateway.ask(model, 0.5).headers["X-Taxiway-Model-Version"] == "1"


def test_an_unknown_model_is_not_served(gateway: Running) -> None:
    with pytest.raises(TerminalError, match=r"404.*no model tests\.nowhere"):
        gateway.admin.refresh("tests.nowhere")
    with pytest.raises(TerminalError, match=r"404.*not served here"):
        gateway.admin.status("tests.nowhere")


def test_invocations_without_a_name_need_exactly_one_model(
    gateway: Running, model: str, registry: MlflowClient, mlflow_url: str, tmp_path: Path
) -> None:
    caller = {"Authorization": f"Bearer {CALLER}"}
    gateway.admin.refresh(register(registry, "Healthy", champion=0))
    several = gateway.http.post(f"{gateway.url}/invocations", json={"dataframe_records": [{"x": 1}]}, headers=caller)
    assert several.status_code == 404
    assert several.json()["message"].startswith('/invocations needs exactly one served model; served: "tests.model_')
    alone = start_gateway(mlflow_url, tmp_path / "alone", models=[model])
    until(lambda: alone.admin.status(model).champion == 1, "the champion is loaded")
    answer = gateway.http.post(f"{alone.url}/invocations", json={"dataframe_records": [{"x": 1}]}, headers=caller)
    alone.stop()
    assert answer.json() == {"predictions": [[0.0, 1.0]]}


def test_what_the_client_calls_transient(mlflow_url: str) -> None:
    with (
        GatewayClient("http://127.0.0.1:9", ADMIN) as nobody,
        pytest.raises(TransientError, match="check the address, and whether it is running"),
    ):
        nobody.status("some.model")


def test_weak_or_equal_tokens_are_refused(tmp_path: Path) -> None:
    def settings(caller: str, admin: str) -> GatewaySettings:
        tokens = {"caller_token": caller, "admin_token": admin}
        return GatewaySettings.model_validate({"tracking_uri": "http://127.0.0.1:1", "state_folder": tmp_path, **tokens})

    with pytest.raises(ValueError, match="too short"):
        settings("", ADMIN)
    with pytest.raises(ValueError, match="the same"):
        settings(ADMIN, ADMIN)
    assert ADMIN not in repr(settings(CALLER, ADMIN))


def test_two_gateways_do_not_share_a_state_folder(gateway: Running) -> None:
    with pytest.raises(ConfigError, match="another gateway"):
        RequestLog(gateway.state, keep_rows=10, keep_bytes=1 << 20)


def test_an_altered_copy_is_downloaded_again(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy")
    others = set(gateway.workers())
    assert gateway.admin.refresh(model).champion == 1
    behaviour = gateway.state / "models" / f"{digest_of_bytes(model.encode())}-1" / "files/model/behaviour"
    behaviour.write_text("Raises")
    for worker in set(gateway.workers()) - others:  # among them those of other models that cannot be loaded
        with suppress(psutil.NoSuchProcess):
            worker.kill()
    until(lambda: gateway.ask(model, 0.5).status_code == 200, "a worker is started from a new copy")
    assert behaviour.read_text() == "Healthy"


def test_copies_of_old_versions_are_removed(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, *["Healthy"] * 3)
    before = set((gateway.state / "models").iterdir())
    for version in range(1, 4):
        registry.set_registered_model_alias(model, "champion", str(version))
        assert gateway.admin.refresh(model).champion == version
    kept = [path.name.rpartition("-")[2] for path in set((gateway.state / "models").iterdir()) - before]
    assert sorted(kept) == ["2", "3"], "the champion, and the one before it, so that a rollback downloads nothing"


def test_a_model_that_was_registered_again_under_its_name_is_loaded_again(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy")
    assert gateway.admin.refresh(model).champion == 1
    registry.delete_registered_model(model)
    registry.create_registered_model(model)
    add_version(registry, model, "AnswersNaN")
    registry.set_registered_model_alias(model, "champion", "1")
    gateway.admin.refresh(model)
    until(lambda: gateway.ask(model, 0.5).status_code == 500, "the new version 1 answers")


def test_the_items_of_lists_count_in_the_limit_of_values(gateway: Running, model: str) -> None:
    row = b"[" + b"0," * 9_999 + b"0]"
    body = b'{"dataframe_split": {"columns": ["x"], "data": [' + b",".join([b"[" + row + b"]"] * 10) + b"]}}"
    response = gateway.http.post(
        f"{gateway.url}/models/{model}/invocations", content=body, headers={"Authorization": f"Bearer {CALLER}"}
    )
    assert response.status_code == 413
    assert "has 100,010 values, with those in lists; allowed: 100,000" in response.json()["message"]
