"""MLflow for tests: an empty database to begin with, and a real server; both are made once for all processes of a test run."""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from ending import keeper
from helping import free_port, until


@pytest.fixture(scope="session")
def for_all(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if hasattr(request.config, "workerinput") else own) / "for_all"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def locked(what: Path) -> Iterator[None]:
    """While the block runs, no other process of this test run makes what this is the name of."""
    with what.with_name(f"{what.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_database(for_all: Path, place: Path, artifacts: str) -> None:
    """Make an empty database of MLflow, which keeps the files of its first experiment below `artifacts`.

    It is a copy of the one that MLflow has made for the first that asks: by all of its migrations, which takes seconds.
    """
    empty = for_all / "empty.db"
    with locked(empty):
        if not empty.exists():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            SqlAlchemyStore(f"sqlite:///{empty}.new", str(for_all / "artifacts")).engine.dispose()
            Path(f"{empty}.new").rename(empty)
    beside = place.with_name(f"{place.name}.new")
    shutil.copyfile(empty, beside)
    with closing(sqlite3.connect(beside)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (f"{artifacts}/0",))
    beside.rename(place)


@pytest.fixture(scope="session", autouse=True)
def _users(for_all: Path) -> Iterator[Path]:
    """A pipe that every process of this test run holds open: it closes when the last of them has ended, in whatever way."""
    pipe = for_all / "users"
    with suppress(FileExistsError):
        os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)
    yield pipe
    os.close(held)


@pytest.fixture(scope="session")
def mlflow_url(for_all: Path, _users: Path) -> str:
    """A real MLflow server on a database of its own, which ends with the last process of this test run."""
    address = for_all / "mlflow_url"
    with locked(address):
        if not address.exists():
            if "mlflow" in sys.modules:  # to import it would take longer than the server takes to make the database
                make_database(for_all, for_all / "mlflow.db", "mlflow-artifacts:")
            _start(for_all, _users, address)
    return address.read_text()


def _start(folder: Path, users: Path, address: Path) -> None:
    """Start the server, and write its address when it answers."""
    url, log = f"http://127.0.0.1:{(port := free_port())}", folder / "mlflow_log"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with log.open("wb") as file, users.open("rb") as until_they_ended:
        server = keeper(*command, env=environment, stdin=until_they_ended, stdout=file, stderr=file)
    until(lambda: _answers(f"{url}/health", server, log), f"{url} answers", progress=lambda: log.stat().st_size)
    address.write_text(url)


def _answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, f"the server of {url} ended:\n{log.read_text()[-3000:]}"
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False
