"""How far one model of a gateway disturbs another one: the latency of a steady model beside one that is loaded or misbehaves.

One gateway with a real MLflow server serves both. The steady model, boosted trees of the flights, gets requests at fixed times, and
its latencies are measured from these times. Meanwhile the other model is idle, gets requests over 64 connections as fast as it answers,
crashes its worker with each request, or allocates memory up to its limit with each request.

All situations take turns in every round, and idle is measured twice in each: the ratio of the two is what the machine itself moves.
The processors are shared by the gateway, the workers and the clients, so a situation that uses all of them delays the steady model
whatever the gateway does. Two further situations show that: the other model is idle, while a process that is none of the gateway's
computes, or allocates memory as the model does.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

os.environ["OMP_NUM_THREADS"] = "1"

import httpx
from http_load import Load, NotAnsweredError, Target, closed_loop, merged, open_loop
from isolation_models import SETTINGS, Allocates
from measuring import percentile, show
from serving_contestants import Rows, has_champions
from serving_stack import ADMIN, CALLER, MODEL, Server, free_port, mlflow_server, register_again, register_two, until

from taxiway.demo.flights import flights_by_month

LOADED, CRASHES, ALLOCATES = "benchmarks.loaded", "benchmarks.crashes", "benchmarks.allocates"
MEMORY_MIB = 2048
CONNECTIONS, LOAD_CONNECTIONS = 8, 64
PAUSE_S = 0.02
"""Between two requests that end the worker, or allocate memory."""
BEFORE_S = 0.5
"""How long there is load before the steady model is measured."""
FIRST = "idle"


def gateway_server(folder: Path, tracking_uri: str) -> Server:
    """A gateway that serves all models of the benchmark."""
    port = free_port()
    settings = {
        "tracking_uri": tracking_uri,
        "state_folder": str(folder / "gateway"),
        "port": port,
        "caller_token": CALLER,
        "admin_token": ADMIN,
        "models": [MODEL, LOADED, CRASHES, ALLOCATES],
        "model_limits": {ALLOCATES: {"worker_memory_mib": MEMORY_MIB}},
        "loader": "isolation_models:load",
        "allow_unbacked_alias": True,
    }
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    environment = {SETTINGS: json.dumps(settings), "PYTHONPATH": path}
    return Server(["isolation_models"], f"http://127.0.0.1:{port}", "/ping", folder / "gateway.log", environment)


def register_misbehaving(url: str) -> None:
    """The models that crash and that allocate, each with a version that is champion."""
    from mlflow import MlflowClient

    client = MlflowClient(url)
    for model in (CRASHES, ALLOCATES):
        run = client.create_run("0").info
        client.log_text(run.run_id, model.rpartition(".")[2], "model/behaviour")
        client.create_registered_model(model)
        client.create_model_version(model, f"{run.artifact_uri}/model", run.run_id, await_creation_for=0)
        client.set_registered_model_alias(model, "champion", "1")


def ask_as_fast_as_it_answers(target: Target, body: bytes) -> None:
    """The load of the loaded model; the main function of a process that is killed."""
    while True:
        closed_loop([target], [[target.request(body)]], LOAD_CONNECTIONS, 30)


def ask_now_and_then(target: Target, body: bytes) -> None:
    """The load of the other models; the main function of a process that is killed."""
    with httpx.Client(headers={"Authorization": f"Bearer {CALLER}"}, timeout=60) as http:
        while True:
            http.post(f"http://127.0.0.1:{target.port}{target.path}", content=body)
            time.sleep(PAUSE_S)


def use_a_processor() -> None:
    """Load that the gateway has nothing to do with; the main function of a process that is killed."""
    while True:
        pass


def use_memory() -> None:
    """As the model that allocates, but nothing of the gateway; the main function of a process that is killed."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MIB << 20, MEMORY_MIB << 20))
    while True:
        with suppress(MemoryError):
            Allocates().predict(None)
        time.sleep(PAUSE_S)


@contextmanager
def meanwhile(load: Callable[[], None] | None) -> Iterator[None]:
    """Run a load in a process of its own."""
    if load is None:
        yield
        return
    process = multiprocessing.get_context("fork").Process(target=load, daemon=True)
    process.start()
    try:
        time.sleep(BEFORE_S)
        yield
    finally:
        process.kill()
        process.join()


def measured(loads: Mapping[str, Callable[[], None] | None], steady: Callable[[], Load], rounds: int) -> dict[str, Load]:
    """The latencies of the steady model in each situation, in all rounds together."""
    found: dict[str, list[Load]] = {title: [] for title in loads}
    for _ in range(rounds):
        for title, load in loads.items():
            with meanwhile(load):
                found[title].append(steady())
    return {title: merged(several) for title, several in found.items()}


def report(found: Mapping[str, Load], per_second: float, port: int) -> None:
    """Print the latencies with their ratios, and what the other models have answered."""
    first = found[FIRST].latencies_ms
    rows = [
        (
            title,
            *(text for percent in (50, 99) for text in _with_ratio(load.latencies_ms, first, percent)),
            f"{max(load.latencies_ms):.1f}",
        )
        for title, load in found.items()
    ]
    headings = ("the other model", "p50 ms", "ratio", "p99 ms", "ratio", "slowest, ms")
    show(f"latency of the steady model, {per_second:.0f} requests per s at fixed times", headings, rows)
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith(("taxiway_requests_total", "taxiway_worker_restarts_total")):
            name, value = line.rsplit(" ", 1)
            counts[name] += int(float(value))
    for name, count in sorted(counts.items()):
        print(f"{name}: {count:,}")


def _with_ratio(latencies: Sequence[float], first: Sequence[float], percent: int) -> tuple[str, str]:
    mine, other = percentile(latencies, percent), percentile(first, percent)
    return f"{mine:.2f}", f"{mine / other:.2f}"


def measure(folder: Path, rounds: int, seconds: float, per_second: float) -> None:
    """Start the servers, measure, print."""
    months = flights_by_month()
    rows = Rows.of(months["2013-06"])
    with mlflow_server(folder) as mlflow:
        register_two(mlflow.url, months)
        register_again(mlflow.url, [LOADED])
        register_misbehaving(mlflow.url)
        with gateway_server(folder, mlflow.url) as gateway:
            until(partial(has_champions, gateway.url), "the champions are loaded", 120)
            port = urlsplit(gateway.url).port or 0

            def target(model: str) -> Target:
                return Target(port, f"/models/{model}/invocations", CALLER)

            requests = [target(MODEL).request(body) for body in rows.bodies[1]]
            steady = partial(open_loop, target(MODEL), requests, per_second, seconds, CONNECTIONS)
            bad = b'{"inputs": [{"x": 0.5}]}'
            loads: dict[str, Callable[[], None] | None] = {
                FIRST: None,
                "loaded": partial(ask_as_fast_as_it_answers, target(LOADED), rows.bodies[1][0]),
                "crashes": partial(ask_now_and_then, target(CRASHES), bad),
                "allocates": partial(ask_now_and_then, target(ALLOCATES), bad),
                "(a process computes)": use_a_processor,
                "(a process allocates)": use_memory,
                "idle again": None,
            }
            steady()
            report(measured(loads, steady, rounds), per_second, port)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="rounds of each situation (default: 4)")
    parser.add_argument("--seconds", type=float, default=4, help="seconds of each situation in each round (default: 4)")
    parser.add_argument("--rate", type=float, default=50, help="requests per second of the steady model (default: 50)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        try:
            measure(Path(name), asked.rounds, asked.seconds, asked.rate)
        except NotAnsweredError as error:
            raise SystemExit(f"nothing is reported, because a request was not answered with 200: {error}") from None


if __name__ == "__main__":
    main()
