"""Outages of the registry: they are waited for, and what was served before is served meanwhile, also after a restart."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient
from running import Running, add_version, register, start_gateway

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


@pytest.fixture
def registry_address(mlflow_url: str) -> Registry:
    return Registry(mlflow_url)


def served(gateway: Running, model: str, version: int) -> Callable[[], bool]:
    return lambda: gateway.admin.status(model).champion == version


def test_champion_and_challenger_are_served_after_a_restart_without_the_registry(
    registry_address: Registry, registry: MlflowClient, tmp_path: Path
) -> None:
    model = register(registry, "Healthy", "Healthy")
    with registry_address.answering():
        first = start_gateway(registry_address.url, tmp_path, models=[model])
        until(served(first, model, 1), "the champion is served")
        first.admin.put_challenger(model, 2, OWNER, 600)
        first.stop()
    second = start_gateway(registry_address.url, tmp_path, models=[model])
    until(served(second, model, 1), "the champion of before is served")
    until(lambda: (held := second.admin.challenger(model)) and held.state == "serving", "the challenger is loaded again")
    status = second.admin.status(model)
    assert status.registry_away_since is not None
    assert "does not answer" in status.problem
    assert second.ask(model, 0.5).status_code == 200
    before = {worker.pid for worker in second.workers()}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len({worker.pid for worker in second.workers()} - before) == 2, "both are replaced")
    assert second.ask(model, 0.25).json() == {"predictions": [[0.75, 0.25]]}
    with registry_address.answering():
        until(lambda: not second.admin.status(model).problem, "the registry is back")
        assert second.admin.status(model).registry_away_since is None
        second.stop()
    logged = (tmp_path / "output").read_text()
    assert logged.count("WARNING taxiway.serving.gateway.problems") == 1, "the outage is logged more than once"
    with registry_address.silent():
        third = start_gateway(registry_address.url, tmp_path, models=[model])
        until(served(third, model, 1), "a registry that says nothing does not hold up the start")
        third.process.kill()  # in order, it would end with the lookup that nobody answers
        third.process.wait()


def test_a_challenger_without_a_copy_waits_for_the_registry(
    registry_address: Registry, registry: MlflowClient, tmp_path: Path
) -> None:
    model = register(registry, "Healthy", "Healthy")
    with registry_address.answering():
        first = start_gateway(registry_address.url, tmp_path, models=[model])
        until(served(first, model, 1), "the champion is served")
        first.admin.put_challenger(model, 2, OWNER, 600)
        first.stop()
    for copy in (tmp_path / "models").glob("*-2/files/model/behaviour"):
        copy.write_text("Raises")
    second = start_gateway(registry_address.url, tmp_path, models=[model])
    until(lambda: "challenger cannot be loaded" in second.admin.status(model).problem, "loading it has failed")
    held = second.admin.challenger(model)
    assert held is not None, "an outage ended the challenger"
    assert held.state == "loading"
    with pytest.raises(TransientError, match="503"):
        second.admin.put_challenger(model, 2, OWNER, 600)
    with registry_address.answering():
        until(lambda: (held := second.admin.challenger(model)) and held.state == "serving", "it is loaded from a new copy")
        until(lambda: second.ask(model, 0.5).status_code == 200, "the champion answers")
        second.admin.delete_challenger(model, OWNER)
        second.stop()


def test_an_altered_copy_is_downloaded_again(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy")
    others, copies = set(gateway.workers()), set((gateway.state / "models").iterdir())
    assert gateway.admin.refresh(model).champion == 1
    (worker,), (copy,) = set(gateway.workers()) - others, set((gateway.state / "models").iterdir()) - copies
    (copy / "files/model/behaviour").write_text("Raises")
    worker.kill()
    until(lambda: gateway.ask(model, 0.5).status_code == 200, "a worker is started from a new copy")
    assert (copy / "files/model/behaviour").read_text() == "Healthy"


def test_copies_of_old_versions_are_removed(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, *["Healthy"] * 3)
    before = set((gateway.state / "models").iterdir())
    for version in range(1, 4):
        registry.set_registered_model_alias(model, "champion", str(version))
        assert gateway.admin.refresh(model).champion == version
    kept = [path.name.rpartition("-")[2] for path in set((gateway.state / "models").iterdir()) - before]
    assert "3" in kept
    assert len(kept) <= 2, "more than the champion and the one before it are kept"


def test_a_model_that_was_registered_again_under_its_name_is_loaded_again(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy")
    assert gateway.admin.refresh(model).champion == 1
    registry.delete_registered_model(model)
    registry.create_registered_model(model)
    add_version(registry, model, "AnswersNaN")
    registry.set_registered_model_alias(model, "champion", "1")
    gateway.admin.refresh(model)
    until(lambda: gateway.ask(model, 0.5).status_code == 500, "the new version 1 answers")
