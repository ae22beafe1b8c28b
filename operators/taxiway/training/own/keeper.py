"""A script that runs a program and ends it, with all processes that it started, when it exits or when standard input closes.

The trainer starts it as a process of its own: standard input closes however the trainer ends, even if it is killed. It uses only the
standard library, and starts in a moment.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

CANNOT_START = 126
"""The exit code if the program cannot be started, as that of a shell."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(command: Sequence[str]) -> int:
    """Run a command; returns its exit code, or minus the number of the signal that ended it."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)  # so that processes whose parent has ended become children of this one
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        )
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", flush=True)
        return CANNOT_START

    def end_with_trainer() -> None:
        sys.stdin.read()
        process.kill()

    threading.Thread(target=end_with_trainer, daemon=True).start()
    code = process.wait()
    _end_children()
    return code


def _end_children() -> None:
    """Kill the children until there are none: killing one makes its children ours."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _children() -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parent = (
                (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1] if folder.name.isdecimal() else ""
            )
            if parent == str(os.getpid()):
                yield int(folder.name)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    if status < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    # Not sys.exit: it would wait for the thread that reads standard input.
    sys.stdout.flush()
    os._exit(status)
