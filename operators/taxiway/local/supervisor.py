"""The supervisor: a process in its own session that starts the services of a stack, watches them, and stops them.

`taxiway up` starts it and holds its standard input open; when that closes, for any reason, the supervisor stops everything. It writes
its events to standard output, one JSON object per line.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from taxiway.local.parts import DATABASES, PostgresPart, ServicePart
from taxiway.local.postgres.server import Postgres
from taxiway.local.processes import end_all, session_members
from taxiway.local.services import POSTGRES, services
from taxiway.local.stack_dir import StackDir
from taxiway.local.stack_spec import StackSpec
from taxiway.local.watch import Watch

_STEP_SECONDS = 0.2
_events: list[TextIO] = []


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
    _emit(event="starting", service=POSTGRES)
    databases = postgres.start(DATABASES)
    _emit(event="healthy", service=POSTGRES, seconds=time.monotonic() - began)
    parts = (ServicePart(home, service) for service in services(home, spec, databases))
    watch = Watch([PostgresPart(postgres), *parts], _emit, healthy=(POSTGRES,))
    try:
        told = False
        while not stopping.wait(_STEP_SECONDS):
            watch.step()
            if watch.ready and not told:
                told = True
                _emit(event="ready", seconds=time.monotonic() - began)
    finally:
        watch.close()


def _write_running(home: StackDir, ports: dict[str, int]) -> None:
    beside = home.running_file.with_suffix(".beside")
    beside.write_text(json.dumps({"session": os.getsid(0), "supervisor": os.getpid(), "ports": ports}))
    beside.replace(home.running_file)


def _wait_for_the_end_of_input(stopping: threading.Event) -> None:
    sys.stdin.buffer.read()
    stopping.set()


def _emit(**event: Any) -> None:
    print(datetime.now(UTC).isoformat(timespec="seconds"), json.dumps(event), file=sys.stderr, flush=True)
    # The process that reads the events may have ended.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(event), file=_events[0], flush=True)


if __name__ == "__main__":
    main()
