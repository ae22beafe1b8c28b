"""A Great Expectations suite beside the pipeline: what fails becomes an anomaly, and nothing is left out in silence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from helping import rounds
from taxiway.data.profiling.compute import profile_span
from taxiway.data.validation.expectations import suite as suite_module
from taxiway.data.validation.expectations.engines import import_gx, new_context, pandas_batch
from taxiway.data.validation.expectations.suite import run_expectations
from taxiway.data.validation.results import CheckResults
from taxiway.data.validation.targets import open_checked_span
from taxiway.errors import ConfigError
from taxiway.messages import quoted
from taxiway.records import Anomaly, Severity, Span
from taxiway.store.store import Store

ROWS = pd.DataFrame({"hour": [1, 2, 30, 31], "word": ["a", "b", None, "c"], "other": [1, 2, 3, 4]})
Check = Callable[..., list[Anomaly]]


def run_suite(path: Path, span: Span, store: Store) -> CheckResults:
    results = CheckResults()
    with open_checked_span([span], profile_span(span, store), store) as checked:
        run_expectations(path, checked, results)
    return results


@pytest.fixture
def check(tmp_path: Path, span_of: Callable[..., Span], store: Store) -> Check:
    def run(*expectations: dict[str, Any]) -> list[Anomaly]:
        path = tmp_path / "made.suite.json"
        path.write_text(json.dumps({"name": "made", "expectations": list(expectations)}))
        results = run_suite(path, span_of(ROWS), store)
        assert results.checks == len(expectations)
        return results.anomalies

    return run


def between(column: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    kwargs = {"column": column, "min_value": low, "max_value": high}
    return {"type": "expect_column_values_to_be_between", "kwargs": kwargs, **more}


def test_a_failed_expectation_is_an_anomaly_with_numbers_and_examples(check: Check) -> None:
    (anomaly,) = check(between("hour", 0, 23, description="of the day"), between("other", 0, 9))
    assert anomaly.kind == "gx:expect_column_values_to_be_between"
    assert (anomaly.span, anomaly.column, anomaly.severity) == ("2020-01", "hour", Severity.ERROR)
    assert anomaly.examples == ("30", "31")
    assert anomaly.message == (
        "hour in span 2020-01 fails expect_column_values_to_be_between (max_value 23, min_value 0) (of the day): "
        "2 of 4 rows (50.0%) do not meet it, such as 30, 31."
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
    assert [anomaly.observed for anomaly in anomalies] == [
        "1 of 4 rows (25.0%) do not meet it",
        "3 of 4 rows (75.0%) do not meet it",
    ]


def test_an_expectation_about_a_column_that_is_not_there_fails(check: Check) -> None:
    (anomaly,) = check(between("nowhere", 0, 1))
    assert "could not be computed" in anomaly.message
    assert "nowhere" in anomaly.observed


def test_expectations_about_the_table_and_its_columns_see_all_of_it(check: Check) -> None:
    anomalies = check(
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 4}},
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 5}},
        {"type": "expect_table_columns_to_match_ordered_list", "kwargs": {"column_list": ["hour", "word", "other"]}},
    )
    assert [(anomaly.kind, anomaly.column, anomaly.observed) for anomaly in anomalies] == [
        ("gx:expect_table_row_count_to_equal", None, "observed 4")
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
            r"expectations\[0\] \(expect_flying_pigs\) is not valid",
        ),
        ('{"expectations": [{"type": "expect_column_values_to_be_between", "kwargs": {"colum": "x"}}]}', "is not valid"),
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
    with pytest.raises(ConfigError, match=r"does not exist; files in that folder: real\.suite\.json"):
        run_suite(tmp_path / "made.suite.json", span_of(ROWS), store)


def test_a_pair_of_values_is_shown_as_numbers() -> None:
    import numpy as np

    assert quoted((np.float64(18.5), "x")) == '(18.5, "x")'


MANY = pd.DataFrame(
    {
        "n": [1, 2, 3, 4, 5, 6, 7, 8, 9, None],
        "x": [0.5, 1.5, None, 2.5, float("nan"), 3.5, 4.5, 5.5, 6.5, 7.5],
        "w": ["a", "b", None, "a", "cc", "ddd", "a", "b", "b", "e"],
        "id": range(10),
        "flag": [True, False] * 5,
        "day": pd.date_range("2020-01-01", periods=10),
    }
)
RANGES = [("n", 1, 9), ("x", 0.6, 4), ("id", -5, 100), ("n", 2.7, 2.8), ("x", None, 2.4)]
KINDS = [
    *[(f"expect_column_{name}_to_be_between", {"column": column, "min_value": low, "max_value": high})
      for at, name in enumerate(("values", "min", "max", "mean", "sum", "stdev", "median", "unique_value_count",
                                 "proportion_of_unique_values"))
      for column, low, high in (2 * RANGES)[at % 5 :][: rounds(2, 5)]],
    *[(f"expect_column_{name}", {"column": "w", "value_set": values})
      for name in ("values_to_be_in_set", "values_to_not_be_in_set", "distinct_values_to_be_in_set", "distinct_values_to_contain_set",
                   "distinct_values_to_equal_set")
      for values in (["a", "b", "cc", "ddd", "e"], ["a"], ["z"])],
    *[("expect_column_values_to_be_in_set", {"column": "n", "value_set": [1, 2, 3], "mostly": mostly}) for mostly in (0.3, 0.4)],
    *[(f"expect_column_values_to_{name}", {"column": column})
      for name in ("be_null", "not_be_null", "be_unique") for column in ("n", "x", "w", "id", "flag", "day")],
    ("expect_column_values_to_not_be_null", {"column": "n", "mostly": 0.9}),
    ("expect_column_value_lengths_to_be_between", {"column": "w", "min_value": 1, "max_value": 2}),
    ("expect_column_value_lengths_to_equal", {"column": "w", "value": 1}),
    ("expect_column_value_lengths_to_be_between", {"column": "w", "min_value": 1, "max_value": 3}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "n", "column_B": "id"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "n", "column_B": "x"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["w", "flag"]}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["w", "id"]}),
    ("expect_column_to_exist", {"column": "n"}),
    ("expect_column_to_exist", {"column": "nothing"}),
    ("expect_table_row_count_to_equal", {"value": 10}),
    ("expect_table_row_count_to_be_between", {"min_value": 11}),
    ("expect_table_column_count_to_equal", {"value": 6}),
    ("expect_table_columns_to_match_set", {"column_set": ["n", "x"]}),
    ("expect_table_columns_to_match_ordered_list", {"column_list": list(MANY)}),
    ("expect_column_values_to_match_regex", {"column": "w", "regex": "^[a-c]+$"}),
    ("expect_column_values_to_be_of_type", {"column": "n", "type_": "float64"}),
    ("expect_column_values_to_be_between", {"column": "day", "min_value": "2020-01-02T00:00:00", "max_value": "2020-02-01T00:00:00"}),
    ("expect_column_most_common_value_to_be_in_set", {"column": "w", "value_set": ["a"]}),
    ("expect_column_quantile_values_to_be_between", {"column": "x", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[3, 4]]}}),
]  # fmt: skip


@pytest.mark.deep
def test_verdicts_are_those_of_plain_great_expectations_on_pandas(
    tmp_path: Path, span_of: Callable[..., Span], store: Store
) -> None:
    suite = [{"type": kind, "kwargs": kwargs} for kind, kwargs in KINDS]
    span = span_of(MANY)
    with open_checked_span([span], profile_span(span, store), store) as checked:
        ours, on_pandas = suite_module._run(Path("made.suite.json"), suite, checked, import_gx(Path("made.suite.json")))
        rows = suite_module._rows(checked, suite)
    context = new_context(import_gx(Path("made.suite.json")))
    batch = pandas_batch(context, rows)
    theirs = [
        batch.validate(suite_module._expectation(asked, at, Path("made.suite.json"))).to_json_dict()
        for at, asked in enumerate(suite)
    ]
    differ = [
        (asked["type"], asked["kwargs"], one["success"], other["success"])
        for asked, one, other in zip(suite, ours, theirs, strict=True)
        if (one["success"], one["result"].get("unexpected_count"))
        != (other["success"], other["result"].get("unexpected_count"))
    ]
    assert differ == []
    assert len(on_pandas) < len(suite) / 4, "most should have run on DuckDB"
    assert {True, False} == {bool(one["success"]) for one in ours}


def test_the_report_says_what_ran_on_pandas_and_docs_are_written(
    tmp_path: Path, span_of: Callable[..., Span], store: Store
) -> None:
    path = tmp_path / "made.suite.json"
    regex = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "word", "regex": "b"}}
    path.write_text(json.dumps({"expectations": [between("hour", 0, 23), regex]}))
    span, results = span_of(ROWS), CheckResults()
    with open_checked_span([span], profile_span(span, store), store) as checked:
        run_expectations(path, checked, results, docs=tmp_path / "docs.html")
    assert results.notes == ["made.suite.json: 2 expectations; 1 of them on pandas: expect_column_values_to_match_regex"]
    page = (tmp_path / "docs.html").read_text()
    assert "hour" in page
    assert "unexpected values" in page
