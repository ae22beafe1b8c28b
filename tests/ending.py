"""Processes and containers that end with the test run, also if that is killed."""

import contextlib
import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helping import PATIENCE_S

_KEEPER = (sys.executable, str(Path(__file__).with_name("keeper.py")))
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def dies_with_us() -> None:
    """As `preexec_fn`: kill the process when the one that starts it dies, and let it obey SIGINT.

    A shell without a terminal lets what it starts in the background ignore SIGINT, and children inherit that.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def keeper(*command: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Run a command that starts processes of its own; all of them end when the keeper's standard input closes."""
    return subprocess.Popen([*_KEEPER, "run", *command], start_new_session=True, **{"stdin": subprocess.PIPE, **options})


@contextlib.contextmanager
def kept(*command: str, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command that starts processes of its own; all of them end with the block, or with this process."""
    running = keeper(*command, **options)
    try:
        yield running
    finally:
        assert running.stdin is not None
        running.stdin.close()
        running.wait(PATIENCE_S)


@contextlib.contextmanager
def undone(*command: str) -> Iterator[None]:
    """Run a command if this process ends before the block does: for what no process of ours can hold, such as containers."""
    waiting = subprocess.Popen([*_KEEPER, "then", *command], stdin=subprocess.PIPE, start_new_session=True, text=True)
    try:
        yield
    finally:
        waiting.communicate("done")
