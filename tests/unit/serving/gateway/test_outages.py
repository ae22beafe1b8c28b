"""Outages of the registry: they are waited for, and what was served before is served meanwhile, also after a restart."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from mlflow import MlflowClient
from running import Running, register, start_gateway

from ending import kept
from helping import free_port, until
from taxiway.errors import TransientError

OWNER = "flights.late/run-1"
PROXY = """
import asyncio, sys

async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def passed_on(reader, writer):
    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))

async def serve():
    server = await asyncio.start_server(passed_on, "127.0.0.1", int(sys.argv[1]))
    print("listening", flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""


class Registry:
    """An address at which the registry answers, or refuses connections, or says nothing."""

    def __init__(self, mlflow_url: str) -> None:
        self._port, self._behind = free_port(), mlflow_url.rpartition(":")[2]
        self.url = f"http://127.0.0.1:{self._port}"

    @contextmanager
    def answering(self) -> Iterator[None]:
        command = [sys.executable, "-c", PROXY, str(self._port), self._behind]
        with kept(*command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"listening\n"
            yield

    @contextmanager
    def silent(self) -> Iterator[None]:
        with socket.create_server(("127.0.0.1", self._port), backlog=100):
            yield


def served(gateway: Running, model: str, version: int) -> Callable[[], bool]:
    return lambda: gateway.admin.status(model).champion == version


@dataclass(frozen=True)
class Restarted:
    """A gateway that was started while its registry did not answer, and has served two models before.

    Attributes:
        gateway: The gateway.
        registry: The address of its registry, where nobody listens any more.
        whole: A model with copies of champion and challenger.
        altered: A model, the copy of whose challenger was altered.
    """

    gateway: Running
    registry: Registry
    whole: str
    altered: str

    def challenger_state(self, model: str) -> str:
        held = self.gateway.admin.challenger(model)
        return held.state if held else "removed"


@pytest.fixture(scope="module")
def restarted(mlflow_url: str, registry: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarted]:
    address, state = Registry(mlflow_url), tmp_path_factory.mktemp("restarted")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")  # a lookup that is not answered would be waited for after the outage
    whole, altered = (register(registry, "Healthy", "Healthy") for _ in range(2))
    with address.answering():
        before = start_gateway(address.url, state, models=[whole, altered])
        for model in (whole, altered):
            until(served(before, model, 1), "the champion is served")
            copies = set((state / "models").iterdir())
            before.admin.put_challenger(model, 2, OWNER, 600)
        before.stop()
    (copy,) = set((state / "models").iterdir()) - copies
    (copy / "files/model/behaviour").write_text("Raises")
    with address.silent():
        after = start_gateway(address.url, state, models=[whole, altered])
        monkeypatch.undo()
        until(served(after, whole, 1), "a registry that says nothing does not hold up the start")
    yield Restarted(after, address, whole, altered)
    after.stop()


def test_champion_and_challenger_are_served_after_a_restart_without_the_registry(restarted: Restarted) -> None:
    gateway, model = restarted.gateway, restarted.whole
    until(lambda: restarted.challenger_state(model) == "serving", "the challenger is loaded again")
    until(lambda: gateway.admin.status(model).registry_away_since is not None, "the silence of the registry is noticed")
    assert "does not answer" in gateway.admin.status(model).problem
    assert gateway.ask(model, 0.5).status_code == 200
    until(lambda: len(gateway.workers()) == 3, "two champions and a challenger are served")
    before = {worker.pid for worker in gateway.workers()}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len({worker.pid for worker in gateway.workers()} - before) == 3, "all are replaced")
    assert gateway.ask(model, 0.25).json() == {"predictions": [[0.75, 0.25]]}


def test_a_challenger_without_a_copy_waits_for_the_registry(restarted: Restarted) -> None:
    gateway, model = restarted.gateway, restarted.altered
    until(lambda: "challenger cannot be loaded" in gateway.admin.status(model).problem, "loading it has failed")
    assert restarted.challenger_state(model) == "loading", "an outage ended the challenger"
    with pytest.raises(TransientError, match="503"):
        gateway.admin.put_challenger(model, 2, OWNER, 600)
    with restarted.registry.answering():
        until(lambda: restarted.challenger_state(model) == "serving", "it is loaded from a new copy")
        assert gateway.ask(model, 0.5).status_code == 200
        both = (restarted.whole, model)
        until(lambda: not any(gateway.admin.status(each).problem for each in both), "the registry is back")
        assert [gateway.admin.status(each).registry_away_since for each in both] == [None, None]
        for each in both:
            lines = [line for line in (gateway.state / "output").read_text().splitlines() if "does not answer" in line]
            begun = [line for line in lines if f": {each}: since" in line]
            resolved = [line for line in lines if f": {each}: resolved" in line and ": since" in line]
            assert len(begun) == len(resolved) > 0, "an outage is logged more than once"
