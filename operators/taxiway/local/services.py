"""The services of the embedded stack: their commands, environments and health checks."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from taxiway.local.stack_dir import StackDir
from taxiway.local.stack_spec import StackSpec

# Without these settings each of the libraries sends usage data.
NO_TELEMETRY = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "SCARF_ANALYTICS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
POSTGRES = "postgres"
TABLES = "airflow-tables"
_AIRFLOW = (sys.executable, "-m", "airflow")


@dataclass(frozen=True)
class Service:
    """A service of the stack.

    Attributes:
        name: Its name.
        command: The command that starts it.
        environment: Its environment variables, in addition to those of this process.
        needs: The parts that must be healthy before it can start.
        health_url: The URL of its health check; empty for a command that ends by itself, and is healthy when it has succeeded.
        is_healthy: Takes the body of the health URL and the time at which the process was started.
        answers_itself: Whether the service itself answers at the health URL.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    needs: tuple[str, ...]
    health_url: str = ""
    is_healthy: Callable[[bytes, datetime], bool] = lambda _, __: True
    answers_itself: bool = True


def services(home: StackDir, spec: StackSpec, databases: Mapping[str, str]) -> tuple[Service, ...]:
    """All services in the order of their starts; `databases` are SQLAlchemy URLs by service."""
    return (
        _mlflow(home, spec.ports["mlflow"], databases["mlflow"]),
        _gateway(home, spec.ports, spec.dags),
        Service(TABLES, (*_AIRFLOW, "db", "migrate"), _airflow_environment(home, spec, databases), (POSTGRES,)),
        *_airflow_services(home, spec, databases),
    )


def _airflow_services(home: StackDir, spec: StackSpec, databases: Mapping[str, str]) -> tuple[Service, ...]:
    """Airflow's four components, which `airflow standalone` starts too.

    They are started one by one, so that each has a health check and its death is noticed. None serves its logs over the network,
    because all components read them from the same folder.
    """
    health_url = f"http://127.0.0.1:{spec.ports['airflow']}/api/v2/monitor/health"
    commands = {
        "api-server": ("api-server",),
        "scheduler": ("scheduler", "--skip-serve-logs"),
        "dag-processor": ("dag-processor",),
        "triggerer": ("triggerer", "--skip-serve-logs"),
    }
    environment = _airflow_environment(home, spec, databases)
    return tuple(
        Service(
            name,
            (*_AIRFLOW, *arguments),
            environment,
            (POSTGRES, TABLES),
            health_url,
            _health_check(name),
            answers_itself=name == "api-server",
        )
        for name, arguments in commands.items()
    )


def _mlflow(home: StackDir, port: int, database: str) -> Service:
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    stores = ("--backend-store-uri", database, "--artifacts-destination", str(home.artifacts))
    return Service(
        "mlflow",
        command + stores,
        {**_base(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        (POSTGRES,),
        f"{url}/health",
        lambda body, _: body == b"OK",
    )


def _gateway(home: StackDir, ports: Mapping[str, int], dags: Path) -> Service:
    keys = home.secrets()
    command = (sys.executable, "-m", "taxiway.cli", "serve", "--port", str(ports["gateway"]))
    folders = ("--state", str(home.gateway), "--log-folder", str(home.request_log))
    return Service(
        "gateway",
        (*command, *folders, "--tracking-uri", f"http://127.0.0.1:{ports['mlflow']}", "--code", str(dags)),
        {
            **_base(),
            "TAXIWAY_CALLER_TOKEN": keys.gateway_caller_token,
            "TAXIWAY_ADMIN_TOKEN": keys.gateway_admin_token,
            "TAXIWAY_LEDGER_KEYS": keys.ledger_keys,
        },
        ("mlflow",),  # which it asks for its models when it starts
        f"http://127.0.0.1:{ports['gateway']}/ping",
    )


def _airflow_environment(home: StackDir, spec: StackSpec, databases: Mapping[str, str]) -> dict[str, str]:
    return {**_base(), **airflow_environment(home, spec.ports, spec.dags, databases["airflow"]), **spec.airflow_settings}


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
        # Airflow disables the Test button of connections by default, because users could probe the network with it.
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports["airflow"]),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys.airflow_jwt_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.airflow_jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.logs / "tasks"),
        # The default, one second between two tasks, would be most of the time of a short run.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__TAXIWAY__STORE": str(home.store),
        "AIRFLOW__TAXIWAY__DATA": str(home.data),
        "AIRFLOW__TAXIWAY__PRELOAD": "True",
        "AIRFLOW__TAXIWAY__LEDGER_KEYS": keys.ledger_keys,
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps(mlflow),
        "AIRFLOW_CONN_TAXIWAY_GATEWAY": json.dumps(gateway),
    }


def _base() -> dict[str, str]:
    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "PYTHONUNBUFFERED": "1"}
    # Threads that wait in busy loops make training ten times slower on a busy machine. OpenBLAS's wait at least 2 ** 4 cycles, and 2 ** 26
    # by default.
    passive = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"}
    return {**NO_TELEMETRY, **quiet, **passive}


def _health_check(name: str) -> Callable[[bytes, datetime], bool]:
    """The health check of an Airflow component: its heartbeat must be newer than its start, not one from before a restart."""
    part = name.replace("-", "_")

    def is_healthy(body: bytes, started: datetime) -> bool:
        health: dict[str, Any] = json.loads(body)
        if name == "api-server":
            return bool(health["metadatabase"]["status"] == "healthy")
        beat = health[part].get(f"latest_{part}_heartbeat")
        return health[part]["status"] == "healthy" and bool(beat) and datetime.fromisoformat(beat) >= started

    return is_healthy
