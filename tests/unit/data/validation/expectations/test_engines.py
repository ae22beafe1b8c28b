"""What a suite's SQL can reach, and what is done to the process that runs one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from taxiway.data.profiling.compute import profile_span
from taxiway.data.validation.expectations.suite import run_expectations
from taxiway.data.validation.results import CheckResults
from taxiway.data.validation.validate import open_checked_span
from taxiway.records import Span
from taxiway.store.store import Store

ENDS = """
import atexit, os
from pathlib import Path
from taxiway.data.validation.expectations.engines import import_gx, mute_the_end
gx = [import_gx(Path("made.suite.json")) for _ in range(3)]
first = atexit._ncallbacks()
import_gx(Path("made.suite.json"))
imported = atexit._ncallbacks() - first
child = os.fork()
atexit.register(lambda: os.write(2, b"the end of the muted" if child else b"the end of the unmuted"))
if child:
    os.waitpid(child, 0)
    first = atexit._ncallbacks()
    mute_the_end(), mute_the_end()
    print(imported, atexit._ncallbacks() - first)
"""


@pytest.mark.parametrize(
    "query",
    [
        "SELECT content FROM read_text('SECRET') WHERE EXISTS (FROM {batch})",
        "SELECT * FROM {batch} WHERE x > 5; COPY (SELECT 42) TO 'OUT'",
        "COPY (SELECT * FROM {batch}) TO 'OUT'",
        "SET enable_external_access = true; SELECT * FROM {batch}",
    ],
)
def test_the_sql_of_a_suite_reads_and_writes_no_other_file(
    query: str, tmp_path: Path, span_of: Callable[..., Span], store: Store
) -> None:
    secret, out, suite = tmp_path / "secret.txt", tmp_path / "out.csv", tmp_path / "made.suite.json"
    secret.write_text("hunter2")
    asked = query.replace("SECRET", str(secret)).replace("OUT", str(out))
    suite.write_text(
        json.dumps({"expectations": [{"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": asked}}]})
    )
    span, results = span_of(pd.DataFrame({"x": [1, 2]})), CheckResults()
    with open_checked_span([span], profile_span(span, store), store) as checked:
        run_expectations(suite, checked, results)
    assert not out.exists()
    assert ["could not be computed" in anomaly.observed for anomaly in results.anomalies] == [True]
    assert "hunter2" not in results.anomalies[0].message


def test_the_end_is_muted_once_and_where_it_is_asked_for_alone() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True)
    assert done.stdout == "0 1\n"
    assert "the end of the unmuted" in done.stderr
    assert "the end of the muted" not in done.stderr
