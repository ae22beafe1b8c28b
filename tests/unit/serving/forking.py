"""Processes that are forked from one that has imported what each of them needs: the imports take more than a second."""

import functools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from select import select

from ending import dies_with_us
from helping import PATIENCE_S

# Each process has a parent of its own, which reports its number and then its status. All of them end with the process that asks.
_FORKS = """
import json, os, socket, sys, types
import mlflow, taxiway.serving.gateway.server, taxiway.serving.workers.serve_version
from ending import dies_with_us

def run(code, environment):
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv[1:] = []
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    exec(code, main.__dict__)

def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass

asks = socket.socket(fileno=int(sys.argv[1]))
while (asked := socket.recv_fds(asks, 1 << 20, 2))[0]:
    reap()
    output, reports = asked[1]
    if os.fork() == 0:
        dies_with_us()
        asks.close()
        child = os.fork()
        if child == 0:
            dies_with_us()
            os.close(reports), os.dup2(output, 1), os.dup2(output, 2), os.close(output)
            run(**json.loads(asked[0]))
            break
        os.close(output)
        os.write(reports, str(child).encode())
        os.write(reports, str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
        os._exit(0)
    os.close(output), os.close(reports)
"""


class Forked:
    """A process that runs some code, with methods as those of `subprocess.Popen`.

    Args:
        code: The code of its main module.
        environment: Its environment variables.
        output: The file that it writes to.
    """

    def __init__(self, code: str, environment: Mapping[str, str], output: int) -> None:
        self._reports, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            asked = json.dumps({"code": code, "environment": dict(environment)})
            socket.send_fds(_forks(), [asked.encode()], [output, its.fileno()])
        self.returncode: int | None = None
        self.pid = self._reported(PATIENCE_S)

    def _reported(self, timeout_s: float) -> int | None:
        if not select([self._reports], [], [], timeout_s)[0]:
            return None
        reported = self._reports.recv(100)
        assert reported, "the process that forks has ended"
        return int(reported)

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        if self.returncode is None:
            self.returncode = self._reported(0)
        return self.returncode

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait until it ends, and return its exit status."""
        if self.returncode is None:
            self.returncode = self._reported(timeout_s)
        assert self.returncode is not None, f"process {self.pid} has not ended"
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


@functools.cache
def _forks() -> socket.socket:
    """Ask the process that forks, which is started for the first of them."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        subprocess.Popen(
            [sys.executable, "-c", _FORKS, str(its.fileno())],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[its.fileno()],
            preexec_fn=dies_with_us,
        )
    return ours
