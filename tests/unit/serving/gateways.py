"""Fixtures of tests that ask a real gateway about models of a real registry."""

from collections.abc import Iterator

import pytest
from mlflow import MlflowClient
from running import Running, start_gateway


@pytest.fixture(scope="module")
def gateway(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that the tests of a module share, each with a model of its own: it asks for each of them several times a second."""
    running = start_gateway(mlflow_url, tmp_path_factory.mktemp("gateway"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def registry(mlflow_url: str) -> MlflowClient:
    return MlflowClient(mlflow_url)
