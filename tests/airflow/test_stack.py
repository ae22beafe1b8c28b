"""The embedded stack's processes: whatever ends it, nothing of it is left."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest_airflow import processes_of
from rich.console import Console

from ending import dies_with_us, undone
from helping import PATIENCE_S, until
from taxiway.cli import main
from taxiway.demo.answers import CheckedLog
from taxiway.demo.report import print_table
from taxiway.demo.run import _problem
from taxiway.demo.scenarios import PIPELINE, UNGUARDED
from taxiway.errors import ConfigError, TransientError
from taxiway.local.console import print_error
from taxiway.local.ports import PREFERRED_PORTS, Ports
from taxiway.local.postgres.server import Postgres
from taxiway.local.processes import end_all, session_members
from taxiway.local.services import _health_check
from taxiway.local.stack_dir import StackDir
from taxiway.records import Outcome, RunSummary, Span
from taxiway.registry.champions import ChampionInfo
from taxiway.serving.answer_check import AnswerCheck
from taxiway.serving.replay import ReplayResult


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    (tmp_path / "dags").mkdir()
    with undone(sys.executable, "-m", "taxiway.cli", "down", "--home", str(folder)):
        yield folder
    left = processes_of(folder) + Postgres(folder / "postgres").processes()
    end_all(lambda: [p for p in left if p.is_running()], patience=1)
    assert left == []


def up(home: Path) -> list[str]:
    return [sys.executable, "-m", "taxiway.cli", "up", "--home", str(home), "--dags", str(home.parent / "dags")]


def start(home: Path, what: str = "services") -> "subprocess.Popen[str]":
    """`taxiway up`, waited for until its services, or only its supervisor, are being started."""
    process = subprocess.Popen(
        up(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=dies_with_us
    )
    if what == "supervisor":
        until((home / "running.json").exists, "the supervisor starts PostgreSQL", progress=lambda: processes_of(home))
        return process
    until((home / "logs" / "airflow-tables.log").exists, "the services are being started", progress=lambda: processes_of(home))
    until(lambda: len(processes_of(home)) >= 5, "all services have processes", progress=lambda: processes_of(home))
    return process


@pytest.mark.parametrize(
    ("number", "started"),
    [
        (signal.SIGINT, "supervisor"),
        (signal.SIGHUP, "supervisor"),
        (signal.SIGTERM, "services"),
        (signal.SIGKILL, "services"),
    ],
)
def test_nothing_is_left_after_a_signal_to_the_command(home: Path, number: signal.Signals, started: str) -> None:
    process = start(home, started)
    process.send_signal(number)
    shown, errors = process.communicate(timeout=PATIENCE_S)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "all processes have ended" in shown
        assert errors == ""
    until(lambda: processes_of(home) == [], "every process is gone", progress=lambda: processes_of(home))
    assert not (home / "running.json").exists()


def test_a_start_opens_no_folder_refuses_a_second_one_and_is_stopped_from_another_terminal(home: Path) -> None:
    home.parent.chmod(0o700)
    outside = [home.parent, *home.parent.parents]
    before = [folder.stat().st_mode for folder in outside]
    process = start(home)
    shown = CliRunner().invoke(main, up(home)[3:])
    assert shown.exit_code == 1
    assert "a stack already runs" in shown.output
    shown = CliRunner().invoke(main, ["down", "--home", str(home)])
    assert (shown.exit_code, shown.output) == (0, "stopped\n")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert "another command, such as `taxiway down`, stopped the stack" in errors
    assert process.returncode == 1
    assert processes_of(home) == []
    shown = CliRunner().invoke(main, ["down", "--home", str(home)])
    assert shown.output == f"no stack is running in {home}\n"
    assert [folder.stat().st_mode for folder in outside] == before
    for folder in (home / "logs", home / "gateway", home / "postgres"):
        assert folder.stat().st_mode & 0o777 == 0o700, folder


def test_down_clears_away_what_a_killed_supervisor_left(home: Path) -> None:
    process = start(home)
    supervisor = json.loads((home / "running.json").read_text())["supervisor"]
    process.kill()
    os.kill(supervisor, signal.SIGKILL)
    process.wait(PATIENCE_S)
    assert processes_of(home)
    assert CliRunner().invoke(main, ["down", "--home", str(home)]).output == "stopped\n"
    assert processes_of(home) == []


def test_a_start_that_fails_says_why_and_leaves_nothing(home: Path) -> None:
    (StackDir.at(home).airflow / "airflow.cfg").write_text("a line outside of any section\n")
    done = subprocess.run(up(home), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert "the stack did not start: airflow-tables exited with code 1 while starting" in done.stderr
    assert "File contains no section headers" in done.stderr
    assert "taxiway/local" not in done.stderr, "Airflow's log, and no traceback of ours"
    assert processes_of(home) == []


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["up", "--home", str(tmp_path / "home"), "--dags", str(tmp_path / "nothing")])
    assert shown.exit_code == 1
    assert "is not a folder" in shown.output
    assert not (tmp_path / "home").exists()
    assert CliRunner().invoke(main, ["down", "--home", str(tmp_path / "nowhere")]).exit_code == 2


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    home = StackDir.at(tmp_path / "home")
    first = home.secrets()
    assert home.secrets() == first
    assert len({first.airflow_password, first.gateway_caller_token, first.gateway_admin_token, first.airflow_jwt_secret}) == 4
    for path in (home.root / "secrets.json", home.passwords_file):
        assert path.stat().st_mode & 0o777 == 0o600


def chosen(file: Path) -> dict[str, int]:
    """Which ports a stack would get, without keeping them."""
    ports = Ports(file)
    ports.release()
    return ports.by_service


def test_a_taken_port_is_not_chosen_until_it_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        usual = taken.getsockname()[1]
        monkeypatch.setitem(PREFERRED_PORTS, "mlflow", usual)
        first = chosen(tmp_path / "ports.json")
        assert first["mlflow"] != usual
        assert len(set(first.values())) == len(first)
    assert chosen(tmp_path / "ports.json")["mlflow"] == usual


def test_two_stacks_that_start_at_once_get_different_ports(tmp_path: Path) -> None:
    first, second = Ports(tmp_path / "a"), Ports(tmp_path / "b")
    first.release()
    second.release()
    assert not set(first.by_service.values()) & set(second.by_service.values())


@pytest.mark.parametrize("broken", ["", "{", "[1]", '{"mlflow": "5000", "gateway": -1}'])
def test_a_broken_file_of_ports_is_no_file(tmp_path: Path, broken: str) -> None:
    (tmp_path / "ports.json").write_text(broken)
    ports = chosen(tmp_path / "ports.json")
    assert json.loads((tmp_path / "ports.json").read_text()) == ports


@pytest.mark.parametrize("name", ["a home", "it's", "$HOME", "100%", "[x]"])
def test_a_home_that_postgres_or_airflow_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="give another folder: --home"):
        StackDir.at(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_postgres_that_does_not_start_shows_its_log(home: Path) -> None:
    data = home / "postgres"
    postgres = Postgres(data)
    home.mkdir()
    postgres.start(["one"])
    postgres.stop()
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(TransientError, match="no_such_setting"):
        Postgres(data).start(["one"])


@pytest.mark.skipif(os.geteuid() != 0, reason="the data of root's PostgreSQL are kept elsewhere")
def test_a_home_keeps_its_databases_when_it_is_moved_and_shares_them_with_no_copy(home: Path) -> None:
    home.mkdir()

    def start_and_stop(home: Path) -> Path:
        postgres = Postgres(home / "postgres")
        postgres.start(["one"])
        postgres.stop()
        return (home / "postgres").readlink()

    first = start_and_stop(home)
    copy = home.with_name("copy")
    shutil.copytree(home, copy, symlinks=True)
    with pytest.raises(ConfigError, match="is a copy of"):
        start_and_stop(copy)
    shutil.rmtree(home)
    assert start_and_stop(copy) == first, "without the first one it is not a copy but the home, moved"
    shutil.rmtree(copy)
    home.mkdir()
    assert start_and_stop(home) != first
    assert not first.exists(), "a temporary home is gone, and its databases stay"


def test_errors_are_printed_as_they_are() -> None:
    shown = io.StringIO()
    print_error(Console(file=shown, width=20), "[info ] [/home/x] is the end of a log that is longer than a line")
    assert shown.getvalue() == "[info ] [/home/x] is the end of a log that is longer than a line\n"


def test_the_demonstration_refuses_at_once_what_it_cannot_do(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["demo", "--home", str(tmp_path / "home"), "--dags", str(tmp_path)])
    assert shown.exit_code == 1
    assert "late_arrivals.pipeline.yaml of the demonstration does not exist" in shown.output
    dags = Path(__file__).parents[2] / "dags"
    report = ["--report", str(tmp_path / "nowhere" / "x.json")]
    shown = CliRunner().invoke(main, ["demo", "--home", str(tmp_path / "home"), "--dags", str(dags), *report])
    assert shown.exit_code == 1
    assert "nowhere is not a folder" in shown.output
    assert not (tmp_path / "home").exists()


def test_health_is_seen_rather_than_assumed() -> None:
    now = datetime.now(UTC)

    def health(**changes: object) -> bytes:
        beat = (now + timedelta(seconds=1)).isoformat()
        parts = {n: {"status": "healthy", f"latest_{n}_heartbeat": beat} for n in ("scheduler", "dag_processor", "triggerer")}
        return json.dumps({"metadatabase": {"status": "healthy"}, **parts, **changes}).encode()

    for part in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert _health_check(part)(health(), now)
    assert not _health_check("api-server")(health(metadatabase={"status": "unhealthy"}), now)
    assert not _health_check("scheduler")(health(scheduler={"status": "unhealthy", "latest_scheduler_heartbeat": None}), now)
    last_start = (now - timedelta(seconds=5)).isoformat()
    assert not _health_check("triggerer")(
        health(triggerer={"status": "healthy", "latest_triggerer_heartbeat": last_start}), now
    )


def test_end_all_kills_who_ignores_a_polite_request(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = (
        f"import signal, time, pathlib; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    leader = subprocess.Popen([sys.executable, "-c", f"import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {stubborn!r}]); p.wait()"], start_new_session=True)  # fmt: skip
    until(ready.exists, "the process has started")
    end_all(lambda: session_members(leader.pid), patience=0.5)
    leader.wait(PATIENCE_S)
    assert session_members(leader.pid) == []


def decided(month: str, outcome: Outcome, version: int | None, reasons: int = 1) -> RunSummary:
    span = Span(source="flights", name=month, rows=1, content="0" * 64)
    said = tuple(f"reason {number}" for number in range(1, reasons + 1))
    return RunSummary(pipeline=PIPELINE, run=month, span=span, outcome=outcome, reasons=said, version=version, mlflow_run="run")


def test_the_demonstration_asks_for_its_champion_only_where_it_promoted_one_now() -> None:
    found = (
        decided("2013-04", Outcome.FIRST_CHAMPION, 1),
        decided("2013-05", Outcome.PROMOTED, 2),
        decided("2013-06", Outcome.BLOCKED, None),
        decided("2013-04", Outcome.REJECTED, 1).model_copy(update={"pipeline": UNGUARDED}),
    )
    rolled_back = ChampionInfo(PIPELINE, 1, None, None)
    assert _problem(found, rolled_back, None, None) == ""
    traffic = ReplayResult(sent=9, answered=9, errors=0, lost=0)
    assert _problem(found, rolled_back, traffic, None) == "the champion is version 1, expected version 2"
    assert _problem(found, None, traffic, None) == "the champion is none, expected version 2"
    promoted = ChampionInfo(PIPELINE, 2, None, None)
    assert _problem(found, promoted, traffic, None) == "the answers in the gateway's log were not checked"
    few = CheckedLog(AnswerCheck(8, 8), AnswerCheck(0, 0))
    assert _problem(found, promoted, traffic, few) == "9 requests were answered, but the log has 8 answers"
    assert _problem(found, promoted, traffic, CheckedLog(AnswerCheck(9, 9), AnswerCheck(5, 5))) == ""
    wrong = CheckedLog(AnswerCheck(9, 9), AnswerCheck(5, 3, "version 2 answered request r1 with [[1, 0]]"))
    assert _problem(found, promoted, traffic, wrong).startswith(
        "2 of 5 logged answers of the challenger differ from what the model computes;"
    )
    assert _problem(found[:2], None, None, None).startswith(
        f"the outcome of {PIPELINE} on 2013-06 is missing, expected BLOCKED"
    )
    assert _problem(found[:3], None, None, None).startswith(
        f"the outcome of {UNGUARDED} on 2013-04 is missing, expected REJECTED"
    )


def test_the_table_names_the_first_reasons_of_a_blocked_run() -> None:
    shown = io.StringIO()
    found = [decided("2013-06", Outcome.BLOCKED, None, reasons=9), decided("2013-05", Outcome.PROMOTED, 2, reasons=9)]
    print_table(Console(file=shown, width=100), found, None, None)
    blocked, promoted = shown.getvalue().split("2013-05")
    assert "reason 5 " in blocked
    assert "reason 6" not in blocked
    assert "and 4 more, in the log of validate_data" in blocked
    assert "reason 9 " in promoted
