"""The embedded stack: starts its supervisor, reads its events, and stops it, also from another process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from taxiway.errors import ConfigError, TransientError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.ledger.verify import sign, unsigned_entries
from taxiway.local.ports import Ports, remembered_ports
from taxiway.local.postgres.server import Postgres
from taxiway.local.processes import end_all, session_members
from taxiway.local.stack_dir import Secrets, StackDir
from taxiway.local.stack_spec import StackSpec
from taxiway.tracking.client import mlflow_errors, quiet_mlflow

STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Stack:
    """A running stack.

    Attributes:
        home: Its folder.
        ports: The ports by service.
        secrets: Its passwords and tokens.
    """

    home: StackDir
    ports: dict[str, int]
    secrets: Secrets

    def url(self, service: str) -> str:
        """The address of a service: `airflow`, `mlflow` or `gateway`."""
        return f"http://127.0.0.1:{self.ports[service]}"


class StackProcess:
    """The supervisor process of a stack: iterate `events` until `ready`, then use `stack`; call `stop` at any time.

    Args:
        home: The folder of the stack.
        dags: The folder of DAG files.
        airflow_settings: Environment variables that override those of the embedded Airflow.

    Raises:
        ConfigError: `dags` is not a folder, or a stack already runs in `home`.
    """

    def __init__(self, home: StackDir, dags: Path, airflow_settings: Mapping[str, str] | None = None) -> None:
        require_dags(dags)
        refuse_second(home)
        self._ports = Ports(home.ports_file)
        self.stack = Stack(home, self._ports.by_service, home.secrets())
        spec = StackSpec(
            home=home.root, dags=dags.resolve(), ports=self.stack.ports, airflow_settings=dict(airflow_settings or {})
        )
        with (home.logs / "supervisor.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "taxiway.local.supervisor", spec.model_dump_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the events of the supervisor, up to `ready`.

        Raises:
            TransientError: The start failed; the message has the reason.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "failed":
                self.stop()
                raise TransientError(f"the stack did not start: {event['detail']}")
            if event["event"] == "stopping":
                raise TransientError("another command, such as `taxiway down`, stopped the stack while it started")
            yield event
            if event["event"] == "ready":
                return
        raise TransientError(f"the stack did not start: {self._killed_text()}")

    def wait(self, notice: Callable[[dict[str, Any]], None]) -> str:
        """Wait until the stack ends; returns why it failed, empty if another command stopped it.

        Args:
            notice: Takes each event until then: a part is unhealthy, is restarted, or is healthy again.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            if event["event"] == "failed":
                return str(event["detail"])
            if event["event"] == "stopping":
                return ""
            notice(event)
        return self._killed_text()

    def _killed_text(self) -> str:
        return f"its supervisor exited without a reason; see its log: {self.stack.home.logs / 'supervisor.log'}"

    def stop(self) -> None:
        """Stop the supervisor and all processes of the stack."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        _end_session(self.stack.home, self._process.pid)
        self._ports.release()


def sign_older_promotions(stack: Stack) -> int:
    """Sign the promotions of before the stack had keys, once; returns their number.

    Raises:
        TransientError: MLflow does not answer.
    """
    quiet_mlflow()
    from mlflow import MlflowClient

    with mlflow_errors(stack.url("mlflow")):
        ledger = Ledger(MlflowClient(stack.url("mlflow")), LedgerKeys.parse(stack.secrets.ledger_keys))
        older = unsigned_entries(ledger)
        sign(ledger, older)
    stack.home.unsigned_file.unlink()
    return len(older)


def find_running(home: Path) -> Stack | None:
    """The stack that runs in a folder; None if none runs there. Nothing is created."""
    folder = StackDir(home.resolve())
    running = _running(folder)
    if running is None or not _is_supervisor(running["supervisor"]):
        return None
    return Stack(folder, remembered_ports(folder.ports_file), folder.secrets())


def down(home: StackDir) -> bool:
    """Stop the stack that runs in `home`, even if its supervisor was killed; returns False if none runs."""
    running = _running(home)
    if running is None:
        leftover = Postgres(home.postgres)
        if not leftover.processes():
            return False
        leftover.stop()
        return True
    if psutil.pid_exists(running["supervisor"]) and _is_supervisor(running["supervisor"]):
        os.kill(running["supervisor"], signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while psutil.pid_exists(running["supervisor"]) and time.monotonic() < deadline:
            time.sleep(0.1)
    _end_session(home, running["session"])
    return True


def require_dags(dags: Path) -> None:
    """Raise ConfigError if `dags` is not a folder."""
    if not dags.is_dir():
        raise ConfigError(f"{dags} is not a folder; give the folder with your DAGs and pipeline files: --dags FOLDER")


def refuse_second(home: StackDir) -> None:
    """Raise ConfigError if a stack already runs in `home`."""
    running = _running(home)
    if running and _is_supervisor(running["supervisor"]):
        raise ConfigError(
            f"a stack already runs in {home.root}; stop it with `taxiway down`, or give another folder: --home FOLDER"
        )
    if running:
        down(home)


def _running(home: StackDir) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        found: dict[str, Any] = json.loads(home.running_file.read_text())
        return found
    return None


def _is_supervisor(pid: int) -> bool:
    # Process ids are reused, and a signal must not hit another process.
    with contextlib.suppress(psutil.Error):
        return "taxiway.local.supervisor" in " ".join(psutil.Process(pid).cmdline())
    return False


def _end_session(home: StackDir, session: int) -> None:
    end_all(lambda: session_members(session))
    Postgres(home.postgres).stop()
    home.running_file.unlink(missing_ok=True)
