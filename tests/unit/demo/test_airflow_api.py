"""The client of Airflow's REST API, against a server that is slow, refuses, and drops connections."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from helping import PATIENCE_S, free_port
from taxiway.demo import airflow_api
from taxiway.demo.airflow_api import AirflowApi
from taxiway.errors import TransientError


class Airflow(ThreadingHTTPServer):
    """As much of Airflow as a run needs. `faults` are what it does to the next requests, after it has done what they ask for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[str] = []
        self.runs: list[str] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Airflow

    def _serve(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        status, answer = self._answer(body)
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault == "hang":
            self.server.over.wait(PATIENCE_S)
        if fault in ("drop", "hang"):
            self.close_connection = True
            return
        self.send_response(503 if fault == "refuse" else status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_GET = do_POST = do_PATCH = _serve

    def _answer(self, body: dict[str, str]) -> tuple[int, dict[str, object]]:
        if self.path.startswith("/auth/token"):
            return 201, {"access_token": "t"}
        if self.command == "POST":
            if body["dag_run_id"] in self.server.runs:
                return 409, {"detail": "the run exists"}
            self.server.runs.append(body["dag_run_id"])
            return 200, {"dag_run_id": body["dag_run_id"]}
        if self.path.endswith("/taskInstances"):
            task = {"task_id": "ingest", "map_index": -1, "rendered_map_index": None, "state": "success"}
            return 200, {"task_instances": [{**task, "queued_when": None, "start_date": None, "end_date": None}]}
        if self.path.endswith("/none"):
            return 404, {"detail": "not found"}
        return 200, {"state": "success"}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    monkeypatch.setattr(airflow_api, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(airflow_api, "POLL_SECONDS", 0.01)
    server = Airflow()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("fault", ["hang", "drop", "refuse"])
def test_a_run_goes_on_after_an_answer_that_did_not_come(
    airflow: Airflow, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    airflow.faults = [fault]
    api = AirflowApi(airflow.url, "secret")
    airflow.faults = [fault]
    run = api.trigger("flights.late_arrivals", {})
    airflow.faults = [fault, "", fault]
    with caplog.at_level(logging.WARNING):
        assert [task.task for task in api.follow("flights.late_arrivals", run)] == ["ingest"]
    assert airflow.runs == [run], "a repeated request starts no second run"
    assert [message.split(" (")[0] for message in caplog.messages[:1]] == ["Airflow does not answer"]
    assert "answers again" in caplog.messages[1]


def test_an_airflow_that_stays_away_is_an_error_without_a_traceback_of_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "OUTAGE_SECONDS", 0.0)
    with pytest.raises(TransientError, match="has not answered for 0 s"):
        AirflowApi(f"http://127.0.0.1:{free_port()}", "secret")


def test_an_answer_that_says_no_is_not_asked_for_again(airflow: Airflow) -> None:
    api = AirflowApi(airflow.url, "secret")
    with pytest.raises(TransientError, match="HTTP 404"):
        api.run_state("flights.late_arrivals", "none")
