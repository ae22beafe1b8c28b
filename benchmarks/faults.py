"""What callers of the gateway notice when a part fails: every fault on real processes, under load, over loopback.

Two versions of a model of the flights are registered in a real MLflow server and served by `taxiway serve`, as in production. Four
connections send about a hundred requests a second, while a process is killed or stopped, MLflow is away, or the log cannot be
written. Every answer is compared with the model's own, computed in this process, and looked up in the request log.
"""

import itertools
import json
import os
import resource
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import httpx
import psutil
from measuring import show
from serving_stack import ADMIN, CALLER, CATEGORICAL, MODEL, NUMERIC, Server, gateway_server, mlflow_server, register_two, until

from taxiway.demo.flights import flights_by_month
from taxiway.errors import TransientError
from taxiway.registry.load import load_trusted
from taxiway.serving.client import GatewayClient

OWNER = "benchmark"
CONNECTIONS = 4
PAUSE_S = 0.04
WITHIN_S = 90.0


@dataclass
class Counts:
    """What became of the requests; `unreachable` were not sent, because nobody listened."""

    answered: int = 0
    equal: int = 0
    refused: int = 0
    unreachable: int = 0
    lost: int = 0
    slowest_s: float = 0.0
    ids: set[str] = field(default_factory=set)


class Traffic:
    """Requests within a `with` block.

    Args:
        url: The gateway.
        records: The rows, one for each request.
        expected: The answer to each.
    """

    def __init__(self, url: str, records: list[dict[str, Any]], expected: list[Any]) -> None:
        self._target = f"{url}/models/{MODEL}/invocations"
        self._records, self._expected = records, expected
        self._numbers, self._lock, self._over = itertools.count(), threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._connection, daemon=True) for _ in range(CONNECTIONS)]
        self.counts = Counts()

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def more(self, number: int, what: str = "answered") -> None:
        """Wait until so many more requests are `answered` or `refused`."""
        wanted = getattr(self.counts, what) + number
        until(lambda: getattr(self.counts, what) >= wanted, f"{number} more requests are {what}", WITHIN_S)

    def _connection(self) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {CALLER}"}, timeout=WITHIN_S) as http:
            while not self._over.wait(PAUSE_S):
                with self._lock:
                    number = next(self._numbers) % len(self._records)
                self._send(http, number)

    def _send(self, http: httpx.Client, number: int) -> None:
        began, response = time.monotonic(), None
        try:
            response = http.post(self._target, json={"dataframe_records": [self._records[number]]})
            what = "answered" if response.status_code == 200 else "refused"
        except httpx.ConnectError:
            what = "unreachable"
        except httpx.TransportError:
            what = "lost"
        with self._lock:
            setattr(self.counts, what, getattr(self.counts, what) + 1)
            if response is not None and what == "answered":
                self.counts.equal += response.json()["predictions"] == [self._expected[number]]
                self.counts.ids.add(response.headers["X-Taxiway-Request-Id"])
                self.counts.slowest_s = max(self.counts.slowest_s, time.monotonic() - began)


@dataclass(frozen=True)
class Stack:
    """The servers, and where the gateway keeps its state."""

    mlflow: Server
    gateway: Server
    state: Path

    def admin(self) -> GatewayClient:
        return GatewayClient(self.gateway.url, ADMIN)

    def gateway_pid(self) -> int:
        assert self.gateway.process is not None
        return self.gateway.process.pid

    def workers(self) -> set[psutil.Process]:
        """The model processes, which a server process of the gateway has forked."""
        servers = [
            child for child in psutil.Process(self.gateway_pid()).children() if "forkserver" in " ".join(child.cmdline())
        ]
        return {worker for server in servers for worker in server.children() if worker.status() != psutil.STATUS_ZOMBIE}

    def kill_gateway(self) -> None:
        """Kill the gateway's own process and start another at once; the model processes have to end by themselves."""
        assert self.gateway.process is not None
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.gateway.start()


def kill_workers(stack: Stack, traffic: Traffic) -> None:
    for _ in range(4):
        for worker in stack.workers():
            worker.kill()
        traffic.more(25)


def stop_worker(stack: Stack, _: Traffic) -> None:
    for worker in stack.workers():
        worker.suspend()


def kill_gateway(stack: Stack, _: Traffic) -> None:
    stack.kill_gateway()


def fill_disk(stack: Stack, traffic: Traffic) -> None:
    """No file of the gateway may grow beyond 4 KiB, until 100 requests have been refused."""
    before = resource.prlimit(stack.gateway_pid(), resource.RLIMIT_FSIZE)
    resource.prlimit(stack.gateway_pid(), resource.RLIMIT_FSIZE, (4096, before[1]))
    traffic.more(100, "refused")
    resource.prlimit(stack.gateway_pid(), resource.RLIMIT_FSIZE, before)


def overwrite_log(stack: Stack, _: Traffic) -> None:
    (stack.state / "requests.sqlite").write_bytes(b"x" * 100_000)


def stop_challenger(stack: Stack, traffic: Traffic) -> None:
    before = stack.workers()
    with stack.admin() as admin:
        admin.put_challenger(MODEL, 2, OWNER, 600)
    for worker in stack.workers() - before:
        worker.suspend()
    traffic.more(300)
    with stack.admin() as admin:
        admin.delete_challenger(MODEL, OWNER)


def kill_mlflow(stack: Stack, traffic: Traffic) -> None:
    """Kill MLflow during a shadow; it is not started again."""
    with stack.admin() as admin:
        admin.put_challenger(MODEL, 2, OWNER, 600)
    stack.mlflow.end(signal.SIGKILL)
    traffic.more(300)


def restart_gateway(stack: Stack, _: Traffic) -> None:
    """Without MLflow, and with a challenger that has to be served again."""
    stack.gateway.end()
    stack.gateway.start()
    until(lambda: _challenger_serves(stack), "the challenger is served again", WITHIN_S)


def _challenger_serves(stack: Stack) -> bool:
    with stack.admin() as admin:
        try:
            held = admin.challenger(MODEL)
        except TransientError:
            return False
        return held is not None and held.state == "serving"


FAULTS: dict[str, Callable[[Stack, Traffic], None]] = {
    "none": lambda *_: None,
    "model process killed, 4 times": kill_workers,
    "model process stopped": stop_worker,
    "gateway killed, restarted at once": kill_gateway,
    "disk full, until 100 are refused": fill_disk,
    "challenger's process stopped": stop_challenger,
    "MLflow killed, during a shadow": kill_mlflow,
    "gateway restarted, without MLflow": restart_gateway,
    "gateway killed, without MLflow": kill_gateway,
    "model processes killed, without MLflow": kill_workers,
    "request log overwritten, without MLflow": overwrite_log,
}
"""In this order: MLflow is not started again after it has been killed."""


def play(stack: Stack, name: str, records: list[dict[str, Any]], expected: list[Any]) -> tuple[str, ...]:
    """Let one fault happen between 100 answered requests and 100 more; returns its row of the table."""
    with Traffic(stack.gateway.url, records, expected) as traffic:
        traffic.more(100)
        FAULTS[name](stack, traffic)
        traffic.more(100)
    found = traffic.counts
    sent = found.answered + found.refused + found.unreachable + found.lost
    numbers = (sent, found.answered, found.equal, found.refused, found.unreachable, found.lost)
    unlogged = len(found.ids - _logged(stack.state))
    return (name, *(f"{number:,}" for number in numbers), f"{unlogged:,}", f"{found.slowest_s:.1f}")


def _logged(state: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{state}/requests.sqlite?mode=ro", uri=True)) as log:
        return {str(request_id) for (request_id,) in log.execute("SELECT request_id FROM requests")}


def expected_answers(tracking_uri: str, rows: Any) -> list[Any]:
    """What the champion answers to each row, in this process."""
    predictions: Any = load_trusted(tracking_uri, MODEL, 1).get_raw_model().predict_proba(rows)
    return list(predictions.tolist())


def main() -> None:
    """Play all faults and print what became of the requests."""
    with tempfile.TemporaryDirectory() as name, mlflow_server(Path(name)) as mlflow:
        months = flights_by_month()
        register_two(mlflow.url, months)
        rows = months["2013-06"][NUMERIC + CATEGORICAL].sample(1000, random_state=0)
        records: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
        expected = expected_answers(mlflow.url, rows)
        with gateway_server(Path(name), mlflow.url) as gateway:
            stack = Stack(mlflow, gateway, Path(name) / "gateway")
            table = []
            for fault in FAULTS:
                with stack.admin() as admin:
                    until(lambda: admin.status(MODEL).champion == 1, "the champion is loaded")
                table.append(play(stack, fault, records, expected))
    headings = ("fault", "sent", "answered", "equal", "refused", "unreachable", "lost", "not logged", "slowest s")
    show("requests of one row each, over 4 connections", headings, table)


if __name__ == "__main__":
    main()
