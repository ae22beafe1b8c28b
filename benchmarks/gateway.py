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
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Read when scikit-learn is loaded: threads that wait for each other spinning make one row ten times slower.
os.environ["OMP_NUM_THREADS"] = "1"

from measuring import percentile, show
from serving_stack import ADMIN, CALLER, CATEGORICAL, MODEL, NUMERIC, gateway_server, mlflow_server, register_two, until

from taxiway.demo.flights import flights_by_month
from taxiway.registry.load import load_trusted
from taxiway.serving.client import GatewayClient
from taxiway.serving.replay import replay

OWNER = "benchmark"


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
    with mlflow_server(folder) as mlflow:
        register_two(mlflow.url, months)
        predict = in_process(mlflow.url)
        one_by_one(predict, records[:50])
        alone = one_by_one(predict, records)
        with gateway_server(folder, mlflow.url) as gateway:
            admin, caller = GatewayClient(gateway.url, ADMIN), GatewayClient(gateway.url, CALLER)

            def ask(record: dict[str, Any]) -> Any:
                return caller.predict(MODEL, [record])

            until(lambda: admin.status(MODEL).champion == 1, "the champion is loaded")
            one_by_one(ask, records[:50])
            plain = one_by_one(ask, records)
            plain_rate = per_second(gateway.url, records)
            admin.put_challenger(MODEL, 2, OWNER, 600)
            one_by_one(ask, records[:50])
            mirrored = one_by_one(ask, records)
            mirrored_rate = per_second(gateway.url, records)
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
