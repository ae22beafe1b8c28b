"""What can be seen only in a process that has not imported Great Expectations yet: one, because the import takes three seconds."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

# As on a machine in Tokyo, with analytics asked for from outside: our settings have to come before the import.
MACHINE = {"TZ": "Asia/Tokyo", "GX_ANALYTICS_ENABLED": "true"}
PROCESS = """
import atexit, json, os, socket, sys
from pathlib import Path

from click.testing import CliRunner

seen = {"connections": 0, "analytics": []}

def no_network(*_, **__):
    seen["connections"] += 1

class MetricMonitor:
    def find_spec(self, name, path=None, target=None):
        if name == "great_expectations":
            seen["analytics"].append(os.environ["GX_ANALYTICS_ENABLED"])

socket.socket.connect = socket.getaddrinfo = no_network
sys.meta_path.insert(0, MetricMonitor())

from taxiway.cli.main import main
from taxiway.data.validation.expectations.engines import import_gx, mute_the_end

gx = [import_gx(Path("made.suite.json")) for _ in range(3)]
first = atexit._ncallbacks()
import_gx(Path("made.suite.json"))
seen["registered by an import"] = atexit._ncallbacks() - first
child = os.fork()
atexit.register(lambda: os.write(2, b"the end of the muted" if child else b"the end of the unmuted"))
if child:
    os.waitpid(child, 0)
    first = atexit._ncallbacks()
    mute_the_end(), mute_the_end()
    seen["registered by muting"] = atexit._ncallbacks() - first
    done = CliRunner().invoke(main, ["validate", "t.csv", "--schema", "t.yaml", "--gx", "t.json"])
    seen |= {"exit_code": done.exit_code, "output": done.output}
    print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What the process saw, and what it wrote to its standard error."""
    folder = tmp_path_factory.mktemp("process")
    (folder / "t.csv").write_text("id,ts\n1,2024-01-01T00:30:00Z\n2,2024-01-01T12:00:00Z\n3,2023-12-31T23:30:00Z\n")
    (folder / "t.yaml").write_text(
        "features:\n  id: {type: integer}\n  ts: {type: datetime}\nrules:\n"
        '  literal: {sql: "ts >= \'2024-01-01\'"}\n  day: {sql: "ts::DATE = DATE \'2024-01-01\'"}\n  hour: {sql: "hour(ts) < 23"}\n'
    )
    query = "SELECT * FROM {batch} WHERE ts::DATE = DATE '2023-12-31'"
    suite = {"expectations": [{"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": query}}]}
    (folder / "t.json").write_text(json.dumps(suite))
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], cwd=folder, env={**os.environ, **MACHINE}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_nobody_is_told_what_we_check(process: tuple[dict[str, Any], str]) -> None:
    seen, _ = process
    assert seen["analytics"] == ["false"]
    assert seen["connections"] == 0
    assert "unexpected_rows_expectation" in seen["output"], "a suite was run"


def test_the_end_is_muted_once_and_where_it_is_asked_for_alone(process: tuple[dict[str, Any], str]) -> None:
    seen, errors = process
    assert (seen["registered by an import"], seen["registered by muting"]) == (0, 1)
    assert "the end of the unmuted" in errors
    assert "the end of the muted" not in errors


def test_dates_and_hours_in_sql_are_those_of_utc_on_every_machine(process: tuple[dict[str, Any], str]) -> None:
    """A rule's and a suite's SQL, and values in messages."""
    seen, _ = process
    assert seen["exit_code"] == 1
    assert seen["output"].count("is false in 1 of 3 rows (33.3%) (row 3)") == 3
    assert "unexpected_rows_expectation" in seen["output"]
    assert "observed 1" in seen["output"]
