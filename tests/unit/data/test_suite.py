"""A Great Expectations suite beside the pipeline: what fails becomes an anomaly, and nothing is left out in silence."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from taxiway.data.findings import Findings
from taxiway.data.profile import profile_span
from taxiway.data.suite import check_suite
from taxiway.data.validate import opened_span
from taxiway.data.words import quoted
from taxiway.errors import ConfigError
from taxiway.records import Anomaly, Severity, Span
from taxiway.store.store import Store

ROWS = pd.DataFrame({"hour": [1, 2, 30, 31], "word": ["a", "b", None, "c"], "other": [1, 2, 3, 4]})
Check = Callable[..., list[Anomaly]]


def run_suite(path: Path, span: Span, store: Store) -> Findings:
    findings = Findings()
    with opened_span([span], profile_span(span, store), store) as checked:
        check_suite(path, checked, findings)
    return findings


@pytest.fixture
def check(tmp_path: Path, span_of: Callable[..., Span], store: Store) -> Check:
    def run(*expectations: dict[str, Any]) -> list[Anomaly]:
        path = tmp_path / "made.suite.json"
        path.write_text(json.dumps({"name": "made", "expectations": list(expectations)}))
        findings = run_suite(path, span_of(ROWS), store)
        assert findings.checks == len(expectations)
        return findings.anomalies

    return run


def between(column: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    kwargs = {"column": column, "min_value": low, "max_value": high}
    return {"type": "expect_column_values_to_be_between", "kwargs": kwargs, **more}


def test_a_failed_expectation_is_an_anomaly_with_numbers_and_examples(check: Check) -> None:
    (anomaly,) = check(between("hour", 0, 23, description="of the day"), between("other", 0, 9))
    assert anomaly.kind == "gx:expect_column_values_to_be_between"
    assert (anomaly.span, anomaly.column, anomaly.severity) == ("2020-01", "hour", Severity.ERROR)
    assert anomaly.examples == ("30", "31")
    assert anomaly.sentence == (
        "hour in 2020-01 fails expect_column_values_to_be_between (max_value 23, min_value 0) (of the day): "
        "2 of 4 rows (50.0 %) are not so, such as 30, 31."
    )


@pytest.mark.parametrize(
    ("marks", "severity"),
    [
        ({}, Severity.ERROR),
        ({"severity": "critical"}, Severity.ERROR),
        ({"severity": "warning"}, Severity.WARNING),
        ({"severity": "info"}, Severity.WARNING),
        ({"meta": {"severity": "warning"}}, Severity.WARNING),
        ({"meta": {"severity": "error"}, "severity": "info"}, Severity.ERROR),
    ],
)
def test_the_severity_is_the_suites(marks: dict[str, Any], severity: Severity, check: Check) -> None:
    (anomaly,) = check(between("hour", 0, 23, **marks))
    assert anomaly.severity is severity


def test_two_expectations_of_one_type_on_one_column_are_both_run(check: Check) -> None:
    anomalies = check(between("hour", 0, 30), between("hour", 0, 1))
    assert [anomaly.observed for anomaly in anomalies] == ["1 of 4 rows (25.0 %) are not so", "3 of 4 rows (75.0 %) are not so"]


def test_an_expectation_about_a_column_that_is_not_there_fails(check: Check) -> None:
    (anomaly,) = check(between("nowhere", 0, 1))
    assert "could not be computed" in anomaly.sentence
    assert "nowhere" in anomaly.observed


def test_expectations_about_the_table_and_its_columns_see_all_of_it(check: Check) -> None:
    anomalies = check(
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 4}},
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 5}},
        {"type": "expect_table_columns_to_match_ordered_list", "kwargs": {"column_list": ["hour", "word", "other"]}},
    )
    assert [(anomaly.kind, anomaly.column, anomaly.observed) for anomaly in anomalies] == [
        ("gx:expect_table_row_count_to_equal", "", "observed 4")
    ]


def test_a_suite_of_row_counts_alone_needs_no_column(check: Check) -> None:
    assert check({"type": "expect_table_row_count_to_equal", "kwargs": {"value": 4}}) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", 'needs a list "expectations"'),
        ('{"expectations": [{"expectation_type": "x", "kwargs": {}}]}', r'expectations\[0\] needs "type"'),
        (
            '{"expectations": [{"type": "expect_flying_pigs", "kwargs": {}}]}',
            r"expectations\[0\] \(expect_flying_pigs\) is not understood",
        ),
        ('{"expectations": [{"type": "expect_column_values_to_be_between", "kwargs": {"colum": "x"}}]}', "is not understood"),
        (
            '{"expectations": [{"type": "t", "kwargs": {}, "severity": "fatal"}]}',
            'severity is "fatal"; allowed: critical, error',
        ),
    ],
)
def test_a_suite_that_cannot_be_obeyed_is_refused(
    text: str, said: str, tmp_path: Path, span_of: Callable[..., Span], store: Store
) -> None:
    path = tmp_path / "made.suite.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        run_suite(path, span_of(ROWS), store)


def test_a_suite_that_is_not_there_lists_those_that_are(tmp_path: Path, span_of: Callable[..., Span], store: Store) -> None:
    (tmp_path / "real.suite.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"does not exist; JSON files there: real\.suite\.json"):
        run_suite(tmp_path / "made.suite.json", span_of(ROWS), store)


def test_nobody_is_told_what_we_check(tmp_path: Path, span_of: Callable[..., Span], store: Store) -> None:
    # In a process of its own, with analytics asked for from outside: our setting has to come before the import.
    (tmp_path / "s.json").write_text(json.dumps({"expectations": [between("hour", 0, 23)]}))
    span = span_of(ROWS)
    code = f"""
import os, socket, sys
def no_network(*a, **k): print("a connection was tried")
socket.socket.connect = socket.getaddrinfo = no_network
from pathlib import Path
from taxiway.data.findings import Findings
from taxiway.data.profile import profile_span
from taxiway.data.suite import check_suite
from taxiway.data.validate import opened_span
from taxiway.records import Span
from taxiway.store.store import Store
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "great_expectations": print(os.environ["GX_ANALYTICS_ENABLED"])
sys.meta_path.insert(0, Watch())
findings = Findings()
span, store = Span.from_json({span.to_json()!r}), Store({store.url!r})
with opened_span([span], profile_span(span, store), store) as checked:
    check_suite(Path({str(tmp_path / "s.json")!r}), checked, findings)
print(len(findings.anomalies))
"""
    environment = {**os.environ, "GX_ANALYTICS_ENABLED": "true"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split("\n") == ["false", "1", ""]


def test_a_pair_of_values_is_shown_as_numbers() -> None:
    import numpy as np

    assert quoted((np.float64(18.5), "x")) == '(18.5, "x")'
