"""How long serving needs to switch to another version: from the written promotion to the first answer of that version.

    python benchmarks/switch.py

A gateway with a real MLflow server serves boosted trees of the flights and follows a signed ledger. As the stages do, each push and each
rollback is written to the ledger, and the gateway is then told to look. A process sends requests meanwhile, over one connection with
pauses and over several without, and notes which version answered when. Every answer is checked; nothing may be refused.
"""

import argparse
import http.client
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from measuring import show
from mlflow import MlflowClient
from serving_stack import ADMIN, CALLER, CATEGORICAL, MODEL, NUMERIC, gateway_server, mlflow_server, register_two, until

from taxiway.demo.flights import flights_by_month
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.records import Promotion, ShadowReport, Status, Verdict
from taxiway.registry.demote import rollback
from taxiway.registry.promote import push
from taxiway.serving.client import GatewayClient
from taxiway.tracking import tags

GOAL_S = 1.0
LOADS = {"1, a request every 20 ms": (1, 0.02), "8, without pauses": (8, 0.0)}
"""The connections of each load, and the pause after each answer in seconds."""


@dataclass(frozen=True)
class Answer:
    """An answer: when it came by the clock of all processes, its status (0 if the connection ended), and the version."""

    at: float
    status: int
    version: int


@dataclass(frozen=True)
class Switch:
    """When the call began that promoted a version, and when it was written; which version it made champion."""

    what: str
    began: float
    written: float
    version: int


def send(port: int, body: bytes, connections: int, pause_s: float, stop: Event, results: Connection) -> None:
    """Send requests until told to stop; the main function of a process."""
    answers: list[Answer] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": "application/json"}
        while not stop.is_set():
            try:
                connection.request("POST", f"/models/{MODEL}/invocations", body, headers)
                answer = connection.getresponse()
                answer.read()
                found = Answer(time.monotonic(), answer.status, int(answer.headers.get("X-Taxiway-Model-Version", 0)))
            except (OSError, http.client.HTTPException):
                connection.close()
                found = Answer(time.monotonic(), 0, 0)
            answers.append(found)
            time.sleep(pause_s)

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    while not answers:
        time.sleep(0.01)
    results.send("ready")
    for thread in threads:
        thread.join()
    results.send(answers)


@contextmanager
def load(port: int, body: bytes, connections: int, pause_s: float) -> Iterator[Callable[[], list[Answer]]]:
    """Send requests within the block; yields the function that ends this and returns the answers."""
    context = multiprocessing.get_context("spawn")
    stop, (ours, theirs) = context.Event(), context.Pipe()
    sender = context.Process(target=send, args=(port, body, connections, pause_s, stop, theirs), daemon=True)
    sender.start()
    ours.recv()

    def end() -> list[Answer]:
        stop.set()
        found: list[Answer] = ours.recv()
        sender.join()
        return found

    try:
        yield end
    finally:
        sender.kill()


def register_copies(client: MlflowClient, number: int) -> list[int]:
    """Versions with the files of the first one, each of which is downloaded and loaded anew."""
    first = client.get_model_version(MODEL, "1")
    logged = str(first.source).removeprefix("models:/")
    made = [
        client.create_model_version(
            MODEL,
            str(first.source),
            first.run_id,
            tags={**first.tags, tags.NEWEST_SPAN: "1"},
            model_id=logged,
            await_creation_for=0,
        )
        for _ in range(number)
    ]
    return [int(version.version) for version in made]


def promoted(ledger: Ledger, version: int, champion: int | None) -> Promotion:
    """Push a version."""
    verdict = Verdict(
        model=MODEL, version=version, champion=champion, snapshot="s", evaluation="e", status=Status.PASS, reasons=()
    )
    status = Status.NOT_APPLICABLE if champion is None else Status.PASS
    shadow = ShadowReport(model=MODEL, version=version, champion=champion, status=status, reasons=())
    return push(ledger, verdict, shadow, by="benchmark", at=datetime.now(UTC))


def switches(ledger: Ledger, gateway: GatewayClient, versions: list[int]) -> list[Switch]:
    """Push each version and roll it back, one after the other."""
    found = []

    def switch(what: str, promote: Callable[[], Promotion]) -> None:
        began = time.monotonic()
        version = promote().to_version or 0
        found.append(Switch(what, began, time.monotonic(), version))
        status = gateway.refresh(MODEL)
        if status.champion != version:
            raise SystemExit(f"the gateway serves version {status.champion}, not {version}: {status.problem}")
        time.sleep(1)

    for version in versions:
        switch("push", partial(promoted, ledger, version, 1))
        switch("rollback", lambda: rollback(ledger, MODEL, by="benchmark", reason="the next one", at=datetime.now(UTC)))
    return found


def taken_s(switch: Switch, answers: list[Answer]) -> float:
    """The time from a written promotion to the first answer of its version; 0 if that came before the write was complete."""
    first = min(answer.at for answer in answers if answer.version == switch.version and answer.at > switch.began)
    return max(0.0, first - switch.written)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    months, key = flights_by_month(), new_key()
    row = json.loads(months["2013-06"][[*NUMERIC, *CATEGORICAL]].head(1).to_json(orient="records"))
    body, rows = json.dumps({"dataframe_records": row}).encode(), []
    with tempfile.TemporaryDirectory() as name, mlflow_server(Path(name)) as mlflow:
        register_two(mlflow.url, months)
        client = MlflowClient(mlflow.url)
        client.set_model_version_tag(MODEL, "1", tags.NEWEST_SPAN, "1")
        ledger = Ledger(client, LedgerKeys.parse(key))
        promoted(ledger, 1, None)
        with gateway_server(Path(name), mlflow.url, keys=key) as gateway, GatewayClient(gateway.url, ADMIN) as admin:
            until(lambda: admin.status(MODEL).champion == 1, "the champion answers", 120)
            for what, (connections, pause_s) in LOADS.items():
                with load(urlsplit(gateway.url).port or 0, body, connections, pause_s) as end:
                    done = switches(ledger, admin, register_copies(client, times))
                    answers = end()
                failed = sum(answer.status != 200 for answer in answers)
                for kind in ("push", "rollback"):
                    found = [taken_s(switch, answers) for switch in done if switch.what == kind]
                    reached = f"{sum(each < GOAL_S for each in found)} of {times}"
                    rows.append(
                        [
                            f"{kind}, {what}",
                            f"{median(found):.2f}",
                            f"{max(found):.2f}",
                            reached,
                            f"{len(answers):,}",
                            f"{failed:,}",
                        ]
                    )
    headings = ("connections", "median s", "worst s", f"under {GOAL_S:g} s", "requests", "failed")
    show(f"From the written promotion to the first answer of the version, {times} times", headings, rows)


if __name__ == "__main__":
    main()
