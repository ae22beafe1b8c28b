"""The ports of an embedded stack: chosen so that no two stacks of one person get the same, also when they start at once."""

import contextlib
import fcntl
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import TextIO

from taxiway.errors import ConfigError

PREFERRED_PORTS = {"airflow": 8080, "mlflow": 5000, "gateway": 8500}


class Ports:
    """A port for each service: the usual one where it is free, else last time's (which `file` remembers), else any.

    `by_service` is nobody else's until `release`, or until this process ends: between the choice and the service's own start
    the port is free to the eye, so a lock on a file says that it is taken.
    """

    def __init__(self, file: Path) -> None:
        self.by_service: dict[str, int] = {}
        self._locks: list[TextIO] = []
        last = _remembered(file)
        for service, usual in PREFERRED_PORTS.items():
            wanted = (usual, last[service]) if service in last else (usual,)
            self.by_service[service] = next((port for port in wanted if self._take(port)), 0) or self._take_any()
        file.write_text(json.dumps(self.by_service))

    def release(self) -> None:
        """Let others have the ports."""
        while self._locks:
            self._locks.pop().close()

    def _take(self, port: int) -> bool:
        lock = (private_folder(f"taxiway-ports-{os.getuid()}", 0o700) / f"{port}").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = _is_free(port)
        except BlockingIOError:
            free = False
        if free:
            self._locks.append(lock)
        else:
            lock.close()
        return free

    def _take_any(self) -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if self._take(port):
                return port


def private_folder(name: str, mode: int) -> Path:
    """Our own folder `name` below the system's temporary one. Raises ConfigError where somebody else has put one there."""
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=mode, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder} belongs to somebody else; set TMPDIR to a folder of your own")
    return folder


def _remembered(file: Path) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_text())
        if isinstance(found, dict):
            return {name: port for name, port in found.items() if isinstance(port, int) and 0 < port < 65536}
    return {}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
