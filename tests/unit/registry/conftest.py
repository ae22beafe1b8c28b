"""The MLflow of tests that register models."""

from collections.abc import Iterator

import pytest
from registry.small_models import open_run

from taxiway.tracking.local import local_mlflow
from taxiway.tracking.run import MlflowRun


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow without a server, which takes two thirds of the time; `test_loaded_in_python.py` and the test of kills have one."""
    with local_mlflow(tmp_path_factory.mktemp("home")) as client:
        yield client.tracking_uri


@pytest.fixture
def run(uri: str) -> MlflowRun:
    return open_run(uri)
