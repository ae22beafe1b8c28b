"""The ports of an embedded stack, chosen so that two stacks of a user never get the same, even if they start at once."""

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
    """A port for each service: the usual one if it is free, else the port of the last start, else any free port.

    A lock on a file reserves each port until `release`, or until this process ends, because the service binds it only later.

    Args:
        file: The file that remembers the ports of the last start.
    """

    def __init__(self, file: Path) -> None:
        self.by_service: dict[str, int] = {}
        self._locks: list[TextIO] = []
        last = remembered_ports(file)
        for service, usual in PREFERRED_PORTS.items():
            wanted = (usual, last[service]) if service in last else (usual,)
            self.by_service[service] = next((port for port in wanted if self._take(port)), 0) or self._take_any()
        file.write_text(json.dumps(self.by_service))

    def release(self) -> None:
        """Release the reserved ports."""
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
    """Create a private folder below the system's temporary folder.

    Raises:
        ConfigError: Another user has created it.
    """
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=mode, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder} belongs to another user; set TMPDIR to a folder of your own")
    return folder


def remembered_ports(file: Path) -> dict[str, int]:
    """The ports of the last start, by service; empty if there was none."""
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
