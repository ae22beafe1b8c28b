"""Processes that die, are swapped or are stopped: no request is lost, nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from mlflow import MlflowClient
from running import ADMIN, RUN_GATEWAY, Running, gateway_environment, register, start_gateway

from ending import dies_with_us
from helping import PATIENCE_S, free_port, until
from taxiway.serving.protocol import Rows
from taxiway.serving.workers import process


def test_no_request_is_lost_while_champions_are_swapped(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy", "Healthy")
    gateway.admin.refresh(model)
    swapped = threading.Event()

    def keep_asking(_: int) -> list[httpx.Response]:
        answers = []
        while not swapped.is_set():
            answers.append(gateway.ask(model, 0.5))
        return answers

    with ThreadPoolExecutor(4) as callers:
        asking = callers.map(keep_asking, range(4))
        registry.set_registered_model_alias(model, "champion", "2")
        until(lambda: gateway.admin.status(model).champion == 2, "version 2 is champion")
        by_the_second = gateway.ask(model, 0.5)
        swapped.set()
        answers = [by_the_second, *(answer for some in asking for answer in some)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["X-Taxiway-Model-Version"] for answer in answers} == {"1", "2"}


def test_one_stuck_process_of_two_does_not_stop_the_other(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    model = register(registry, "Healthy")
    running = start_gateway(mlflow_url, tmp_path / "state", models=[model], workers=2)
    until(lambda: running.admin.status(model).champion == 1, "the champion is loaded")
    stuck, _ = running.workers()
    asked: list[Future[httpx.Response]] = []
    with ThreadPoolExecutor(16) as callers:

        def answered() -> list[Future[httpx.Response]]:
            return [future for future in asked if future.done()]

        def one_more_is_answered() -> bool:
            asked.append(callers.submit(running.ask, model, 0.5))
            return len(answered()) >= 3

        stuck.suspend()
        try:
            until(one_more_is_answered, "the other process answers", progress=lambda: len(answered()))
        finally:
            stuck.resume()
        assert {future.result().status_code for future in asked} == {200}
    running.stop()


def test_a_predict_call_that_needs_too_much_memory_fails_alone(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    model = register(registry, "NeedsMemoryForThree")
    running = start_gateway(mlflow_url, tmp_path / "state", models=[model], worker_memory_bytes=4 << 30)
    until(lambda: running.admin.status(model).champion == 1, "the champion is loaded")
    (worker,) = running.workers()
    refused = running.ask(model, 3, token=ADMIN)
    assert refused.status_code == 500
    assert "MemoryError" in refused.json()["message"]
    assert running.ask(model, 0.5).status_code == 200
    assert running.workers() == [worker]
    running.stop()


def test_requests_in_flight_survive_a_killed_champion(gateway: Running, registry: MlflowClient) -> None:
    before = {worker.pid for worker in gateway.workers()}
    model = register(registry, "HalfASecond")
    gateway.admin.refresh(model)
    (champion,) = {worker.pid for worker in gateway.workers()} - before
    with ThreadPoolExecutor(3) as callers:
        asked = [callers.submit(gateway.ask, model, x) for x in (0.1, 0.2, 0.3)]
        # The first takes half a second, and the rest waits for it: the process dies with requests in flight.
        until(lambda: _established(gateway) >= 3, "requests arrived")
        os.kill(champion, signal.SIGKILL)
        answers = [future.result().json() for future in asked]
    assert answers == [{"predictions": [[1 - x, x]]} for x in (0.1, 0.2, 0.3)]


def test_an_idle_champion_that_was_killed_is_replaced(gateway: Running, registry: MlflowClient) -> None:
    before = {worker.pid for worker in gateway.workers()}
    model = register(registry, "Healthy")
    gateway.admin.refresh(model)
    (champion,) = {worker.pid for worker in gateway.workers()} - before
    os.kill(champion, signal.SIGKILL)
    until(lambda: {worker.pid for worker in gateway.workers()} - before - {champion}, "a new process came without a request")
    assert gateway.ask(model, 0.5).status_code == 200


def test_a_row_that_kills_the_champion_fails_no_other_request(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "DiesOnTwo")
    gateway.admin.refresh(model)
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda x: gateway.ask(model, x), (0.1, 2, 0.3, 0.4)))
    assert [answer.status_code for answer in answers] == [200, 500, 200, 200]
    assert "died twice" in answers[1].json()["message"]


@pytest.fixture
def busy_gateway(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> Iterator[tuple[Running, list[psutil.Process]]]:
    """A gateway with a champion and a challenger, and its processes."""
    model = register(registry, "Healthy", "Healthy")
    running = start_gateway(mlflow_url, tmp_path / "state", models=[model])
    until(lambda: running.admin.status(model).champion == 1, "the champion is loaded")
    running.admin.put_challenger(model, 2, "owner", 600)
    processes = psutil.Process(running.process.pid).children(recursive=True)
    assert len(running.workers()) == 2
    yield running, processes
    running.process.kill()
    running.process.wait()


def test_sigterm_leaves_no_process(busy_gateway: tuple[Running, list[psutil.Process]]) -> None:
    running, processes = busy_gateway
    running.process.terminate()
    assert running.process.wait(PATIENCE_S) == 0
    assert psutil.wait_procs(processes, timeout=PATIENCE_S)[1] == []
    assert "leaked" not in (running.state / "output").read_text()


def test_a_killed_gateway_leaves_no_process(busy_gateway: tuple[Running, list[psutil.Process]]) -> None:
    running, processes = busy_gateway
    running.process.kill()
    running.process.wait()
    assert psutil.wait_procs(processes, timeout=PATIENCE_S)[1] == []


def test_a_gateway_can_end_with_who_started_it(mlflow_url: str, tmp_path: Path) -> None:
    with httpx.Client() as http:
        environment = gateway_environment(mlflow_url, tmp_path / "state", port := free_port(), stop_with_parent=True)
        starts_one = (
            "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid, flush=True); input()"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", starts_one, RUN_GATEWAY],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=dies_with_us,
        )
        assert parent.stdout is not None
        gateway = psutil.Process(int(parent.stdout.readline()))
        until(lambda: _up(http, port), "the gateway is up")
        parent.kill()
        parent.wait()
        assert psutil.wait_procs([gateway], timeout=PATIENCE_S)[1] == []


def test_a_process_without_a_model_says_so() -> None:
    with pytest.raises(RuntimeError, match="has not loaded a model"):
        process.predict([Rows(("x",), [[1]])])


def _established(gateway: Running) -> int:
    """How many clients the gateway is connected to."""
    port = int(gateway.url.rsplit(":", 1)[1])
    found = psutil.Process(gateway.process.pid).net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in found)


def _up(http: httpx.Client, port: int) -> bool:
    try:
        return http.get(f"http://127.0.0.1:{port}/ping").status_code == 200
    except httpx.TransportError:
        return False


_SEEN = """
import json, multiprocessing
from concurrent.futures import ProcessPoolExecutor
from taxiway.serving.workers import local
local.LIBRARIES = "json"
local.start_fork_server()
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
    print(json.dumps(pool.submit(eval, "dict(__import__('os').environ)").result()))
"""


def test_the_code_of_a_model_gets_no_secrets_from_the_environment() -> None:
    kept = {"TAXIWAY_CODE": "/code", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"}
    secrets = {"TAXIWAY_ADMIN_TOKEN": "a", "MLFLOW_TRACKING_PASSWORD": "b", "AWS_SECRET_ACCESS_KEY": "c", "ANYTHING": "d"}
    done = subprocess.run([sys.executable, "-c", _SEEN], env=os.environ | kept | secrets, capture_output=True, check=True)
    seen = json.loads(done.stdout)
    assert seen.items() >= kept.items()
    assert not seen.keys() & secrets.keys()
