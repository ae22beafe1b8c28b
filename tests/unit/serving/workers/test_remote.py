"""A challenger served elsewhere, slow, dead or lying: the champion answers as if it were not there, and nothing false is logged."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import misbehaving
import pytest
from forking import Forked
from mlflow import MlflowClient
from running import CALLER, IMPATIENT_S, Running, register, start_gateway, with_loaders

from helping import PATIENCE_S, free_port, until
from taxiway.errors import TerminalError, TransientError, WrongAnswersError
from taxiway.records import ShadowReport, Status
from taxiway.serving.answer_check import check_shadow
from taxiway.serving.api import ChallengerStatus, Remote

SERVING = Path(__file__).parents[1]
TOKEN = "token-of-one-version"
HTTP = httpx.Client(timeout=PATIENCE_S)
VERSIONS = ["Healthy", "Healthy", "Raises", "HalfASecond", "Unloadable"]
_RUN = "import os; from taxiway.serving.workers.serve_version import VersionSettings as S, serve_version; "
RUN_VERSION = _RUN + "serve_version(S.model_validate_json(os.environ['VERSION']))"


@pytest.fixture(scope="module")
def model(gateway: Running, registry: MlflowClient) -> str:
    name = register(registry, *VERSIONS)
    assert gateway.admin.refresh(name).champion == 1
    return name


@contextmanager
def served(mlflow_url: str, model: str, version: int, lease_s: float = 3600) -> Iterator[tuple[Remote, Forked]]:
    """A version in a process of its own, as it runs in a container."""
    from taxiway.serving.workers.serve_version import VersionSettings

    port = free_port()
    content = {"tracking_uri": mlflow_url, "model": model, "version": version, "lease_s": lease_s, "port": port, "token": TOKEN}
    settings = VersionSettings.model_validate(content | {"loader": "misbehaving:load"})
    told = settings.model_dump_json().replace('"**********"', f'"{TOKEN}"')
    environment = {**os.environ, "PYTHONPATH": with_loaders(), "VERSION": told}
    process = Forked(RUN_VERSION, environment, output=2)
    try:
        yield Remote(address=f"http://127.0.0.1:{port}", token=TOKEN), process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def healthy(mlflow_url: str, model: str) -> Iterator[Remote]:
    """Version 2 in a process of its own, for the tests that do not end it."""
    with served(mlflow_url, model, 2) as (remote, _):
        until(lambda: _status(remote, "GET", "/ping", "") == 200, "it is up")
        yield remote


@contextmanager
def liar(model: str, version: int, lie: str) -> Iterator[Remote]:
    port = free_port()
    arguments = [str(SERVING / "lying.py"), str(port), model, str(version), lie]
    code = f"import runpy, sys; sys.argv = {arguments!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    process = Forked(code, os.environ, output=2)
    try:
        yield Remote(address=f"http://127.0.0.1:{port}", token=TOKEN)
    finally:
        process.kill()
        process.wait()


def counted(gateway: Running, model: str, requests: int) -> ChallengerStatus:
    """The counts once so many requests were dealt with."""

    def dealt_with() -> ChallengerStatus | None:
        status = gateway.admin.challenger(model)
        assert status is not None
        return status if status.answered + status.errors >= requests else None

    found: ChallengerStatus = until(dealt_with, "the challenger dealt with everything")
    return found


def test_both_answers_are_paired(gateway: Running, model: str, healthy: Remote) -> None:
    assert gateway.admin.put_challenger(model, 2, "run-ok", 600, healthy).state == "serving"
    for x in (0.1, 0.2, 0.3):
        assert gateway.ask(model, x, x + 0.1).status_code == 200
    assert counted(gateway, model, 3).errors == 0
    log = gateway.admin.pairs(model, 2, "run-ok")
    gateway.admin.delete_challenger(model, "run-ok")
    assert [p.champion.predictions == p.challenger.predictions for p in log.pairs] == [True] * 3
    assert all(pair.challenger.latency_ms > 0 for pair in log.pairs)
    assert (log.dropped, log.unanswered) == (0, 0)


def test_its_own_failures_are_counted_as_such(gateway: Running, model: str, mlflow_url: str) -> None:
    with served(mlflow_url, model, 3) as (remote, _):
        gateway.admin.put_challenger(model, 3, "run-raises", 600, remote)
        assert gateway.ask(model, 0.1).status_code == 200
        assert counted(gateway, model, 1).errors == 1
        (pair,) = gateway.admin.pairs(model, 3, "run-raises").pairs
        gateway.admin.delete_challenger(model, "run-raises")
    assert "broken on purpose" in pair.challenger.error


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("text", "it has the wrong format"),
        ("too_many", "2 outcomes for 1 requests"),
        ("other_rows", "does not have one prediction for each of 1 rows"),
        ("nan", "not JSON"),
        ("no_json", "not JSON"),
        ("before_it_began", "its status or latency is impossible"),
        ("forever", "its status or latency is impossible"),
        ("own_status", "its status or latency is impossible"),
        ("later_than_it_came", "its status or latency is impossible"),
        ("infinite", "a prediction is not a finite number or a text"),
        ("huge_number", "a prediction is not a finite number or a text"),
        ("nothing", "a prediction is not a finite number or a text"),
        ("empty", "a prediction is not a finite number or a text"),
        ("large", "more than 4,096 characters per row"),
        ("endless", "more than 4,096 characters per row"),
        ("deep", "more than 4,096 characters per row"),
        ("elsewhere", "it has the wrong format"),
    ],
)
def test_a_lie_is_an_error_of_the_challenger_and_nobody_elses(gateway: Running, model: str, lie: str, message: str) -> None:
    owner = f"run-{lie}"
    with liar(model, 2, lie) as remote:
        gateway.admin.put_challenger(model, 2, owner, 600, remote)
        assert gateway.ask(model, 0.25).json() == {"predictions": [[0.75, 0.25]]}
        assert counted(gateway, model, 1).errors == 1
        (pair,) = gateway.admin.pairs(model, 2, owner).pairs
        gateway.admin.delete_challenger(model, owner)
    assert message in pair.challenger.error
    assert pair.challenger.predictions is None


def test_a_lie_in_the_form_of_an_answer_is_found_by_asking_the_model_itself(
    gateway: Running, model: str, mlflow_url: str
) -> None:
    """In every agreement it would count as an answer: 0.5 is the label of both."""
    with liar(model, 2, "plausible") as remote:
        gateway.admin.put_challenger(model, 2, "run-plausible", 600, remote)
        for x in (0.5, 0.25):
            assert gateway.ask(model, x).json() == {"predictions": [[1 - x, x]]}
        assert counted(gateway, model, 2).errors == 0
        pairs = gateway.admin.pairs(model, 2, "run-plausible", bodies=10).pairs
        gateway.admin.delete_challenger(model, "run-plausible")
    report = ShadowReport(model=model, version=2, champion=1, status=Status.PASS, reasons=())
    with pytest.raises(WrongAnswersError, match="1 of 2 logged answers of the challenger") as raised:
        check_shadow(report, pairs, lambda _: misbehaving.Healthy())
    assert f"version 2 answered request {pairs[1].request_id} with [[0.5, 0.5]], but the model computes: [[0.75,0.25]]" in str(
        raised.value
    )


def test_no_caller_waits_for_a_silent_challenger(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    gateway = start_gateway(mlflow_url, tmp_path, predict_timeout_s=IMPATIENT_S)
    name = register(registry, "Healthy", "Healthy")
    gateway.admin.refresh(name)
    with liar(name, 2, "silence") as remote:
        gateway.admin.put_challenger(name, 2, "run-silence", 600, remote)
        assert gateway.ask(name, 0.25).status_code == 200
        status = gateway.admin.challenger(name)
        assert status is not None
        assert (status.mirrored, status.answered, status.errors) == (1, 0, 0), "it was waited for"
        assert counted(gateway, name, 1).errors == 1
        (pair,) = gateway.admin.pairs(name, 2, "run-silence").pairs
    assert "in time" in pair.challenger.error
    gateway.stop()


def test_one_that_dies_is_given_up_and_its_requests_count_as_unanswered(gateway: Running, model: str, mlflow_url: str) -> None:
    with served(mlflow_url, model, 2) as (remote, process):
        gateway.admin.put_challenger(model, 2, "run-dies", 600, remote)
        assert gateway.ask(model, 0.1).status_code == 200
        counted(gateway, model, 1)
        process.kill()
        process.wait()
        assert [gateway.ask(model, 0.2).status_code for _ in range(5)] == [200] * 5
        until(lambda: gateway.admin.challenger(model) is None, "the dead challenger is given up")
    log = gateway.admin.pairs(model, 2, "run-dies")
    assert len(log.pairs) == 1
    assert not any(pair.challenger.error for pair in log.pairs), "a dead container is no error of the model"


def test_another_version_at_the_address_is_refused(gateway: Running, model: str) -> None:
    with liar(model, 3, "text") as remote, pytest.raises(TerminalError, match="something other than"):
        gateway.admin.put_challenger(model, 2, "run-other", 600, remote)
    assert gateway.admin.challenger(model) is None


def test_nobody_at_the_address_is_said_in_time_and_asked_again(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    gateway = start_gateway(mlflow_url, tmp_path, load_timeout_s=1)
    name = register(registry, "Healthy")
    gateway.admin.refresh(name)
    nobody = Remote(address=f"http://127.0.0.1:{free_port()}", token=TOKEN)
    with pytest.raises(TransientError, match="did not answer within 1 s"):
        gateway.admin.put_challenger(name, 1, "run-nobody", 600, nobody)
    held = gateway.admin.challenger(name)
    assert held is not None
    assert held.state == "loading"
    gateway.stop()


def test_a_second_container_of_the_same_run_takes_the_place_of_the_first(
    gateway: Running, model: str, mlflow_url: str, healthy: Remote
) -> None:
    with served(mlflow_url, model, 2) as (second, process):
        gateway.admin.put_challenger(model, 2, "run-twice", 600, healthy)
        gateway.admin.put_challenger(model, 2, "run-twice", 600, second)
        process.kill()
        until(lambda: gateway.admin.challenger(model) is None, "the second one was the one that was asked")


def test_a_gateway_that_starts_again_asks_the_same_container(
    mlflow_url: str, model: str, healthy: Remote, tmp_path: Path
) -> None:
    gateway = start_gateway(mlflow_url, tmp_path)
    gateway.admin.refresh(model)
    gateway.admin.put_challenger(model, 2, "run-again", 600, healthy)
    gateway.stop()
    again = start_gateway(mlflow_url, tmp_path)
    until(lambda: (c := again.admin.challenger(model)) and c.state == "serving", "the challenger is taken up again")
    until(lambda: again.admin.status(model).champion == 1, "the champion is there again")
    assert again.ask(model, 0.5).status_code == 200
    assert counted(again, model, 1).errors == 0
    again.stop()


def test_only_who_knows_the_token_is_answered(healthy: Remote) -> None:
    for token in ("", "wrong", CALLER):
        assert _status(healthy, "POST", "/batch", token) == 401
    assert _status(healthy, "POST", "/batch", TOKEN) == 400
    assert [_status(healthy, "GET", path, TOKEN) for path in ("/docs", "/openapi.json")] == [404, 404]


def test_it_ends_with_its_lease(model: str, mlflow_url: str) -> None:
    with served(mlflow_url, model, 2, lease_s=6) as (_, process):
        assert process.wait(PATIENCE_S) == 0


def test_a_version_that_cannot_be_loaded_ends_at_once(model: str, mlflow_url: str) -> None:
    with served(mlflow_url, model, 5) as (_, process):
        assert process.wait(PATIENCE_S) == 3


def _status(remote: Remote, method: str, path: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return HTTP.request(method, remote.address + path, headers=headers).status_code
    except httpx.TransportError:
        return 0
