"""Soak test of the gateway: memory and open files during some minutes of mixed requests.

Two versions of a model of the flights are registered in a real MLflow server; `taxiway serve` serves the first one, as in production.
Four connections send single rows, large requests, requests that are refused, and true labels of earlier predictions. The memory and
the open files of all processes of the gateway are measured once a second, and the last third is compared with the one before.
"""

import argparse
import itertools
import json
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import httpx
import psutil
from measuring import show
from serving_stack import ADMIN, CATEGORICAL, MODEL, NUMERIC, gateway_server, mlflow_server, register_two, until

from taxiway.demo.flights import flights_by_month
from taxiway.serving.client import GatewayClient

CONNECTIONS = 4
LARGE_ROWS = 2000
KINDS = ("row", "row", "row", "label", "malformed", "row", "row", "row", "label", "large")
"""In this order, on each connection."""
PAUSE_S = 0.01


class Traffic:
    """Mixed requests within a `with` block.

    Args:
        url: The gateway.
        records: The rows to ask about.

    Attributes:
        counts: The number of requests by kind and status.
    """

    def __init__(self, url: str, records: list[dict[str, Any]]) -> None:
        self._url, self._records = f"{url}/models/{MODEL}", records
        self._over, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._connection, daemon=True) for _ in range(CONNECTIONS)]
        self.counts: Counter[tuple[str, int]] = Counter()

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _connection(self) -> None:
        predicted = ""
        with httpx.Client(headers={"Authorization": f"Bearer {ADMIN}"}, timeout=60) as http:
            for number in itertools.count():
                if self._over.wait(PAUSE_S):
                    return
                kind = KINDS[number % len(KINDS)]
                address, body = self._request(kind, number, predicted)
                answer = http.post(address, content=body)
                predicted = answer.headers.get("X-Taxiway-Request-Id", predicted)
                with self._lock:
                    self.counts[kind, answer.status_code] += 1

    def _request(self, kind: str, number: int, predicted: str) -> tuple[str, bytes]:
        """The address and the body of a request."""
        if kind == "label":
            return f"{self._url}/feedback", json.dumps({"labels": [{"request_id": predicted, "label": "True"}]}).encode()
        if kind == "malformed":
            return f"{self._url}/invocations", b'{"dataframe_records": [{"distance": '
        first = number % len(self._records)
        rows = self._records[:LARGE_ROWS] if kind == "large" else self._records[first : first + 1]
        return f"{self._url}/invocations", json.dumps({"dataframe_records": rows}).encode()


def used(pid: int) -> tuple[float, int]:
    """The memory in MB and the open files of a process and its descendants; memory that they share is counted once."""
    memory = files = 0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            memory += process.memory_full_info().pss
            files += process.num_fds()
    return memory / 1e6, files


def soak(
    url: str, pid: int, records: list[dict[str, Any]], minutes: float
) -> tuple[Counter[tuple[str, int]], list[tuple[float, int]]]:
    """Send requests for some minutes; returns their counts, and what was used at each second."""
    found = []
    end = time.monotonic() + 60 * minutes
    with Traffic(url, records) as traffic:
        while time.monotonic() < end:
            time.sleep(1)
            found.append(used(pid))
    return traffic.counts, found


def report(counts: Counter[tuple[str, int]], found: list[tuple[float, int]]) -> None:
    """Print what became of the requests, and the medians of each third of the time."""
    rows = [(kind, str(status), f"{number:,}") for (kind, status), number in sorted(counts.items())]
    show("requests", ("kind", "status", "number"), rows)
    third = len(found) // 3
    thirds = {"first": found[:third], "middle": found[third : 2 * third], "last": found[2 * third :]}
    usage = [
        (name, f"{statistics.median(mb for mb, _ in part):,.1f}", f"{statistics.median(files for _, files in part):,.0f}")
        for name, part in thirds.items()
    ]
    show("all processes of the gateway, medians", ("third of the time", "memory MB", "open files"), usage)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3, help="how long requests are sent (default: 3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, mlflow_server(Path(name)) as mlflow:
        months = flights_by_month()
        register_two(mlflow.url, months)
        rows = months["2013-06"][NUMERIC + CATEGORICAL].sample(5000, random_state=0)
        records: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
        with gateway_server(Path(name), mlflow.url) as gateway, GatewayClient(gateway.url, ADMIN) as admin:
            until(lambda: admin.status(MODEL).champion == 1, "the champion is loaded")
            assert gateway.process is not None
            report(*soak(gateway.url, gateway.process.pid, records, asked.minutes))


if __name__ == "__main__":
    main()
