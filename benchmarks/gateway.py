"""What the gateway costs a caller, with and without a mirrored challenger, against the same model in this process.

Two versions of a model of the flights are registered in a real MLflow server and served by `taxiway serve`, as in production: two
tokens, worker processes, every request in the log before it is answered. One row a request. First one request after the other
over one connection (latency), then eight connections as fast as they answer (throughput). The limit is `predict` of the same row
in this process by MLflow's pyfunc, without HTTP, log or process boundary; with one thread, as in the gateway's workers.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# Read when scikit-learn is loaded: threads that wait for each other spinning make one row ten times slower.
os.environ["OMP_NUM_THREADS"] = "1"

from measuring import percentile, show

from taxiway.demo.flights import flights_by_month
from taxiway.registry.models import ModelToSave, load_trusted, register
from taxiway.serving.client import GatewayClient
from taxiway.serving.replay import replay

MODEL = "benchmarks.late_arrivals"
NUMERIC = ["distance", "hour", "temp", "wind_speed", "visib", "seats"]
CATEGORICAL = ["carrier", "origin", "dest"]
CALLER, ADMIN = "caller-token-of-the-benchmark", "admin-token-of-the-benchmark"
OWNER = "benchmark"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], health: str, log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A server in a session of its own, up within the block."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: answers(health) or server.poll() is not None, f"{health} answers", 120)
        if server.poll() is not None:
            raise SystemExit(f"{command[0]} did not start:\n{log.read_text()[-3000:]}")
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2):
        return True
    return False


def until(holds: Callable[[], Any], what: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)


def register_two(url: str, months: Any) -> None:
    """Two versions, trained on January with different numbers of iterations; the first is champion."""
    from mlflow import MlflowClient
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from taxiway.features import raw_frame

    client = MlflowClient(url)
    run = client.create_run(client.create_experiment(MODEL)).info.run_id
    rows = months["2013-01"]
    raw = raw_frame(rows, NUMERIC, CATEGORICAL)
    for iterations in (150, 140):
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        transform = ColumnTransformer([("numeric", "passthrough", NUMERIC), ("categorical", codes, CATEGORICAL)])
        fitted = make_pipeline(transform, HistGradientBoostingClassifier(max_iter=iterations, random_state=0))
        fitted.fit(raw, rows["late"])
        register(client, run, MODEL, ModelToSave(fitted, raw.head(50), f"{iterations}", {}, {}))
    client.set_registered_model_alias(MODEL, "champion", "1")


def one_by_one(ask: Callable[[dict[str, Any]], Any], records: list[dict[str, Any]]) -> list[float]:
    """Milliseconds of each request."""
    taken = []
    for record in records:
        began = time.perf_counter()
        ask(record)
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


def per_second(url: str, records: list[dict[str, Any]]) -> float:
    """Requests that eight connections get answered in a second. Refuses to count where one was not."""
    began = time.perf_counter()
    done = asyncio.run(replay(url, CALLER, MODEL, records, connections=8))
    taken = time.perf_counter() - began
    if done.answered != done.sent:
        raise SystemExit(f"of {done.sent} requests only {done.answered} were answered")
    return done.sent / taken


def in_process(url: str) -> Callable[[dict[str, Any]], Any]:
    """The champion in this process: a row to a frame, and predict."""
    import pandas as pd

    model = load_trusted(url, MODEL, 1)
    kinds = {**dict.fromkeys(NUMERIC, float), **dict.fromkeys(CATEGORICAL, object)}
    return lambda record: model.predict(pd.DataFrame([record]).astype(kinds))


def measure(folder: Path, requests: int) -> None:
    """Start the servers, measure, print."""
    months = flights_by_month()
    sample = months["2013-06"][NUMERIC + CATEGORICAL].sample(requests, random_state=0)
    records: list[dict[str, Any]] = json.loads(sample.to_json(orient="records"))
    mlflow, gateway = f"http://127.0.0.1:{(port := free_port())}", f"http://127.0.0.1:{(gateway_port := free_port())}"
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")]
    server = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *stores]
    serve = ["taxiway.cli", "serve", "--port", str(gateway_port), "--tracking-uri", mlflow, "--state", str(folder / "gateway")]
    tokens = {"TAXIWAY_CALLER_TOKEN": CALLER, "TAXIWAY_ADMIN_TOKEN": ADMIN}
    jobs_off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running(server, f"{mlflow}/health", folder / "mlflow.log", jobs_off):
        register_two(mlflow, months)
        predict = in_process(mlflow)
        one_by_one(predict, records[:50])
        alone = one_by_one(predict, records)
        with running([*serve, "--model", MODEL], f"{gateway}/ping", folder / "gateway.log", tokens):
            admin, caller = GatewayClient(gateway, ADMIN), GatewayClient(gateway, CALLER)

            def ask(record: dict[str, Any]) -> Any:
                return caller.predict(MODEL, [record])

            until(lambda: admin.status(MODEL).champion == 1, "the champion is loaded")
            one_by_one(ask, records[:50])
            plain = one_by_one(ask, records)
            plain_rate = per_second(gateway, records)
            admin.put_challenger(MODEL, 2, OWNER, 600)
            one_by_one(ask, records[:50])
            mirrored = one_by_one(ask, records)
            mirrored_rate = per_second(gateway, records)
            time.sleep(1)
            challenger = admin.challenger(MODEL)
            caller.close()
            admin.close()
    p50, p99 = percentile(alone, 50), percentile(alone, 99)
    rows = [
        row("in process, pyfunc predict", alone, 1000 / p50, p50, p99),
        row("gateway", plain, plain_rate, p50, p99),
        row("gateway, mirrored challenger", mirrored, mirrored_rate, p50, p99),
    ]
    headings = ("what", "p50 ms", "ratio", "p99 ms", "ratio", "requests/s")
    show(f"{requests:,} requests of one row each", headings, rows)
    print("requests/s: over 8 connections; in process one after the other")
    if challenger:
        sent = 2 * requests + 50
        print(
            f"mirrored: {challenger.answered:,} of {sent:,} answered, {challenger.errors} failed, {challenger.dropped} dropped"
        )


def row(what: str, taken: list[float], rate: float, p50: float, p99: float) -> tuple[str, ...]:
    mine = percentile(taken, 50), percentile(taken, 99)
    return (what, f"{mine[0]:.1f}", f"{mine[0] / p50:.2f}", f"{mine[1]:.1f}", f"{mine[1] / p99:.2f}", f"{rate:.0f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500, help="requests of each kind (default: 500)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), asked.requests)


if __name__ == "__main__":
    main()
