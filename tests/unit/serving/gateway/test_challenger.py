"""The shadow: whatever a challenger does, the champion answers as if it were not there, and the log tells both apart."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient
from running import IMPATIENT_S, Running, register, start_gateway

from helping import until
from taxiway.errors import TerminalError
from taxiway.serving.api import ChallengerStatus
from taxiway.serving.client import GatewayClient

VERSIONS = ["Healthy", "Raises", "OneTooFew", "AnswersNaN", "Sleeps", "DiesOnTwo", "Unloadable"]
OWNER = "flights.late/run-1"


@pytest.fixture(scope="module")
def model(gateway: Running, registry: MlflowClient) -> str:
    """A model with a healthy champion (version 1) and a version for each way to misbehave."""
    name = register(registry, *VERSIONS)
    assert gateway.admin.refresh(name).champion == 1
    return name


@contextmanager
def shadow(gateway: Running, model: str, behaviour: str) -> Iterator[tuple[int, str]]:
    """A challenger that behaves so, with an owner of its own, and nobody's after the block."""
    version, owner = VERSIONS.index(behaviour) + 1, f"{OWNER}-{behaviour}"
    before = {worker.pid for worker in gateway.workers()}
    assert gateway.admin.put_challenger(model, version, owner, 600).state == "serving"
    yield version, owner
    gateway.admin.delete_challenger(model, owner)
    # The next test compares the processes with those it begins with, and a killed one may take a while to end.
    until(lambda: {worker.pid for worker in gateway.workers()} <= before, "its process ended")


@pytest.fixture(scope="module")
def impatient(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that soon gives up on a prediction."""
    running = start_gateway(mlflow_url, tmp_path_factory.mktemp("impatient"), predict_timeout_s=IMPATIENT_S)
    yield running
    running.stop()


def settled(gateway: Running, model: str) -> ChallengerStatus:
    """The counts once every mirrored request has an answer."""

    def all_answered() -> ChallengerStatus | None:
        status = gateway.admin.challenger(model)
        assert status is not None
        return status if status.answered + status.errors == status.mirrored else None

    return until(all_answered, "the challenger dealt with everything")


async def polled_twice(client: GatewayClient, model: str) -> list[ChallengerStatus | None]:
    async with client.async_http() as http:
        return [await client.challenger_async(http, model) for _ in range(2)]


def test_both_answers_of_every_request_are_paired(gateway: Running, model: str) -> None:
    xs = [i / 100 for i in range(60)]
    with shadow(gateway, model, "Healthy") as (version, owner), ThreadPoolExecutor(8) as callers:
        ids = [answer.headers["X-Taxiway-Request-Id"] for answer in callers.map(lambda x: gateway.ask(model, x), xs)]
        status = settled(gateway, model)
        polled = asyncio.run(polled_twice(gateway.admin, model))
    assert polled == [status, status]
    assert (status.mirrored, status.answered, status.errors, status.dropped) == (60, 60, 0, 0)
    log = gateway.admin.pairs(model, version, owner)
    by_id = {pair.request_id: pair for pair in log.pairs}
    for x, request_id in zip(xs, ids, strict=True):
        pair = by_id[request_id]
        assert pair.champion.predictions == pair.challenger.predictions == [[1 - x, x]]
        assert (pair.champion.version, pair.challenger.version) == (1, version)
        assert pair.champion.latency_ms > 0 < pair.challenger.latency_ms
    assert (log.dropped, log.unanswered) == (0, 0)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [("Raises", "broken on purpose"), ("OneTooFew", "returned 0 predictions for 1 rows"), ("AnswersNaN", "not JSON compliant")],
)
def test_a_failing_challenger_is_only_counted(gateway: Running, model: str, behaviour: str, error: str) -> None:
    with shadow(gateway, model, behaviour) as (version, owner):
        for x in (0.1, 0.2, 0.3):
            assert gateway.ask(model, x).json() == {"predictions": [[1 - x, x]]}
        status = settled(gateway, model)
    assert (status.answered, status.errors) == (0, 3)
    assert all(error in pair.challenger.error for pair in gateway.admin.pairs(model, version, owner).pairs)


def test_what_the_champion_fails_is_paired_and_what_the_gateway_refuses_is_not(gateway: Running, model: str) -> None:
    with shadow(gateway, model, "Healthy") as (version, owner):
        assert gateway.ask(model, -1).status_code == 500
        assert gateway.post(model, {"dataframe_records": []}).status_code == 400
        settled(gateway, model)
        (pair,) = (pair for pair in gateway.admin.pairs(model, version, owner).pairs if pair.champion.error)
    assert "x = -1" in pair.champion.error
    assert "x = -1" in pair.challenger.error


def test_a_sleeping_challenger_holds_up_nobody(mlflow_url: str, model: str, tmp_path: Path) -> None:
    narrow = start_gateway(mlflow_url, tmp_path / "narrow", mirror_limit=4)
    narrow.admin.refresh(model)
    with shadow(narrow, model, "Sleeps"):
        assert [narrow.ask(model, 0.5).status_code for _ in range(20)] == [200] * 20
        status = narrow.admin.challenger(model)
    assert status is not None
    assert (status.answered, status.errors) == (0, 0), "the challenger has five minutes for its first answer"
    assert status.dropped >= 20 - 4 - 1, "more was queued than the queue holds"
    assert status.mirrored + status.dropped == 20
    narrow.stop()


def test_a_sleeping_challenger_is_given_up_on(impatient: Running, model: str) -> None:
    impatient.admin.refresh(model)
    with shadow(impatient, model, "Sleeps") as (version, owner):
        assert impatient.ask(model, 0.5).status_code == 200
        until(lambda: impatient.admin.pairs(model, version, owner).pairs, "the first request is given up on")
        assert "in time" in impatient.admin.pairs(model, version, owner).pairs[0].challenger.error


def test_an_expired_lease_ends_the_challenger_and_its_process(impatient: Running, model: str) -> None:
    impatient.admin.refresh(model)
    with shadow(impatient, model, "Healthy") as (version, owner):
        assert len(impatient.workers()) == 2
        impatient.admin.put_challenger(model, version, owner, 0.1)
        until(lambda: impatient.admin.challenger(model) is None, "the lease ended")
        until(lambda: len(impatient.workers()) == 1, "its process ended")


def test_a_challenger_that_kills_its_process_fails_only_that_request(gateway: Running, model: str) -> None:
    with shadow(gateway, model, "DiesOnTwo") as (version, owner):
        assert [gateway.ask(model, x).status_code for x in (1, 2, 3)] == [200] * 3
        status = settled(gateway, model)
    assert (status.answered, status.errors) == (2, 1)
    assert "died twice" in gateway.admin.pairs(model, version, owner).pairs[1].challenger.error


def test_a_killed_challenger_is_replaced_and_belongs_to_its_owner(gateway: Running, model: str) -> None:
    before = {worker.pid for worker in gateway.workers()}
    gateway.admin.put_challenger(model, 2, OWNER, 600)
    (challenger,) = {worker.pid for worker in gateway.workers()} - before
    assert gateway.admin.put_challenger(model, 2, OWNER, 900).version == 2
    assert {worker.pid for worker in gateway.workers()} - before == {challenger}, "the same challenger was loaded twice"
    with pytest.raises(TerminalError, match=f"409.*version 2, deployed by {OWNER}"):
        gateway.admin.put_challenger(model, 2, "flights.late/run-2", 60)
    with pytest.raises(TerminalError, match=f"409.*belongs to {OWNER}"):
        gateway.admin.delete_challenger(model, "flights.late/run-2")
    os.kill(challenger, signal.SIGKILL)
    assert [gateway.ask(model, 0.5).status_code for _ in range(5)] == [200] * 5
    assert settled(gateway, model).errors == 5, "version 2 raises, so each of the five reached a new process"
    assert "broken on purpose" in gateway.admin.pairs(model, 2, OWNER).pairs[0].challenger.error
    gateway.admin.delete_challenger(model, OWNER)
    gateway.admin.delete_challenger(model, OWNER)
    assert gateway.admin.challenger(model) is None
    until(lambda: {worker.pid for worker in gateway.workers()} <= before, "its process ended")


def test_a_challenger_that_cannot_be_loaded_is_refused(gateway: Running, model: str) -> None:
    with pytest.raises(TerminalError, match=r"422.*unloadable on purpose"):
        gateway.admin.put_challenger(model, VERSIONS.index("Unloadable") + 1, OWNER, 60)
    with pytest.raises(TerminalError, match=r"404.*no version 99"):
        gateway.admin.put_challenger(model, 99, OWNER, 60)
    assert gateway.admin.challenger(model) is None
    assert gateway.ask(model, 1).status_code == 200


def test_a_challenger_and_its_counts_outlive_a_killed_gateway(mlflow_url: str, model: str, tmp_path: Path) -> None:
    first = start_gateway(mlflow_url, tmp_path / "state")
    first.admin.refresh(model)
    first.admin.put_challenger(model, 1, OWNER, 600)
    ids = {first.ask(model, x).headers["X-Taxiway-Request-Id"] for x in (0.1, 0.2, 0.3)}
    settled(first, model)
    ids.add(first.ask(model, 0.4).headers["X-Taxiway-Request-Id"])
    first.process.kill()
    first.process.wait()
    second = start_gateway(mlflow_url, tmp_path / "state")
    until(lambda: (status := second.admin.challenger(model)) and status.state == "serving", "the challenger is loaded again")
    until(lambda: second.ask(model, 0.5).status_code == 200, "the champion is followed again")
    new = "the new request is paired too"
    until(lambda: {pair.request_id for pair in second.admin.pairs(model, 1, OWNER).pairs} - ids, new)
    log = second.admin.pairs(model, 1, OWNER)
    second.stop()
    assert len(log.pairs) + log.unanswered == 5, "a request that was answered is not in the log"
    assert len(ids - {pair.request_id for pair in log.pairs}) == log.unanswered <= 1
