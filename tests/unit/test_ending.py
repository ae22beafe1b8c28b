"""A test run that is interrupted, ended or killed leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest_airflow import processes_of

from ending import dies_with_us
from helping import PATIENCE_S, until

TESTS = Path(__file__).parents[1]
PYTEST = (sys.executable, "-m", "pytest", "-p", "conftest", "--rootdir", ".", "--basetemp", "temp")
WAITS = """
import subprocess
import time
from pathlib import Path

from ending import dies_with_us, kept, undone

HERE = Path(__file__).parent


def wait() -> None:
    subprocess.Popen(["sleep", "3600"], cwd=HERE, preexec_fn=dies_with_us)
    with undone("touch", str(HERE / "undone")), kept("sh", "-c", "sleep 3600 & touch waits; sleep 3600", cwd=HERE):
        time.sleep(3600)


def test_with_mlflow(mlflow_url: str) -> None:
    wait()


def test_without() -> None:
    wait()
"""


def ignores_sigint() -> None:
    """As `preexec_fn`: what a shell does to commands in the background."""
    dies_with_us()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (signal.SIGINT, ["-n", "1", "-k", "with_mlflow"]),
        (signal.SIGTERM, ["-n", "1", "-k", "without"]),
        (signal.SIGKILL, ["-k", "without"]),
    ],
)
def test_nothing_is_left_of_a_test_run_that_was_ended(tmp_path: Path, number: signal.Signals, arguments: list[str]) -> None:
    """Slow, because xdist gives its processes ten seconds to end."""
    (tmp_path / "test_waits.py").write_text(WAITS)
    paths = [str(TESTS), str(TESTS / "airflow"), os.environ.get("PYTHONPATH", "")]
    with (tmp_path / "output").open("w") as output:
        tests = subprocess.Popen(
            [*PYTEST, *arguments, "test_waits.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=ignores_sigint,
        )

    def waits() -> bool:
        assert tests.poll() is None, (tmp_path / "output").read_text()
        return (tmp_path / "waits").exists()

    until(waits, "the test waits for its end", progress=lambda: processes_of(tmp_path))
    tests.send_signal(number)
    tests.wait(PATIENCE_S)
    until(lambda: processes_of(tmp_path) == [], "nothing is left", progress=lambda: processes_of(tmp_path))
    if number == signal.SIGKILL:
        until((tmp_path / "undone").exists, "the keeper has cleaned up")
