"""The parts of the embedded stack: PostgreSQL, services with a health check, and the command that prepares Airflow's tables."""

import contextlib
import os
import subprocess
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import psutil

from taxiway.local.postgres.server import Postgres
from taxiway.local.processes import end_all, session_members
from taxiway.local.services import POSTGRES, Service
from taxiway.local.stack_dir import StackDir
from taxiway.local.watch import Health

DATABASES = ("airflow", "mlflow")
_PART = "TAXIWAY_PART"
_CHECK_SECONDS = 10.0
_END_SECONDS = 8.0
_LOG_LINES = 15


class PostgresPart:
    """PostgreSQL.

    Args:
        postgres: The server.
    """

    name = POSTGRES
    needs: tuple[str, ...] = ()

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def start(self) -> None:
        """Start it, and create missing databases."""
        self._postgres.start(DATABASES)

    def ended(self) -> str:
        """`exited` if its main process is gone."""
        return "" if self._postgres.processes() else "exited"

    def check(self) -> Health:
        """Whether it answers a query."""
        return Health.GOOD if self._postgres.answers(_CHECK_SECONDS) else Health.BAD

    def end(self) -> None:
        """End its processes; also those that have lost their main process, which would keep a new one from starting."""
        self._postgres.kill()

    def end_of_log(self) -> str:
        """The last lines of its log."""
        return self._postgres.end_of_log()


class ServicePart:
    """A service with a health check.

    Args:
        home: The folder of the stack.
        service: The service.
    """

    def __init__(self, home: StackDir, service: Service) -> None:
        self._home = home
        self._service = service
        self._process: subprocess.Popen[bytes] | None = None
        self._began = datetime.now(UTC)
        self._is_ours = False

    @property
    def name(self) -> str:
        """The service's name."""
        return self._service.name

    @property
    def needs(self) -> tuple[str, ...]:
        """The parts that it needs."""
        return self._service.needs

    def start(self) -> None:
        """Start its process."""
        self._began, self._is_ours = datetime.now(UTC), False
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._service.command,
                # All processes of the part inherit the name, by which they are found if their parent has died.
                env={**os.environ, **self._service.environment, _PART: self.name},
                cwd=self._home.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ended(self) -> str:
        """How its process ended; empty while it runs, or if the service ends by itself and succeeded."""
        code = self._process.poll() if self._process else None
        return "" if code is None or (code == 0 and not self._service.health_url) else f"exited with code {code}"

    def check(self) -> Health:
        """Ask its health URL; for a service without one, whether it has succeeded."""
        service = self._service
        if not service.health_url:
            return Health.GOOD if self._process is not None and self._process.poll() == 0 else Health.UNKNOWN
        try:
            with urllib.request.urlopen(service.health_url, timeout=_CHECK_SECONDS) as answer:  # noqa: S310 - our own http address
                body = answer.read()
            self._is_ours = self._is_ours or _listens_in_this_session(service.health_url)
            return Health.GOOD if self._is_ours and service.is_healthy(body, self._began) else Health.BAD
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            # The page of the API server says how other components are; without it, nothing is known about them.
            answered = not isinstance(error, OSError) or isinstance(error, HTTPError)
            return Health.BAD if answered or service.answers_itself else Health.UNKNOWN

    def end(self) -> None:
        """End its processes that are left, also those whose parent has died."""
        end_all(lambda: processes_of_part(self.name), _END_SECONDS)
        if self._process is not None:
            self._process.wait()

    def end_of_log(self) -> str:
        """The last lines of its log."""
        lines = self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return f"; the end of {self._log}:\n" + "\n".join(f"    {line}" for line in lines)

    @property
    def _log(self) -> Path:
        return self._home.logs / f"{self.name}.log"


def processes_of_part(name: str) -> list[psutil.Process]:
    """The processes of a part in this session."""
    found = []
    for process in session_members(os.getsid(0)):
        with contextlib.suppress(psutil.Error):
            if process.environ().get(_PART) == name:
                found.append(process)
    return found


def _listens_in_this_session(url: str) -> bool:
    """Whether a process of this stack listens there, and not a service of another stack."""
    port = urlsplit(url).port
    for process in session_members(os.getsid(0)):
        with contextlib.suppress(psutil.Error):
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections("tcp")):
                return True
    return False
