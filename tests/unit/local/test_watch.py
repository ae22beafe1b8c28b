"""Parts of a stack that die, hang, and need each other: real processes with a health page."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from helping import free_port, until
from taxiway.errors import StackStartError
from taxiway.local import parts
from taxiway.local.parts import ServicePart, processes_of_part
from taxiway.local.processes import end_all
from taxiway.local.services import Service
from taxiway.local.stack_dir import StackDir
from taxiway.local.watch import Limits, Watch

# The processes of a part are found by its name in the session, which test runs may share.
A, B, NEEDED, SHOWN, TABLES = (f"{name}-{os.getpid()}" for name in ("a", "b", "needed", "shown", "tables"))
LIMITS = Limits(start_s=60, told_s=0.05, hang_s=0.3, restarts=3, within_s=600, look_s=0.05)
# Answers `ok`; with a second argument it has a child that outlives it, like the processes of Airflow's executor.
SERVER = """
import http.server, os, signal, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_): pass
if len(sys.argv) > 2:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Stack:
    """Some parts, the events of their watch, and their processes."""

    def __init__(self, home: Path, *services: Service) -> None:
        self.events: list[tuple[str, str]] = []
        self.names = [service.name for service in services]
        self.watch = Watch([ServicePart(StackDir.at(home), service) for service in services], self._emit, LIMITS)

    def _emit(self, **event: object) -> None:
        self.events.append((str(event["event"]), str(event["service"])))

    def step_until(self, probe: Callable[[], object], what: str) -> None:
        def step() -> object:
            self.watch.step()
            return probe()

        until(step, what, progress=lambda: len(self.events))

    def start(self) -> None:
        self.step_until(lambda: self.watch.ready, "all parts are healthy")
        self.events.clear()

    def recover(self, name: str) -> None:
        self.step_until(lambda: ("healthy", name) in self.events, f"{name} is healthy again")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stack]]:
    monkeypatch.setattr(parts, "_CHECK_SECONDS", 0.2)
    monkeypatch.setattr(parts, "_END_SECONDS", 0.2)
    stacks: list[Stack] = []

    def make(*services: Service) -> Stack:
        stacks.append(Stack(tmp_path / "home", *services))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.watch.close()
        for name in stack.names:
            end_all(lambda name=name: processes_of_part(name))


def server(name: str, *needs: str, children: bool = False, page_of: int | None = None) -> Service:
    """A service; `page_of` is the port of the other service on whose page its health is."""
    port = free_port()
    command = (sys.executable, "-c", SERVER, str(port), *(["children"] if children else []))
    url = f"http://127.0.0.1:{page_of or port}"
    return Service(name, command, {}, needs, url, lambda body, _: body == b"ok", answers_itself=page_of is None)


def send(name: str, number: signal.Signals) -> None:
    for process in processes_of_part(name):
        process.send_signal(number)


def is_dead(process: psutil.Process) -> bool:
    """Whether a killed process is gone, which takes a while on a busy machine, or only waits to be reaped."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_part_that_dies_is_replaced_on_its_port_with_its_children(made: Callable[..., Stack]) -> None:
    stack = made(server(A, children=True), server(B))
    stack.start()
    before = processes_of_part(A)
    assert len(before) == 2, "the server and its child, which outlives it"
    before[0].kill()
    stack.recover(A)
    assert stack.events == [("restarting", A), ("starting", A), ("healthy", A)]
    after = processes_of_part(A)
    assert len(after) == 2
    assert not {p.pid for p in before} & {p.pid for p in after}


def test_a_part_that_hangs_is_named_and_replaced(made: Callable[..., Stack]) -> None:
    stack = made(server(A), server(B))
    stack.start()
    hung = {p.pid for p in processes_of_part(A)}
    send(A, signal.SIGSTOP)
    stack.recover(A)
    assert stack.events == [("unhealthy", A), ("restarting", A), ("starting", A), ("healthy", A)]
    assert not hung & {p.pid for p in processes_of_part(A)}


def test_a_pause_that_ends_in_time_replaces_nothing(made: Callable[..., Stack]) -> None:
    stack = made(server(A))
    stack.start()
    send(A, signal.SIGSTOP)
    stack.step_until(lambda: ("unhealthy", A) in stack.events, "the pause is noticed")
    send(A, signal.SIGCONT)
    stack.step_until(lambda: len(stack.events) > 1, "it is seen that the pause has ended")
    assert stack.events[1] in (("healthy", A), ("restarting", A))  # a slow machine may take too long


def test_a_part_starts_after_what_it_needs_and_is_not_blamed_for_it(made: Callable[..., Stack]) -> None:
    needed = server(NEEDED)
    page = int(needed.health_url.rpartition(":")[2])
    # Listed first: the order of starts is that of the needs. The health of `SHOWN` is on the page of `NEEDED`.
    stack = made(server(B, NEEDED), needed, server(SHOWN, page_of=page))
    stack.step_until(lambda: stack.watch.ready, "all parts are healthy")
    assert stack.events.index(("healthy", NEEDED)) < stack.events.index(("starting", B))
    stack.events.clear()
    send(NEEDED, signal.SIGSTOP)
    stack.recover(NEEDED)
    assert {name for _, name in stack.events} == {NEEDED}

    # Both die: the one that needs the other waits for it.
    stack.events.clear()
    killed = [*processes_of_part(B), *processes_of_part(NEEDED)]
    for process in killed:
        process.kill()
    until(lambda: all(map(is_dead, killed)), "both are dead")
    stack.recover(B)
    assert stack.events.index(("healthy", NEEDED)) < stack.events.index(("starting", B))


def test_a_part_that_dies_again_and_again_ends_the_stack_with_its_log(made: Callable[..., Stack]) -> None:
    stack = made(server(A))
    stack.start()
    for _ in range(LIMITS.restarts):
        send(A, signal.SIGKILL)
        stack.recover(A)
        stack.events.clear()
    send(A, signal.SIGKILL)
    with pytest.raises(StackStartError, match=rf"{A} exited with code -9, and was restarted 3 times .*\n*.*{A}.log"):
        stack.step_until(lambda: stack.events, "it is given up")


def test_a_part_that_dies_while_the_stack_starts_is_an_error_at_once(made: Callable[..., Stack]) -> None:
    broken = Service(A, (sys.executable, "-c", "raise SystemExit('no disk')"), {}, (), "http://127.0.0.1:1")
    stack = made(broken)
    with pytest.raises(StackStartError, match=rf"{A} exited with code 1 while starting; the end of .*{A}.log:\n    no disk"):
        stack.step_until(lambda: False, "it is noticed")


def test_a_command_that_ends_by_itself_is_healthy_when_it_has_succeeded(made: Callable[..., Stack]) -> None:
    stack = made(Service(TABLES, (sys.executable, "-c", ""), {}, ()), server(B, TABLES))
    stack.step_until(lambda: stack.watch.ready, "all parts are healthy")
    assert stack.events.index(("healthy", TABLES)) < stack.events.index(("starting", B))
