"""The stack of docker-compose.yml, as the guide says to start it, under a project name and ports of its own."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pandas as pd
from click.testing import CliRunner
from engine import REPOSITORY, compose_command, docker, images, inspect, run, until

from ending import undone
from helping import PATIENCE_S, free_port
from taxiway.cli.main import main
from taxiway.demo.airflow_api import AirflowApi
from taxiway.serving.client import GatewayClient

if TYPE_CHECKING:
    from mlflow import MlflowClient

DAG = "shadows.contained"
"""The pipeline of these tests: its challengers are in containers."""
FILES = ("docker-compose.yml", "docker-compose.docker-shadow.yml", "docker-compose.mlflow-port.yml", "tests/docker/calm.yml")
SOCKET = Path("/var/run/docker.sock")
SERVICES = {
    *("postgres", "redis", "mlflow", "gateway"),
    *(f"airflow-{part}" for part in ("api-server", "scheduler", "dag-processor", "triggerer", "worker")),
}


@dataclass(frozen=True)
class Composed:
    """A stack that runs; `settings` are those of its environment file."""

    project: str
    env_file: Path
    settings: dict[str, str]

    def compose(self, *arguments: str) -> str:
        """A command of compose on this stack."""
        return run(*self.command, *arguments)

    @property
    def command(self) -> tuple[str, ...]:
        """Compose on this stack."""
        files = [part for name in FILES for part in ("-f", str(REPOSITORY / name))]
        return (*compose_command(), *files, "-p", self.project, "--env-file", str(self.env_file))

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What the engine knows of the service's containers; of all, where none is named."""
        labels = [f"label=com.docker.compose.project={self.project}"]
        labels += [f"label=com.docker.compose.service={service}"] if service else []
        return inspect(*docker("ps", "-aq", *(part for label in labels for part in ("--filter", label))).split())

    def conditions(self) -> dict[str, tuple[str, str]]:
        """By service, its container's status and health."""
        states = {c["Config"]["Labels"]["com.docker.compose.service"]: c["State"] for c in self.containers()}
        return {name: (state["Status"], state.get("Health", {}).get("Status", "")) for name, state in states.items()}

    def is_healthy(self) -> bool:
        """Whether every service has a container and all of them are healthy."""
        return {name for name, (_, health) in self.conditions().items() if health == "healthy"} == SERVICES

    def url(self, service: str) -> str:
        """The address of `airflow`, `mlflow` or `gateway`."""
        return f"http://127.0.0.1:{self.settings[f'{service.upper()}_PORT']}"

    @property
    def data(self) -> Path:
        """The folder of raw data."""
        return Path(self.settings["DATA_FOLDER"])

    @property
    def api(self) -> AirflowApi:
        return AirflowApi(self.url("airflow"), self.settings["AIRFLOW_ADMIN_PASSWORD"])

    @property
    def mlflow(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(self.url("mlflow"))

    @property
    def admin(self) -> GatewayClient:
        return GatewayClient(self.url("gateway"), self.settings["TAXIWAY_ADMIN_TOKEN"])

    def task(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """A task instance as Airflow's API tells of it."""
        found: dict[str, Any] = self.airflow(f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}").json()
        return found

    def airflow(self, path: str) -> httpx.Response:
        """An answer of Airflow's API to its administrator."""
        login = {"username": "admin", "password": self.settings["AIRFLOW_ADMIN_PASSWORD"]}
        token = httpx.post(f"{self.url('airflow')}/auth/token", json=login, timeout=PATIENCE_S).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.url('airflow')}/api/v2{path}", headers=headers, timeout=PATIENCE_S)

    def outcome(self, dag: str, run: str) -> str:
        """What a DAG run came to, as its MLflow run says."""
        experiment = self.mlflow.get_experiment_by_name(dag.replace(".", "/"))
        assert experiment is not None
        (found,) = self.mlflow.search_runs([experiment.experiment_id], f"tags.`taxiway.dag_run` = '{dag}/{run}'")
        return str(found.data.tags.get("taxiway.outcome", ""))

    @property
    def caller(self) -> GatewayClient:
        return GatewayClient(self.url("gateway"), self.settings["TAXIWAY_CALLER_TOKEN"])


@contextmanager
def composed(folder: Path, dags: Path, data: Path) -> Iterator[Composed]:
    """Bring the stack up with fresh secrets, and take down all of it, its volumes too, however the block ends."""
    env_file, project = folder / "env", f"taxiway-test-{os.getpid()}"
    written = CliRunner().invoke(main, ["compose-env", "-o", str(env_file)])
    assert written.exit_code == 0, written.output
    folders = {"DATA_FOLDER": str(data), "DAGS_FOLDER": str(dags)}
    engine = {"DOCKER_GROUP": str(SOCKET.stat().st_gid), "CHALLENGER_NETWORK": f"{project}-challengers"}
    ports = {f"{name}_PORT": str(free_port()) for name in ("AIRFLOW", "MLFLOW", "GATEWAY")}
    with env_file.open("a") as file:
        file.writelines(f"{k}={v}\n" for k, v in (ports | images() | folders | engine).items())
    lines = [line for line in env_file.read_text().splitlines() if line and not line.startswith("#")]
    stack = Composed(project, env_file, dict(line.split("=", 1) for line in lines))
    down = ("down", "--volumes", "--remove-orphans")
    in_network = f"docker ps -aq --filter network={engine['CHALLENGER_NETWORK']}"
    with undone("sh", "-c", f"{in_network} | xargs -r docker rm -f; {shlex.join([*stack.command, *down])}"):
        try:
            stack.compose("up", "-d", "--no-build")
            until(stack.is_healthy, "all services are healthy", progress=stack.conditions)
            yield stack
        except BaseException:
            print(_logs(stack))  # pytest shows it with the failure
            raise
        finally:
            stack.compose(*down)
        assert stack.containers() == []
        assert docker("volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={project}") == ""


def _logs(stack: Composed) -> str:
    tail = ("logs", "--no-color", "--tail", "40")
    return subprocess.run([*stack.command, *tail], capture_output=True, text=True, cwd=REPOSITORY).stdout


def write_span(stack: Composed, span: int) -> None:
    """2,000 rows in which `y` depends on `a`, as a span of the source."""
    rng = np.random.default_rng(span)
    a = rng.normal(size=2000)
    y = a + rng.normal(size=2000) > 0
    rows = pd.DataFrame({"id": np.arange(2000) + 10_000 * span, "a": a, "b": rng.choice(list("xyz"), 2000), "y": y})
    folder = stack.data / "contained"
    folder.mkdir(exist_ok=True)
    rows.to_parquet(folder / f"{span}.parquet")
