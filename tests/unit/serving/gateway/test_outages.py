"""Outages of the registry: they are waited for, and what was served before is served meanwhile, also after a restart."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from mlflow import MlflowClient
from registries import Registry
from running import CALLER, Running, register, start_gateway

from helping import until
from taxiway.errors import TransientError

OWNER = "flights.late/run-1"


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
    assert "MLflow registry failed" in gateway.admin.status(model).problem
    seen = gateway.http.get(f"{gateway.url}/models/{model}", headers={"Authorization": f"Bearer {CALLER}"}).json()
    assert seen["problem"] == "there is a problem, which callers with the scope admin see here"
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
            lines = [line for line in (gateway.state / "output").read_text().splitlines() if "MLflow registry failed" in line]
            begun = [line for line in lines if f": {each}: since" in line]
            resolved = [line for line in lines if f": {each}: resolved" in line and ": since" in line]
            assert len(begun) == len(resolved) > 0, "an outage is logged more than once"
