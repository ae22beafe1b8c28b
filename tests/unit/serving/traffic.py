"""Callers that ask a gateway without a pause while something fails, and what became of their requests."""

import itertools
import json
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from running import CALLER, Running

from helping import PATIENCE_S, until

CONNECTIONS = 4
_PAUSE_S = 0.005
_UNAVAILABLE = (503, 504)
_NUMBERS = itertools.count(1)


class Traffic:
    """Requests of several connections within a `with` block, each with a row that no other has.

    Args:
        gateway: The gateway; another one may take its place at its address meanwhile.
        model: The registered model, which is `Healthy`.

    Attributes:
        counts: How many requests were `sent`; `answered` with 200; `refused` with 503 or 504 and a message; `unreachable`, because
            nobody listened; `lost`, because the connection ended before the answer; or answered with 500, because its worker `died`
            twice.
        answered: The request ids of the right answers by the number of the request.
        refusals: The messages of the refused requests.
        wrong: All other answers: predictions for another row, or a status that says nothing about an outage.
    """

    def __init__(self, gateway: Running, model: str) -> None:
        self._target = f"{gateway.url}/models/{model}/invocations"
        self._lock, self._over = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._connection, daemon=True) for _ in range(CONNECTIONS)]
        self._last = 0
        self.counts: Counter[str] = Counter()
        self.answered: dict[int, str] = {}
        self.refusals: set[str] = set()
        self.wrong: list[str] = []

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        self.more(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def more(self, number: int, what: str = "answered") -> None:
        """Wait until so many more requests are `answered`, or another of the counts."""
        wanted = self.counts[what] + number
        until(lambda: self.counts[what] >= wanted, f"{number} more requests are {what}", progress=lambda: dict(self.counts))

    def now(self) -> int:
        """The number of the last request that has been sent; those that follow have larger ones."""
        return self._last

    def waiting(self) -> int:
        """How many requests have no answer yet."""
        with self._lock:
            return 2 * self.counts["sent"] - self.counts.total()

    def check(self, *, lost: int | None = 0, refused: int | None = 0, died: int | None = 0) -> None:
        """Assert that no answer is wrong, and that at most so many requests were lost, refused or died (None: any number)."""
        assert not self.wrong, self.wrong[:3]
        assert lost is None or self.counts["lost"] <= lost, self.counts
        assert refused is None or self.counts["refused"] <= refused, (self.counts, self.refusals)
        assert died is None or self.counts["died"] <= died, self.counts

    def check_log(self, state: Path, *, after: int = 0) -> None:
        """Assert that each answer to a request with a larger number than `after` is in the log once, with its row."""
        logged = logged_answers(state)
        for number, request_id in self.answered.items():
            if number > after:
                assert logged[_x(number)] == [(request_id, _predictions(_x(number)))], (number, self.counts)

    def _connection(self) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {CALLER}"}, timeout=PATIENCE_S) as http:
            while not self._over.wait(_PAUSE_S):
                with self._lock:
                    self._last = number = next(_NUMBERS)
                    self.counts["sent"] += 1
                what = self._ask(http, number)
                with self._lock:
                    self.counts[what] += 1

    def _ask(self, http: httpx.Client, number: int) -> str:
        try:
            response = http.post(self._target, json={"dataframe_records": [{"x": _x(number)}]})
        except httpx.ConnectError:
            return "unreachable"
        except httpx.TransportError:
            return "lost"
        if response.status_code == 200 and response.json() == {"predictions": _predictions(_x(number))}:
            self.answered[number] = response.headers["X-Taxiway-Request-Id"]
            return "answered"
        if response.status_code in _UNAVAILABLE and (message := response.json().get("message")):
            self.refusals.add(message)
            return "refused"
        if response.status_code == 500 and "the worker process died twice" in response.text:
            return "died"
        self.wrong.append(f"{_x(number)}: {response.status_code} {response.text}")
        return "wrong"


def logged_answers(state: Path) -> Mapping[float, list[tuple[str, Any]]]:
    """The ids and predictions of the answered requests of one row in the log of a gateway, by that row."""
    found = defaultdict(list)
    with closing(sqlite3.connect(f"{(state / 'requests.sqlite').as_uri()}?mode=ro", uri=True)) as log:
        query = "SELECT payload, request_id, champion_answer FROM requests WHERE champion_status = 200"
        for payload, request_id, answer in log.execute(query):
            (record,) = json.loads(payload)["dataframe_records"]
            found[record["x"]].append((request_id, json.loads(answer)))
    return found


def _x(number: int) -> float:
    return number / (1 << 20)  # exact, and so is 1 minus it


def _predictions(x: float) -> list[list[float]]:
    return [[1 - x, x]]
