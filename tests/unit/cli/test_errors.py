"""What the command line shows of an error: a message for the user's mistakes, a traceback for a bug."""

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helping import free_port
from taxiway.cli import main
from taxiway.errors import TerminalError, TransientError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets `taxiway lint FILE` fail with an error of the test's choice."""

    def fail_with(error: BaseException) -> None:
        def raising(_: object) -> None:
            raise error

        monkeypatch.setattr("taxiway.cli.lint.pipeline_files", raising)

    return fail_with


def lint(path: Path, *before: str) -> Any:
    path.touch()
    return CliRunner().invoke(main, [*before, "lint", str(path)])


@pytest.mark.parametrize("error", [TerminalError("no such model"), TransientError("no such model")])
def test_our_errors_are_a_message(failing: Any, tmp_path: Path, error: Exception) -> None:
    failing(error)
    shown = lint(tmp_path / "x.yaml")
    assert (shown.exit_code, shown.output) == (1, "taxiway: no such model\n")
    assert "Traceback" in lint(tmp_path / "x.yaml", "--debug").output


def test_an_interrupted_command_has_the_exit_code_of_shells(failing: Any, tmp_path: Path) -> None:
    failing(KeyboardInterrupt())
    shown = lint(tmp_path / "x.yaml")
    assert (shown.exit_code, shown.output) == (130, "taxiway: interrupted\n")


def test_an_interrupt_while_modules_are_imported_is_no_traceback() -> None:
    script = """
import sys
from taxiway.__main__ import main

class Interrupting:
    def find_spec(self, name, *_):
        if name == "taxiway.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
main()
"""
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (130, "taxiway: interrupted\n")


@pytest.mark.parametrize("command", ["profile", "validate"])
def test_an_output_that_cannot_be_written_is_a_message(command: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n")
    (tmp_path / "x.schema.yaml").write_text("features:\n  a: {type: number}\n")
    options = {"profile": ["-o"], "validate": ["--schema", str(tmp_path / "x.schema.yaml"), "--report"]}[command]
    shown = CliRunner().invoke(main, [command, str(tmp_path / "x.csv"), *options, "/proc/x.html"])
    assert shown.exit_code != 0
    assert "/proc/x.html cannot be written: no such file or directory; give another file" in shown.output


@pytest.mark.parametrize("command", ["profile", "validate"])
def test_a_server_that_does_not_answer_is_a_message(command: str, tmp_path: Path) -> None:
    schema = tmp_path / "x.schema.yaml"
    schema.write_text("features:\n  a: {type: number}\n")
    options = ["--schema", str(schema)] if command == "validate" else []
    shown = CliRunner().invoke(main, [command, f"http://127.0.0.1:{free_port()}/x.csv", *options])
    assert shown.exit_code == 1
    assert "x.csv cannot be read (" in shown.output
    assert "Traceback" not in shown.output


def test_a_file_that_the_user_named_is_the_users(failing: Any, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "x.yaml"
    file.parent.mkdir()
    for named in (file, file.parent, file.with_name("y.yaml").parent):
        failing(FileNotFoundError(errno.ENOENT, "No such file or directory", str(named)))
        shown = lint(file)
        assert shown.exit_code == 1
        assert shown.output == f"taxiway: {named}: no such file or directory\n"


def test_what_the_machine_denies_is_a_message(failing: Any, tmp_path: Path) -> None:
    failing(OSError(errno.ENOSPC, "No space left on device"))
    assert lint(tmp_path / "x.yaml").output == "taxiway: no space left on device\n"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/somewhere/else.json"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        KeyError("x"),
    ],
)
def test_a_bug_is_never_shown_as_the_users_mistake(failing: Any, tmp_path: Path, error: Exception) -> None:
    failing(error)
    assert lint(tmp_path / "x.yaml").exception is error


def test_the_root_names_no_file(failing: Any) -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "/somewhere/else.json")
    failing(error)
    assert CliRunner().invoke(main, ["lint", "/"]).exception is error
