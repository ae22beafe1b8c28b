"""Python code of a team: attempts to exit the process are errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from taxiway.errors import ConfigError
from taxiway.spec.python_refs import never_exiting

IN_A_THREAD = """
import os, sys, threading
from taxiway.spec.python_refs import never_exiting

with never_exiting():
    thread = threading.Thread(target=os._exit, args=[int(sys.argv[1])])
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("leave", [lambda: sys.exit(0), lambda: os._exit(0)])
def test_the_end_of_the_process_is_an_error(leave: object) -> None:
    def run() -> None:
        with never_exiting():
            assert os._exit.__module__ != "posix"
            leave()  # type: ignore[operator]

    with pytest.raises(ConfigError, match="wanted to end the process"):
        run()
    assert os._exit.__module__ == "posix"


def test_a_forked_process_ends_as_it_wants() -> None:
    with never_exiting():
        child = os.fork()
        if child == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize(("given", "found"), [(0, 1), (3, 3)])
def test_a_thread_may_end_the_process_but_never_as_a_success(given: int, found: int) -> None:
    assert subprocess.run([sys.executable, "-c", IN_A_THREAD, str(given)], check=False).returncode == found


def test_a_function_that_ends_the_process_fails_the_command(tmp_path: Path) -> None:
    """In a process of its own, which a success would end with code 0."""
    for name, text in {
        "m.pipeline.yaml": "pipeline: m\nteam: t\nsource: {spans: 'x/{SPAN}.csv', window: 1, label: y}\nschema: m.schema.yaml\n"
        "model: {build: own.py:build}\ngate: {thresholds: {accuracy: 0.5}, against_champion: {metric: accuracy}}\n",
        "m.schema.yaml": "label: y\nfeatures: {x: {type: number}, y: {type: boolean}}\n",
        "own.py": "import os\n\n\ndef build(params):\n    os._exit(0)\n",
    }.items():
        (tmp_path / name).write_text(text)
    for command in ("run", "lint"):
        ran = subprocess.run(
            [sys.executable, "-m", "taxiway", command, str(tmp_path / "m.pipeline.yaml")],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert ran.returncode != 0
        assert "model.build: own.py:build raised SystemExit: os._exit(0)" in ran.stdout + ran.stderr
