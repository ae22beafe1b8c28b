"""What all tests share: folders, the flights, and one real MLflow server a test run."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from helping import free_port

# One stack for all tests that need one, in whichever folder; a module of its own so that tests can name its types.
pytest_plugins = ["conftest_airflow"]

# Properties are tried on the same examples in every run, and on ten times as many fresh ones by `make test-deep`. A slow machine
# is no mistake, and a folder or a store that the examples of a test share does no harm.
for profile, differs in {"fixed": {"derandomize": True}, "deep": {"max_examples": 1000}}.items():
    unchecked = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    settings.register_profile(profile, deadline=None, database=None, suppress_health_check=unchecked, **differs)
settings.load_profile("fixed")

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
# Threads that spin while they wait for each other would make training ten times slower beside a running stack.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Where tests run in several processes, those that share a stack run in one, and the others file by file beside it."""

    class ByStack(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = nodeid.split("/")[1]
            return {"airflow": "stack", "browser": "stack", "docker": "docker"}.get(folder, nodeid.split("::")[0])

    return ByStack(config, log)


@pytest.fixture(scope="session")
def flights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flights of 2013-01 to 2013-06, a Parquet file a month."""
    from taxiway.local.flights import flights_by_month, write_span

    folder = tmp_path_factory.mktemp("flights")
    for month, rows in flights_by_month().items():
        if month <= "2013-06":
            write_span(rows, folder, month)
    return folder


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server on a database of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")),
            ],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/health", server, folder / "log")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} did not come up:\n{log.read_text()[-3000:]}")
