"""The gateway against `mlflow models serve` and against its own limits: the same model, the same rows, in one run.

Each contestant is a process of its own on loopback, with one worker: `taxiway serve` with both kinds of log, in a real stack with
an MLflow server and two tokens; `mlflow models serve`; and two bare ASGI applications under uvicorn without log, token and process
boundary, one with MLflow's pyfunc `predict`, one with the gateway's compiled predictor. The contestants take turns in every round,
so that a disturbance affects all of them. Libraries have one thread each.

Measured: one row over one connection and over eight; requests at fixed times over 64 connections, with latencies from these times;
1, 100 and 5,000 rows per request beside `predict` in this process; the gateway with 1 to 512 connections, with four models, and with a
mirrored challenger. The predictions of all contestants are compared first, and any answer but 200 ends the run.
"""

import argparse
import gc
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

# Read when scikit-learn is loaded: threads that wait for each other spinning make one row ten times slower.
os.environ["OMP_NUM_THREADS"] = "1"

from http_load import Load, NotAnsweredError, Target, closed_loop, merged, one_connection, open_loop
from measuring import percentile, show
from serving_contestants import Contestant, Rows, all_contestants, compare_answers, gateway, running
from serving_stack import ADMIN, CALLER, MODEL, gateway_server, mlflow_server, register_again, register_two

from taxiway.demo.flights import flights_by_month
from taxiway.registry.load import download_version, load_folder
from taxiway.serving.client import GatewayClient

MODELS = [MODEL, *(f"{MODEL}{at}" for at in (2, 3, 4))]
OPEN_CONNECTIONS = 64
SHARE = 0.5
"""The rate of requests at fixed times, as a share of what the slowest contestant answers over eight connections."""
OWNER = "benchmark"


def in_turns(works: Mapping[str, Callable[[], Load]], rounds: int) -> dict[str, Load]:
    """Run each work once in every round; returns what each measured in all rounds together."""
    loads: dict[str, list[Load]] = {title: [] for title in works}
    for _ in range(rounds):
        for title, work in works.items():
            loads[title].append(work())
    return {title: merged(found) for title, found in loads.items()}


def in_process(model: Any, frames: Sequence[Any], seconds: float) -> Load:
    """MLflow's pyfunc `predict` of frames in memory."""
    taken: list[float] = []
    began = ended = perf_counter()
    for frame in cycle(frames):
        sent = perf_counter()
        model.predict(frame)
        ended = perf_counter()
        taken.append((ended - sent) * 1e3)
        if ended > began + seconds:
            break
    return Load(taken, ended - began)


class Benchmark:
    """The measurements of some contestants, each printed as a table.

    Args:
        rows: The rows of the requests.
        rounds: How many rounds there are.
        seconds: How long each contestant is measured in a round.
    """

    def __init__(self, rows: Rows, rounds: int, seconds: float) -> None:
        self._rows, self._rounds, self._seconds = rows, rounds, seconds

    def one_row(self, contestants: Sequence[Contestant]) -> dict[str, float]:
        """Latency over one connection, throughput over eight and memory; returns the requests per second."""
        singles = in_turns(
            {c.title: partial(one_connection, c.target, self._of(c), self._seconds) for c in contestants}, self._rounds
        )
        eights = in_turns({c.title: self._closed(c, 8) for c in contestants}, self._rounds)
        first = contestants[0].title
        rows = [
            (
                c.title,
                *latencies(singles[c.title], singles[first]),
                *rate(eights[c.title], eights[first]),
                f"{c.memory_mb:,.0f}",
            )
            for c in contestants
        ]
        headings = ("one row", "p50 ms", "ratio", "p99 ms", "ratio", "per s", "ratio", "MB")
        show("latency over 1 connection, requests per second over 8, memory", headings, rows)
        return {title: load.per_second for title, load in eights.items()}

    def at_fixed_times(self, contestants: Sequence[Contestant], per_second: float, what: str) -> None:
        """Latency from the time at which each request was scheduled."""
        loads = in_turns({c.title: self._open(c, per_second) for c in contestants}, self._rounds)
        first = loads[contestants[0].title]
        rows = [(title, *latencies(load, first), f"{max(load.latencies_ms):.1f}") for title, load in loads.items()]
        show(
            f"{what}: {per_second:.0f} per s at fixed times",
            ("one row", "p50 ms", "ratio", "p99 ms", "ratio", "slowest, ms"),
            rows,
        )

    def rows_per_request(self, contestants: Sequence[Contestant], model: Any) -> None:
        """The time of requests with more rows, beside `predict` of the same rows in this process."""
        alone = "in process: predict"
        columns = []
        for number, frames in self._rows.frames.items():
            works: dict[str, Callable[[], Load]] = {alone: partial(in_process, model, frames, self._seconds / 2)}
            works |= {c.title: partial(one_connection, c.target, self._of(c, number), self._seconds / 2) for c in contestants}
            columns.append({title: percentile(load.latencies_ms, 50) for title, load in in_turns(works, self._rounds).items()})
        rows = [
            (title, *(text for column in columns for text in (f"{column[title]:.2f}", f"{column[title] / column[alone]:.2f}")))
            for title in columns[0]
        ]
        headings = [heading for number in self._rows.frames for heading in (f"{number:,} row{'s' * (number > 1)}", "ratio")]
        show("rows per request: p50 over 1 connection, ms", ("ms", *headings), rows)

    def connections(self, contestant: Contestant) -> None:
        """The growth with connections."""
        loads = in_turns({f"{number}": self._closed(contestant, number) for number in (1, 8, 64, 512)}, self._rounds)
        rows = [(title, *latencies(load, loads["1"]), *rate(load, loads["1"])) for title, load in loads.items()]
        headings = ("connections", "p50 ms", "ratio", "p99 ms", "ratio", "requests/s", "ratio")
        show(f"{contestant.title}: one row, by connections", headings, rows)

    def models(self, one: Contestant, four: Contestant) -> None:
        """The growth with models in one gateway."""
        targets = [Target(four.target.port, f"/models/{name}/invocations", CALLER) for name in MODELS]
        spread = [[target.request(body) for body in self._rows.bodies[1]] for target in targets]
        works: dict[str, Callable[[], Load]] = {"1": self._closed(one, 8)}
        works |= {"4": partial(closed_loop, targets, spread, 8, self._seconds)}
        loads = in_turns(works, self._rounds)
        memory = {"1": one.memory_mb, "4": four.memory_mb}
        rows = [
            (title, *latencies(load, loads["1"]), *rate(load, loads["1"]), f"{memory[title]:,.0f}")
            for title, load in loads.items()
        ]
        headings = ("models", "p50 ms", "ratio", "p99 ms", "ratio", "requests/s", "ratio", "memory, MB")
        show("gateway: one row over 8 connections, by models", headings, rows)

    def shadow(self, plain: Contestant, mirrored: Contestant, rates: Sequence[float]) -> None:
        """What a mirrored challenger costs the callers of the champion."""
        with GatewayClient(mirrored.server.url, ADMIN) as admin:
            admin.put_challenger(MODEL, 2, OWNER, 600)
            for contestant in (plain, mirrored):
                one_connection(
                    contestant.target, self._of(contestant), self._seconds / 2
                )  # the challenger's first calls are slower
            for per_second in rates:
                self.at_fixed_times([plain, mirrored], per_second, "mirrored challenger")
            found = admin.challenger(MODEL)
        if found is not None:
            print(f"mirrored: {found.answered:,} answered, {found.errors:,} failed, {found.dropped:,} dropped")

    def _of(self, contestant: Contestant, rows: int = 1) -> list[bytes]:
        return [contestant.target.request(body) for body in self._rows.bodies[rows]]

    def _closed(self, contestant: Contestant, connections: int) -> Callable[[], Load]:
        return partial(closed_loop, [contestant.target], [self._of(contestant)], connections, self._seconds)

    def _open(self, contestant: Contestant, per_second: float) -> Callable[[], Load]:
        return partial(open_loop, contestant.target, self._of(contestant), per_second, 2 * self._seconds, OPEN_CONNECTIONS)


def latencies(load: Load, first: Load) -> tuple[str, ...]:
    """The median and the 99th percentile, each with its ratio to those of another load."""
    mine, other = ([percentile(found.latencies_ms, percent) for percent in (50, 99)] for found in (load, first))
    return tuple(text for a, b in zip(mine, other, strict=True) for text in (f"{a:.2f}", f"{a / b:.2f}"))


def rate(load: Load, first: Load) -> tuple[str, ...]:
    """The requests per second, with the ratio to another load."""
    return f"{load.per_second:,.0f}", f"{load.per_second / first.per_second:.2f}"


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Start the servers, measure, print."""
    from mlflow import MlflowClient

    months = flights_by_month()
    rows = Rows.of(months["2013-06"])
    benchmark = Benchmark(rows, rounds, seconds)
    with mlflow_server(folder) as mlflow:
        register_two(mlflow.url, months)
        register_again(mlflow.url, MODELS[1:])
        client = MlflowClient(mlflow.url)
        saved = download_version(client, client.get_model_version(MODEL, "1"), folder / "model")
        model = load_folder(saved)
        # Otherwise a collection looks at all imported objects while a request is being timed.
        gc.collect()
        gc.freeze()
        contestants = all_contestants(folder, mlflow.url, saved)
        with running(contestants):
            compare_answers(contestants, model, rows)
            per_second = benchmark.one_row(contestants)
            low, high = SHARE * min(per_second.values()), SHARE * per_second[contestants[0].title]
            benchmark.at_fixed_times(contestants, low, "half of what the slowest answers")
            benchmark.at_fixed_times(contestants[:2], high, "half of what the gateway answers")
            benchmark.rows_per_request(contestants, model)
            benchmark.connections(contestants[0])
        plain, mirrored, four = (
            gateway(title, gateway_server(folder, mlflow.url, models, name=title.replace(" ", "-")))
            for title, models in (("no challenger", [MODEL]), ("mirrored challenger", [MODEL]), ("four models", MODELS))
        )
        with running([plain, mirrored, four]):
            compare_answers([plain, mirrored, four], model, rows)
            benchmark.models(plain, four)
            benchmark.shadow(plain, mirrored, [low, high / 2])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement (default: 3)")
    parser.add_argument("--seconds", type=float, default=0.8, help="seconds of each measurement in each round (default: 0.8)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        try:
            measure(Path(name), asked.rounds, asked.seconds)
        except NotAnsweredError as error:
            raise SystemExit(f"nothing is reported, because a request was not answered with 200: {error}") from None


if __name__ == "__main__":
    main()
