"""What a gateway depends on fails, and callers misbehave, while others go on asking."""

import os
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from registries import Registry
from running import ADMIN, CALLER, Running
from traffic import Traffic

from ending import undone
from helping import PATIENCE_S, require, until

IDLE = 1000
_USUAL_FILES = 1024  # the limit of open files that most systems give to a process
DAY_S = 86_400


def test_no_request_fails_while_mlflow_is_away(serve: Any, mlflow_url: str) -> None:
    registry = Registry(mlflow_url)
    with registry.answering():
        gateway, model = serve(tracking_uri=registry.url)

    def is_away() -> bool:
        return gateway.admin.status(model).registry_away_since is not None

    with Traffic(gateway, model) as traffic:
        until(is_away, "the outage is noticed")
        traffic.more(20)
        with registry.answering():
            until(lambda: not is_away(), "the registry is back")
            traffic.more(20)
    traffic.check()
    traffic.check_log(gateway.state)


@contextmanager
def no_larger_files(gateway: Running) -> Iterator[None]:
    before = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def full_disk(gateway: Running) -> Iterator[None]:
    fill = gateway.state / "fill"
    with fill.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)
    yield
    fill.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    require("mount", done.returncode == 0, f"a file system cannot be mounted: {done.stderr}")
    with undone("umount", "--lazy", str(folder)):
        yield folder
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("fault", [no_larger_files, full_disk])
def test_requests_that_cannot_be_logged_are_refused_until_there_is_space(
    serve: Any, small_disk: Path, fault: Callable[[Running], Any]
) -> None:
    gateway, model = serve(small_disk / "state")
    with Traffic(gateway, model) as traffic:
        with fault(gateway):
            traffic.more(20, "refused")
            assert "requests are refused" in gateway.admin.status(model).problem
            assert gateway.http.get(f"{gateway.url}/ready").status_code == 503
        traffic.more(20)
    until(lambda: gateway.http.get(f"{gateway.url}/ready").status_code == 200, "it is ready again, without a request")
    assert not gateway.admin.status(model).problem
    assert all("the answer could not be logged" in message for message in traffic.refusals)
    traffic.check(refused=None)
    traffic.check_log(gateway.state)
    gateway.stop()


def deleted(log: Path) -> None:
    for path in log.parent.glob(f"{log.name}*"):
        path.unlink()


def overwritten(log: Path) -> None:
    log.write_bytes(b"not a database, but long enough to have pages " * 2000)


def emptied(log: Path) -> None:
    os.truncate(log, 0)


@pytest.mark.parametrize("damage", [deleted, overwritten, emptied])
def test_a_log_that_is_lost_costs_no_request_and_no_later_answer(
    gateway: Running, model: str, damage: Callable[[Path], None]
) -> None:
    with Traffic(gateway, model) as traffic:
        for _ in range(2):
            traffic.more(50)
            damage(gateway.state / "requests.sqlite")
            damaged_at = traffic.now()
        traffic.more(50)
    traffic.check()
    traffic.check_log(gateway.state, after=damaged_at)
    assert not gateway.admin.status(model).problem


def test_a_clock_that_jumps_costs_no_request_and_no_label(serve: Any, tmp_path: Path) -> None:
    clock = tmp_path / "clock"

    def jump(seconds: float) -> None:
        clock.with_suffix(".new").write_text(str(seconds))
        clock.with_suffix(".new").replace(clock)

    jump(0)
    gateway, model = serve(clock=clock)
    asked, days = [], set()
    with Traffic(gateway, model) as traffic:
        for seconds in (DAY_S, -DAY_S, 0):
            jump(seconds)
            traffic.more(20)
            asked.append(gateway.ask(model, 0.5).headers["X-Taxiway-Request-Id"])
            days.add(round((int(asked[-1][:12], 16) / 1000 - time.time()) / DAY_S))
    assert days == {1, -1, 0}, "the id of a request begins with its time"
    labels = {"labels": [{"request_id": request_id, "label": 1} for request_id in asked]}
    url, headers = f"{gateway.url}/models/{model}/feedback", {"Authorization": f"Bearer {ADMIN}"}
    assert gateway.http.post(url, json=labels, headers=headers).json()["recorded"] == len(asked)
    traffic.check()
    traffic.check_log(gateway.state)


def test_slow_callers_and_idle_connections_hold_up_nobody(serve: Any) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({_USUAL_FILES}, {2 * _USUAL_FILES}))\n"
    gateway, model = serve(before=limit, request_timeout_s=PATIENCE_S)
    address = ("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection(address)) for _ in range(20)]
        for _ in range(IDLE):
            opened.enter_context(socket.create_connection(address))
        body = b'{"dataframe_records": [{"x": 0.25}]}'
        head = f"POST /models/{model}/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CALLER}\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for each in slow:
            each.sendall(request[:-20])
        dripping = threading.Thread(target=drip, args=(slow, request[-20:]))
        with Traffic(gateway, model) as traffic:
            dripping.start()
            traffic.more(100)
            dripping.join()
            traffic.more(20)
        assert all(b"0.75" in each.recv(65536) for each in slow)
    traffic.check()
    traffic.check_log(gateway.state)


def drip(connections: list[socket.socket], rest: bytes) -> None:
    """Send a byte on each connection every 100 ms."""
    for at in range(len(rest)):
        for each in connections:
            each.sendall(rest[at : at + 1])
        time.sleep(0.1)
