"""The contestants of the gateway's benchmark: servers of the same model, and the rows that all of them predict."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from http_load import BlockingConnection, Target
from serving_stack import (
    ADMIN,
    CALLER,
    CATEGORICAL,
    CLASSES,
    MODEL,
    NUMERIC,
    Server,
    bare_server,
    gateway_server,
    scoring_server,
    until,
)

from taxiway.serving.client import GatewayClient

REQUESTS = {1: 500, 100: 20, 5000: 1}
"""How many different requests there are, by their rows."""
COMPARED = 20


@dataclass(frozen=True)
class Contestant:
    """A server, and the URL of its predictions."""

    title: str
    server: Server
    path: str = "/invocations"
    token: str = ""

    @property
    def target(self) -> Target:
        """Where requests are sent to."""
        return Target(urlsplit(self.server.url).port or 0, self.path, self.token)

    @property
    def memory_mb(self) -> float:
        """The resident memory of all its processes; pages that several of them share are counted once."""
        assert self.server.process is not None
        first = psutil.Process(self.server.process.pid)
        return sum(process.memory_full_info().pss for process in (first, *first.children(recursive=True))) / 1e6


@dataclass(frozen=True)
class Rows:
    """The rows of the requests.

    Attributes:
        frames: By the number of rows: the frames that `predict` takes.
        bodies: The same as JSON.
    """

    frames: Mapping[int, Sequence[Any]]
    bodies: Mapping[int, Sequence[bytes]]

    @classmethod
    def of(cls, flights: Any) -> "Rows":
        """Requests with rows of the flights."""
        kinds = {**dict.fromkeys(NUMERIC, float), **dict.fromkeys(CATEGORICAL, object)}
        known = flights[NUMERIC + CATEGORICAL].dropna().astype(kinds)
        frames = {
            rows: [known.sample(rows, random_state=at).reset_index(drop=True) for at in range(number)]
            for rows, number in REQUESTS.items()
        }
        records = {rows: [json.loads(frame.to_json(orient="records")) for frame in some] for rows, some in frames.items()}
        return cls(frames, {rows: [json.dumps({"inputs": r}).encode() for r in some] for rows, some in records.items()})


@contextmanager
def running(contestants: Sequence[Contestant]) -> Iterator[None]:
    """Start all servers at the same time, and wait until the gateways have loaded their champions."""
    with ExitStack() as stack, ThreadPoolExecutor(len(contestants)) as pool:
        for contestant in contestants:
            stack.callback(contestant.server.end)
        list(pool.map(lambda contestant: contestant.server.start(), contestants))
        for contestant in contestants:
            if contestant.token:
                until(partial(has_champions, contestant.server.url), "the champions are loaded", 120)
        yield


def has_champions(url: str) -> bool:
    """Whether a gateway has loaded the first version of each model."""
    with GatewayClient(url, ADMIN) as admin:
        return all(found.champion == 1 for found in admin.statuses())


def gateway(title: str, server: Server) -> Contestant:
    """A gateway as a contestant."""
    return Contestant(title, server, f"/models/{MODEL}/invocations", CALLER)


def all_contestants(folder: Path, tracking_uri: str, model: Path) -> list[Contestant]:
    """The gateway with both kinds of log, `mlflow models serve`, and the bare applications.

    Args:
        folder: The folder of states and logs.
        tracking_uri: The MLflow server.
        model: The files of the champion.
    """
    return [
        gateway("gateway, log sync", gateway_server(folder, tracking_uri, name="sync")),
        gateway("gateway, log fast", gateway_server(folder, tracking_uri, log="fast", name="fast")),
        Contestant("mlflow models serve", scoring_server(folder, model)),
        Contestant("bare ASGI, pyfunc", bare_server(folder, model, "pyfunc")),
        Contestant("bare ASGI, compiled", bare_server(folder, model, "compiled")),
    ]


def probabilities(predictions: list[Any]) -> list[Any]:
    """The probabilities of the classes for each row. `predict` returns them in columns, beside the most likely class."""
    return [[row[f"probability_{name}"] for name in CLASSES] if isinstance(row, dict) else row for row in predictions]


def compare_answers(contestants: Sequence[Contestant], model: Any, rows: Rows) -> None:
    """Ends the run if a contestant predicts something else than the model; the requests also warm it up."""
    expected = [probabilities(model.predict(frame).to_dict(orient="records")) for frame in rows.frames[1][:COMPARED]]
    for contestant in contestants:
        with BlockingConnection(contestant.target) as connection:
            for body, predictions in zip(rows.bodies[1], expected, strict=False):
                found = probabilities(json.loads(connection.ask(contestant.target.request(body)))["predictions"])
                if found != predictions:
                    raise SystemExit(f"{contestant.title} predicts {found}; the model predicts {predictions}")
