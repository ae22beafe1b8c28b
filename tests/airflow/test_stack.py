"""The embedded stack's processes: whatever ends it, nothing of it is left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest_airflow import processes_of

from taxiway.cli import main
from taxiway.local.home import Home
from taxiway.local.processes import end_all, session_members
from taxiway.local.services import _well


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    (tmp_path / "dags").mkdir()
    yield folder
    left = processes_of(folder)
    end_all(lambda: [p for p in left if p.is_running()], patience=1)
    assert left == []


def start(home: Path) -> "subprocess.Popen[bytes]":
    """`taxiway up`, waited for until the services are being started."""
    command = [sys.executable, "-m", "taxiway.cli", "up", "--home", str(home), "--dags", str(home.parent / "dags")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_until((home / "logs" / "airflow-tables.log").exists, "the services are being started")
    wait_until(lambda: len(processes_of(home)) >= 5, "all services have processes")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_after_a_signal_to_the_command(home: Path, number: signal.Signals) -> None:
    process = start(home)
    process.send_signal(number)
    process.wait(60)
    wait_until(lambda: processes_of(home) == [], "every process is gone")
    assert not (home / "running.json").exists()


def test_down_stops_a_stack_from_another_terminal(home: Path) -> None:
    process = start(home)
    shown = CliRunner().invoke(main, ["down", "--home", str(home)])
    assert (shown.exit_code, shown.output) == (0, "stopped\n")
    process.wait(30)
    assert processes_of(home) == []
    shown = CliRunner().invoke(main, ["down", "--home", str(home)])
    assert shown.output == f"no stack runs in {home}\n"


def test_down_clears_away_what_a_killed_supervisor_left(home: Path) -> None:
    process = start(home)
    supervisor = json.loads((home / "running.json").read_text())["supervisor"]
    process.kill()
    os.kill(supervisor, signal.SIGKILL)
    process.wait(10)
    assert processes_of(home)
    assert CliRunner().invoke(main, ["down", "--home", str(home)]).output == "stopped\n"
    assert processes_of(home) == []


def test_a_second_stack_in_the_same_folder_is_refused(home: Path) -> None:
    process = start(home)
    arguments = ["up", "--home", str(home), "--dags", str(home.parent / "dags")]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 1
    assert "a stack already runs" in shown.output
    process.send_signal(signal.SIGINT)
    process.wait(60)


def test_a_start_that_fails_says_why_and_leaves_nothing(home: Path) -> None:
    (Home.at(home).gateway / "requests.sqlite").mkdir()
    command = [sys.executable, "-m", "taxiway.cli", "up", "--home", str(home), "--dags", str(home.parent / "dags")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "the stack did not start: gateway ended with code 3 while starting" in done.stderr
    assert "unable to open database file" in done.stderr
    assert "Traceback" not in done.stderr
    assert processes_of(home) == []


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["up", "--home", str(tmp_path / "home"), "--dags", str(tmp_path / "nothing")])
    assert shown.exit_code == 1
    assert "is not a folder" in shown.output
    assert CliRunner().invoke(main, ["down", "--home", str(tmp_path / "nowhere")]).exit_code == 2


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    first = home.secrets()
    assert home.secrets() == first
    assert len({first.airflow_password, first.gateway_caller_token, first.gateway_admin_token, first.airflow_jwt_secret}) == 4
    for path in (home.root / "secrets.json", home.passwords_file):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_not_chosen(tmp_path: Path) -> None:
    import socket

    home = Home.at(tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", home.choose_ports()["mlflow"]))
        taken.listen()
        ports = home.choose_ports()
        assert ports["mlflow"] != taken.getsockname()[1]
    assert len(set(ports.values())) == len(ports)


def test_health_is_seen_rather_than_assumed() -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)

    def health(**changes: object) -> bytes:
        beat = (now + timedelta(seconds=1)).isoformat()
        parts = {n: {"status": "healthy", f"latest_{n}_heartbeat": beat} for n in ("scheduler", "dag_processor", "triggerer")}
        return json.dumps({"metadatabase": {"status": "healthy"}, **parts, **changes}).encode()

    for part in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert _well(part)(health(), now)
    assert not _well("api-server")(health(metadatabase={"status": "unhealthy"}), now)
    assert not _well("scheduler")(health(scheduler={"status": "unhealthy", "latest_scheduler_heartbeat": None}), now)
    last_start = (now - timedelta(seconds=5)).isoformat()
    assert not _well("triggerer")(health(triggerer={"status": "healthy", "latest_triggerer_heartbeat": last_start}), now)


def test_end_all_kills_who_ignores_a_polite_request(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = (
        f"import signal, time, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    leader = subprocess.Popen([sys.executable, "-c", f"import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {stubborn!r}]); p.wait()"], start_new_session=True)  # fmt: skip
    wait_until(ready.exists, "the process has started")
    end_all(lambda: session_members(leader.pid), patience=0.5)
    leader.wait(10)
    assert session_members(leader.pid) == []
