"""Faults of a gateway while callers ask it over four connections without a pause.

In each test, an answer is right, or the request is refused with a message; none is lost while the gateway lives, and every answer is
in the request log once. The faults, and where each is tested:

| fault | tests |
|---|---|
| worker process killed | `test_processes.py`; on a request: `test_challenger.py`; without MLflow: `test_outages.py` |
| worker process that ends again and again | `test_restart_storms.py` |
| worker process stopped, or a model that never answers | `test_processes.py`, `test_challenger.py` |
| gateway killed and started again | `test_processes.py`; with a challenger: `test_challenger.py`; with labels: `test_feedback.py` |
| gateway stopped for two seconds | `test_processes.py` |
| process that writes the Parquet files killed | `test_processes.py`; at each step of its work: `test_roll.py` |
| champion that cannot be loaded again | `test_processes.py`; a new champion that cannot be loaded: `test_app.py`, `test_served_outages.py` |
| process that reads large bodies killed | `tests/security/test_hostile_requests.py` |
| container of a challenger killed | `tests/docker/test_docker_shadow.py` |
| MLflow refuses connections, and answers again | `test_surroundings.py` |
| MLflow says nothing | `test_outages.py`, `test_served_outages.py` |
| disk full | `test_surroundings.py`; state of a challenger: `test_served_challenger.py` |
| request log deleted or damaged while it is used | `test_surroundings.py`, `test_log_damage.py` |
| request log damaged at the start | `test_log_damage.py` |
| copy of a model altered | `test_app.py`, `test_backing.py`, `test_served_outages.py` |
| clock set forward and back | `test_surroundings.py`; in the Parquet files: `test_roll.py` |
| slow callers and idle connections | `test_surroundings.py`; requests that never end: `tests/security/test_connections.py` |
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from running import Running, register, start_gateway

from helping import until

Serve = Callable[..., tuple[Running, str]]


@pytest.fixture
def serve(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> Iterator[Serve]:
    """Starts a gateway with the given settings; returns it with a healthy model that it serves."""
    with ExitStack() as started:

        def start(state: Path = tmp_path / "state", tracking_uri: str = mlflow_url, **settings: Any) -> tuple[Running, str]:
            name = register(registry, "Healthy")
            running = start_gateway(tracking_uri, state, models=[name], **settings)
            started.callback(running.stop)
            until(lambda: running.admin.status(name).champion == 1, "the champion is served")
            return running, name

        yield start
