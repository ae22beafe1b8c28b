"""The services of the embedded stack: how each is started and how one sees that it is well."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from taxiway.local.stack_dir import StackDir
from taxiway.local.stack_spec import StackSpec

# Every one of these would otherwise send usage data from our processes.
NO_TELEMETRY = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "SCARF_ANALYTICS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
_AIRFLOW = (sys.executable, "-m", "airflow")


@dataclass(frozen=True)
class Service:
    """A process to start, and the URL and test by which its health is seen.

    `is_healthy` takes the body of the health URL and the time at which the process was started.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health_url: str
    is_healthy: Callable[[bytes, datetime], bool]


def services(home: StackDir, plan: StackSpec, databases: Mapping[str, str]) -> tuple[Service, ...]:
    """MLflow and the gateway, as they run in `home`; `databases` are the services' SQLAlchemy addresses by name."""
    return _mlflow(home, plan.ports["mlflow"], databases["mlflow"]), _gateway(home, plan.ports)


def airflow_services(home: StackDir, plan: StackSpec, databases: Mapping[str, str]) -> tuple[Service, ...]:
    """Airflow's four parts, to be started on a database that `airflow_migration` has prepared.

    They are what `airflow standalone` starts. Started one by one, each is seen to be well and noticed when it dies, and none
    serves its logs to the whole network: all parts read them from the same folder.
    """
    health_url = f"http://127.0.0.1:{plan.ports['airflow']}/api/v2/monitor/health"
    commands = {
        "api-server": ("api-server",),
        "scheduler": ("scheduler", "--skip-serve-logs"),
        "dag-processor": ("dag-processor",),
        "triggerer": ("triggerer", "--skip-serve-logs"),
    }
    environment = _airflow_environment(home, plan, databases)
    return tuple(
        Service(name, (*_AIRFLOW, *arguments), environment, health_url, _well(name)) for name, arguments in commands.items()
    )


def airflow_migration(home: StackDir, plan: StackSpec, databases: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The command that makes or updates Airflow's tables, and its environment."""
    return (*_AIRFLOW, "db", "migrate"), _airflow_environment(home, plan, databases)


def _mlflow(home: StackDir, port: int, database: str) -> Service:
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    stores = ("--backend-store-uri", database, "--artifacts-destination", str(home.artifacts))
    return Service(
        "mlflow",
        command + stores,
        {**_base(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        f"{url}/health",
        lambda body, _: body == b"OK",
    )


def _gateway(home: StackDir, ports: Mapping[str, int]) -> Service:
    keys = home.secrets()
    command = (sys.executable, "-m", "taxiway.cli", "serve", "--port", str(ports["gateway"]), "--state", str(home.gateway))
    return Service(
        "gateway",
        (*command, "--tracking-uri", f"http://127.0.0.1:{ports['mlflow']}"),
        {
            **_base(),
            "TAXIWAY_CALLER_TOKEN": keys.gateway_caller_token,
            "TAXIWAY_ADMIN_TOKEN": keys.gateway_admin_token,
        },
        f"http://127.0.0.1:{ports['gateway']}/ping",
        lambda _, __: True,
    )


def _airflow_environment(home: StackDir, plan: StackSpec, databases: Mapping[str, str]) -> dict[str, str]:
    return {**_base(), **airflow_environment(home, plan.ports, plan.dags, databases["airflow"]), **plan.airflow_settings}


def airflow_environment(home: StackDir, ports: Mapping[str, int], dags: Path, database: str) -> dict[str, str]:
    """The settings of the embedded Airflow, as environment variables."""
    keys = home.secrets()
    url = f"http://127.0.0.1:{ports['airflow']}"
    mlflow = {"conn_type": "mlflow", "host": f"http://127.0.0.1:{ports['mlflow']}"}
    gateway = {
        "conn_type": "taxiway_gateway",
        "host": f"http://127.0.0.1:{ports['gateway']}",
        "password": keys.gateway_admin_token,
    }
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "10",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": keys.airflow_fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.passwords_file),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        # Airflow keeps the test button of connections off, because whoever may edit one could probe the network with it.
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports["airflow"]),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys.airflow_jwt_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.airflow_jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.logs / "tasks"),
        # The default second between a task's end and the next one's start would be most of a short run.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__TAXIWAY__STORE": str(home.store),
        "AIRFLOW__TAXIWAY__DATA": str(home.data),
        "AIRFLOW__TAXIWAY__PRELOAD": "True",
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps(mlflow),
        "AIRFLOW_CONN_TAXIWAY_GATEWAY": json.dumps(gateway),
    }


def _base() -> dict[str, str]:
    # OMP: threads that spin while they wait for each other make training ten times slower on a machine that is busy.
    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "PYTHONUNBUFFERED": "1"}
    return {**NO_TELEMETRY, **quiet, "OMP_WAIT_POLICY": "PASSIVE"}


def _well(name: str) -> Callable[[bytes, datetime], bool]:
    """Whether a part of Airflow is well, by Airflow's own health page: a heartbeat of the last start may still look fresh there."""
    part = name.replace("-", "_")

    def is_healthy(body: bytes, started: datetime) -> bool:
        health: dict[str, Any] = json.loads(body)
        if name == "api-server":
            return bool(health["metadatabase"]["status"] == "healthy")
        beat = health[part].get(f"latest_{part}_heartbeat")
        return health[part]["status"] == "healthy" and bool(beat) and datetime.fromisoformat(beat) >= started

    return is_healthy
