"""The model that most tests of a gateway ask for predictions."""

import pytest
from mlflow import MlflowClient
from running import Running, register


@pytest.fixture
def model(gateway: Running, registry: MlflowClient) -> str:
    """A healthy model of the test's own, which the gateway of the module serves."""
    name = register(registry, "Healthy")
    assert gateway.admin.refresh(name).champion == 1
    return name
