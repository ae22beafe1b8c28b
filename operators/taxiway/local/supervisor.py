"""The supervisor: a process in its own session that starts the services of a stack, watches them, and stops them.

`taxiway up` starts it and holds its standard input open; when that closes, for any reason, the supervisor stops everything. It writes
its events to standard output, one JSON object per line.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, NamedTuple, TextIO
from urllib.parse import urlsplit

import psutil

from taxiway.errors import StackStartError, StopRequestedError
from taxiway.local.postgres import Postgres
from taxiway.local.processes import end_all, session_members
from taxiway.local.services import Service, airflow_migration, airflow_services, services
from taxiway.local.stack_dir import StackDir
from taxiway.local.stack_spec import StackSpec

START_SECONDS = 900.0
"""The time limit for a service that hangs. A service that exits is noticed at once."""
DATABASES = ("airflow", "mlflow")
_events: list[TextIO] = []


class Started(NamedTuple):
    """A service and its process."""

    service: Service
    process: "subprocess.Popen[bytes]"


def main() -> None:
    """Run a stack until standard input closes or a signal arrives. The argument of the process is a StackSpec as JSON."""
    spec = StackSpec.model_validate_json(sys.argv[1])
    # Standard output is for events only: other output, also of child processes, goes to the log.
    _events.append(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)
    home = StackDir.at(spec.home)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=_wait_for_the_end_of_input, args=(stopping,), daemon=True).start()
    postgres = Postgres(home.postgres)
    failed = False
    try:
        _write_running(home, spec.ports)
        _run(home, spec, postgres, stopping)
    except StopRequestedError:
        pass
    except Exception as error:  # any error is reported to the user, and all processes are stopped
        failed = True
        _emit(event="failed", detail=str(error))
    finally:
        _emit(event="stopping")
        end_all(lambda: session_members(os.getsid(0)))
        postgres.stop()
        home.running_file.unlink(missing_ok=True)
        _emit(event="stopped")
    sys.exit(1 if failed else 0)


def _run(home: StackDir, spec: StackSpec, postgres: Postgres, stopping: threading.Event) -> None:
    began = time.monotonic()
    _emit(event="starting", service="postgres")
    databases = postgres.start(DATABASES)
    _emit(event="healthy", service="postgres", seconds=time.monotonic() - began)
    started = [_start(home, service) for service in services(home, spec, databases)]
    _migrate(home, spec, databases, started, stopping)
    started += [_start(home, service) for service in airflow_services(home, spec, databases)]
    with ThreadPoolExecutor(len(started)) as pool:
        waits = [pool.submit(_wait_until_healthy, home, one.service, started, stopping) for one in started]
        done, _ = wait(waits, return_when=FIRST_EXCEPTION)
        broken = [future for future in done if future.exception()]
        if broken:
            stopping.set()  # the other waits end at once
            raise broken[0].exception() or StackStartError()
    _emit(event="ready", seconds=time.monotonic() - began)
    while not stopping.wait(0.5):
        if not postgres.processes():  # first, because the others soon end without it
            raise StackStartError(f"PostgreSQL exited; see its log: {postgres.data / 'log'}")
        _require_all(home, started, "")


def _require_all(home: StackDir, started: Sequence[Started], when: str) -> None:
    """Raise StackStartError if a service has exited."""
    for service, process in started:
        if process.poll() is not None:
            raise StackStartError(_tail(home, f"{service.name} exited with code {process.returncode}{when}", service.name))


def _migrate(
    home: StackDir, spec: StackSpec, databases: dict[str, str], started: Sequence[Started], stopping: threading.Event
) -> None:
    began = time.monotonic()
    _emit(event="starting", service="airflow-tables")
    command, environment = airflow_migration(home, spec, databases)
    with (home.logs / "airflow-tables.log").open("ab") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=home.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    while process.poll() is None:
        if stopping.wait(0.1):
            raise StopRequestedError
        _require_all(home, started, " while starting")
    if process.returncode:
        raise StackStartError(_tail(home, f"airflow db migrate exited with code {process.returncode}", "airflow-tables"))
    _emit(event="healthy", service="airflow-tables", seconds=time.monotonic() - began)


def _start(home: StackDir, service: Service) -> Started:
    _emit(event="starting", service=service.name)
    with (home.logs / f"{service.name}.log").open("ab") as log:
        process = subprocess.Popen(
            service.command,
            env={**os.environ, **service.environment},
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return Started(service, process)


def _wait_until_healthy(home: StackDir, service: Service, started: Sequence[Started], stopping: threading.Event) -> None:
    began, since = time.monotonic(), datetime.now(UTC)
    while time.monotonic() - began < START_SECONDS:
        if stopping.is_set():
            raise StopRequestedError
        _require_all(home, started, " while starting")
        with (
            contextlib.suppress(OSError, ValueError, KeyError),
            urllib.request.urlopen(service.health_url, timeout=5) as answer,  # noqa: S310 - our own http address
        ):
            if service.is_healthy(answer.read(), since) and _is_ours(answer.url):
                _emit(event="healthy", service=service.name, seconds=time.monotonic() - began)
                return
        stopping.wait(0.2)
    raise StackStartError(_tail(home, f"{service.name} was not healthy after {START_SECONDS:.0f} s", service.name))


def _is_ours(url: str) -> bool:
    """Whether a process of this stack listens there, and not a service of another stack."""
    port = urlsplit(url).port
    for process in session_members(os.getsid(0)):
        with contextlib.suppress(psutil.Error):
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections("tcp")):
                return True
    return False


def _tail(home: StackDir, what: str, name: str) -> str:
    log = home.logs / f"{name}.log"
    lines = log.read_text(errors="replace").splitlines()[-15:]
    return f"{what}; the end of {log}:\n" + "\n".join(f"    {line}" for line in lines)


def _write_running(home: StackDir, ports: dict[str, int]) -> None:
    beside = home.running_file.with_suffix(".beside")
    beside.write_text(json.dumps({"session": os.getsid(0), "supervisor": os.getpid(), "ports": ports}))
    beside.replace(home.running_file)


def _wait_for_the_end_of_input(stopping: threading.Event) -> None:
    sys.stdin.buffer.read()
    stopping.set()


def _emit(**event: Any) -> None:
    # The process that reads the events may have ended.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(event), file=_events[0], flush=True)


if __name__ == "__main__":
    main()
