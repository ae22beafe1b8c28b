"""What commands find by themselves, and what they ask for."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from taxiway.cli.main import main


@pytest.fixture(autouse=True)
def nothing_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("command", [("history", "a.b"), ("lineage", "model", "a.b"), ("rollback", "a.b", "--reason", "r")])
def test_without_a_server_or_a_stack_the_ways_to_name_one_are_listed(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command)
    assert done.exit_code == 2
    assert "--tracking-uri URL" in done.output
    assert "MLFLOW_TRACKING_URI" in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["rollback", "retire"])
def test_what_moves_the_champion_needs_a_reason(command: str) -> None:
    done = run(command, "a.b", "--tracking-uri", "http://127.0.0.1:1", "--reason", " ")
    assert done.exit_code == 2
    assert "--reason is empty" in done.output


def test_status_without_a_stack_names_the_folder_and_makes_nothing(tmp_path: Path) -> None:
    done = run("status", "--home", "elsewhere")
    assert (done.exit_code, "no stack runs in elsewhere" in done.output) == (1, True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "running.json").write_text(
        '{"supervisor": 999999999, "session": 999999999}'
    )  # of a stack that was killed
    assert run("status", "--home", "own").exit_code == 1
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["running.json"]


def test_the_local_runs_of_this_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / ".taxiway" / "local").mkdir(parents=True)
    (tmp_path / ".taxiway" / "local" / "mlflow.db").touch()
    command = main.commands["history"]
    (option,) = [parameter for parameter in command.params if parameter.name == "tracking_uri"]
    assert option.process_value(click.Context(command), None) == f"sqlite:///{tmp_path}/.taxiway/local/mlflow.db"


def test_a_missing_driver_is_a_sentence_without_the_password() -> None:
    done = run("lineage", "data", "m", "--tracking-uri", "mysql+pymysql://user:secret@127.0.0.1:1/x")
    assert done.exit_code == 1
    assert "needs a package that is not installed here (No module named 'pymysql')" in done.output
    assert "secret" not in done.output
