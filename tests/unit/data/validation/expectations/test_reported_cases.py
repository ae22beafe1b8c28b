"""Suites as people reported them: the same verdict on every engine, and what an engine says reaches the user."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.validate import validate
from taxiway.errors import ConfigError
from taxiway.records import Anomaly, DataReport

BIG = 2**53
DAYS = [date(2024, 1, 1), date(2024, 6, 1), None, date(2025, 1, 1)]
MOMENTS = [day and datetime(day.year, day.month, day.day) for day in DAYS]
ROWS = pa.table(
    {
        "id": [1, 2, 3, 4],
        "i": [1, None, 3, 4],
        "big": pa.array([BIG, BIG + 1, None, BIG + 2], pa.uint64()),
        "s": ["ab", "", None, "AB "],
        "k": ["a", "a", "b", "b"],
        "d": DAYS,
        "t": MOMENTS,
        "tz": pa.array([moment and moment.replace(tzinfo=UTC) for moment in MOMENTS], pa.timestamp("us", "UTC")),
        "amount": pa.array([Decimal("0.10"), Decimal("0.20"), None, Decimal("0.30")], pa.decimal128(10, 2)),
    }
)
Judge = Callable[..., DataReport]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def run(*expectations: tuple[str, dict[str, Any]], rows: pa.Table = ROWS) -> DataReport:
        suite, data = tmp_path / "made.suite.json", tmp_path / "rows.parquet"
        suite.write_text(json.dumps({"expectations": [{"type": kind, "kwargs": kwargs} for kind, kwargs in expectations]}))
        pq.write_table(rows, data)
        schema = Schema(features=(Feature(name="id", type="integer"),))
        return validate(data, schema, suite=suite)

    return run


def failed(report: DataReport) -> list[Anomaly]:
    return [anomaly for anomaly in report.anomalies if anomaly.kind.startswith("gx:")]


@pytest.mark.parametrize("column", ["d", "t", "tz"])
@pytest.mark.parametrize(("low", "high"), [("2024-01-01", "2024-12-31"), ("2024-01-01T00:00:00", "2024-12-31T00:00:00")])
def test_bounds_of_days_and_moments_are_those_of_the_calendar(judge: Judge, column: str, low: str, high: str) -> None:
    bounds = {"column": column, "min_value": low, "max_value": high}
    (found,) = failed(judge(("expect_column_values_to_be_between", bounds), ("expect_column_min_to_be_between", bounds)))
    assert '1 of 4 rows (25.0%) do not meet it, such as "2025-01-01' in found.message


def test_bounds_with_a_zone_and_sets_of_days_are_judged(judge: Judge) -> None:
    assert not failed(judge(
        ("expect_column_values_to_be_between", {"column": "tz", "max_value": "2025-01-01T00:00:00+00:00"}),
        ("expect_column_values_to_be_in_set", {"column": "d", "value_set": ["2024-01-01", "2024-06-01", "2025-01-01"]}),
        ("expect_column_values_to_be_in_set", {"column": "t", "value_set": ["2024-01-01", "2024-06-01", "2025-01-01"]}),
        ("expect_column_values_to_not_be_in_set", {"column": "tz", "value_set": ["2024-01-02"]}),
        ("expect_column_max_to_be_between", {"column": "t", "max_value": "2025-01-01"}),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("unique", {"row_condition": 'k=="a"', "condition_parser": "pandas"}),
        ("match_regex", {"regex": "^[0-9]{16}$"}),
        ("be_in_set", {"value_set": [BIG, BIG + 1, BIG + 2]}),
        ("not_be_in_set", {"value_set": [BIG - 1, BIG + 3]}),
        ("be_of_type", {"type_": "uint64"}),
        ("be_in_type_list", {"type_list": ["int64", "uint64"]}),
    ],
)
def test_integers_with_gaps_are_integers(judge: Judge, kind: str, kwargs: dict[str, Any]) -> None:
    name = "expect_column_values_to_be_unique" if kind == "unique" else f"expect_column_values_to_{kind}"
    assert not failed(judge((name, {"column": "big", **kwargs})))


def test_integers_with_gaps_are_shown_as_integers(judge: Judge) -> None:
    (found,) = failed(judge(("expect_column_values_to_match_regex", {"column": "i", "regex": "^[01]$"})))
    assert found.examples == ("3", "4")


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_table_row_count_to_be_between", {"min_value": {"$PARAMETER": "n"}}),
        ("expect_column_values_to_be_in_set", {"column": "s", "value_set": {"$PARAMETER": "n"}}),
        ("expect_column_mean_to_be_between", {"column": "id", "min_value": {"$PARAMETER": "n"}}),
    ],
)
def test_a_parameter_without_a_value_is_a_sentence(judge: Judge, kind: str, kwargs: dict[str, Any]) -> None:
    (found,) = failed(judge((kind, kwargs)))
    assert found.observed == "could not be computed: No value found for $PARAMETER n"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM {batch} WHERE nosuch > 1", 'Binder Error: Referenced column "nosuch" not found'),
        ("SELECT * FROM {batch} WHERE id > 'abc'", "Conversion Error: Could not convert string 'abc' to INT64"),
        ("SELECT * FROM {batch} WHERE", "Parser Error: syntax error at"),
    ],
)
def test_what_duckdb_says_of_a_query_reaches_the_user_and_hurts_no_other(judge: Judge, query: str, words: str) -> None:
    report = judge(
        ("unexpected_rows_expectation", {"unexpected_rows_query": query}),
        ("expect_column_values_to_match_like_pattern", {"column": "s", "like_pattern": "%"}),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "SELECT * FROM {batch} WHERE id > 9"}),
    )
    (found,) = failed(report)
    assert found.observed.startswith(f"could not be computed: {words}")
    assert "[SQL" not in found.message


@pytest.mark.parametrize(
    ("kind", "kwargs", "wrong"),
    [
        ("match_like_pattern", {"like_pattern": "a%"}, 2),
        ("not_match_like_pattern", {"like_pattern": "zz%"}, 0),
        ("match_like_pattern_list", {"like_pattern_list": ["a%", "A%", ""]}, 0),
        ("match_like_pattern_list", {"like_pattern_list": ["a%", "A%"], "match_on": "any"}, 1),
        ("not_match_like_pattern_list", {"like_pattern_list": ["q%", "A%"]}, 1),
    ],
)
def test_expectations_that_only_sql_engines_have_are_judged(
    judge: Judge, kind: str, kwargs: dict[str, Any], wrong: int
) -> None:
    found = failed(judge((f"expect_column_values_to_{kind}", {"column": "s", **kwargs})))
    assert [anomaly.observed.split(" ")[0] for anomaly in found] == ([str(wrong)] if wrong else [])


@pytest.mark.parametrize("names", [["Price", "price"], ["price", "Price"]])
def test_columns_that_differ_by_case_are_refused(judge: Judge, names: list[str]) -> None:
    rows = pa.table([[1, 2], [5, 6], [1, 2]], ["id", *names])
    with pytest.raises(
        ConfigError, match=f'"{names[0]}" and "{names[1]}"; column names in expectations are not case-sensitive'
    ):
        judge(("expect_column_values_to_be_between", {"column": "price", "min_value": 4}), rows=rows)


def test_a_warning_of_great_expectations_is_said_once(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    judge(("unexpected_rows_expectation", {"unexpected_rows_query": "SELECT * FROM rows WHERE id > 9"}))
    assert "batch" not in capsys.readouterr().out


def test_files_whose_types_and_columns_are_in_another_order_are_judged_as_one_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "x": pa.array([1, 2], pa.int32()), "s": ["a1", "a2"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"s": ["a3", "b4"], "x": [0.5, 9.0], "id": pa.array([3, 4], pa.int8())}), tmp_path / "2.parquet")
    pq.write_table(pa.table({"s": pa.nulls(1), "x": pa.nulls(1), "id": [5]}), tmp_path / "3.parquet")
    expectations = [
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "s", "regex": "^a[0-9]$"}},  # on pandas
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "max_value": 5}},  # on DuckDB
    ]
    (tmp_path / "made.suite.json").write_text(json.dumps({"expectations": expectations}))
    schema = Schema(features=(Feature(name="id", type="integer"),))
    report = validate(str(tmp_path / "*.parquet"), schema, suite=tmp_path / "made.suite.json")
    assert ["1 of 5 rows" in anomaly.message for anomaly in failed(report)] == [True, True]
