"""What a suite's SQL can reach."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from taxiway.data.profiling.compute import profile_span
from taxiway.data.validation.expectations.suite import run_expectations
from taxiway.data.validation.results import CheckResults
from taxiway.data.validation.targets import open_checked_span
from taxiway.records import Span
from taxiway.store.store import Store


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
