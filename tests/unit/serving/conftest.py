"""Real gateways on real ports, with a real registry."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

sys.path.insert(0, str(Path(__file__).parent))  # for `running`, which the tests of this folder share

from running import Running, start_gateway
from worlds import World

from taxiway.serving.gateway.models import challenger, champion


@pytest.fixture(scope="module")
def gateway(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that the tests of a module share, each with a model of its own: it asks for each of them several times a second."""
    running = start_gateway(mlflow_url, tmp_path_factory.mktemp("gateway"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def registry(mlflow_url: str) -> MlflowClient:
    return MlflowClient(mlflow_url)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    created = World(tmp_path)
    monkeypatch.setattr(champion, "backends_of", created.backends_of)
    monkeypatch.setattr(challenger, "backends_of", created.backends_of)
    yield created
    created.log.close()
