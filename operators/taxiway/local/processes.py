"""Stops all processes of a session, first with SIGTERM and then with SIGKILL."""

import contextlib
import os
import time
from collections.abc import Callable

import psutil

TERM_SECONDS = 8.0


def session_members(session: int) -> list[psutil.Process]:
    """The processes of a session, without its leader and without this process."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.pid not in (session, os.getpid()) and os.getsid(process.pid) == session:
                found.append(process)
    return found


def end_all(members: Callable[[], list[psutil.Process]], patience: float = TERM_SECONDS) -> None:
    """Stop processes until none is left.

    Args:
        members: Returns the processes; called repeatedly, because a process may start another one while it is being stopped.
        patience: The seconds between SIGTERM and SIGKILL.
    """
    _signal(members(), "terminate")
    deadline = time.monotonic() + patience
    while (left := members()) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.2)
    while left := members():
        _signal(left, "kill")
        psutil.wait_procs(left, timeout=1)


def _signal(processes: list[psutil.Process], verb: str) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            getattr(process, verb)()
