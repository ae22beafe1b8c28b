"""Rules are one condition each, over the data alone: they read no other file, write none, and mean the columns that they name."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.schema.constraints import Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.validate import validate
from taxiway.errors import ConfigError
from taxiway.records import DataReport


def judged(tmp_path: Path, sql: str, **columns: Any) -> DataReport:
    table = pa.table(columns or {"x": [1, 2]})
    pq.write_table(table, tmp_path / "data.parquet")
    types = {"string": "string", "double": "number", "int64": "integer"}
    features = [Feature(name=field.name, type=types[str(field.type)]) for field in table.schema]  # type: ignore[arg-type]
    return validate(tmp_path / "data.parquet", Schema(features=tuple(features), rules=(Rule(name="made", sql=sql),)))


@pytest.mark.parametrize(
    "sql",
    [
        "true /*'*/) AS held, 0 AS row_number); COPY (SELECT 42 AS x) TO 'OUT'; SELECT 1, 0 --'",
        "true) AS a, (false",
        "true) FROM span WHERE (true",
        "true) UNION ALL (SELECT true",
        "true; COPY (SELECT 1) TO 'OUT'",
        "COPY (SELECT 1) TO 'OUT'",
        "ATTACH 'OUT' AS stolen",
        "INSTALL httpfs",
        "PRAGMA memory_limit='90GB'",
        "SET enable_external_access = true",
        "SELECT true",
        "true LIMIT 1",
        "true AS held",
        "true /*",
        "true;",
    ],
)
def test_what_is_not_one_expression_is_no_rule(tmp_path: Path, sql: str) -> None:
    with pytest.raises(ValueError, match="allowed: one condition, without a semicolon"):
        Rule(name="made", sql=sql.replace("OUT", str(tmp_path / "out")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "(select content from read_text('SECRET'))::INT > 0",
        "(select count(*) from read_csv('SECRET')) >= 0",
        "(select count(*) from 'SECRET') >= 0",
        "(select count(*) from glob('FOLDER/*')) >= 0",
        "getenv('HOME') <> ''",
        "x > (select count(*) from nosuch)",
        "'word'::INT > x",
        "x || 'a'",
        "COLUMNS(*) > 0",
        "*",
    ],
)
def test_a_rule_reads_nothing_but_the_data_and_is_named_where_it_cannot_be_obeyed(tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("hidden\nhunter2\n")
    with pytest.raises(ConfigError, match="the rule made") as told:
        judged(tmp_path, sql.replace("SECRET", str(secret)).replace("FOLDER", str(tmp_path)))
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("sql", ["x > 1 -- the first", "x > 1 /* ) */", "x > 1 AND ';' <> ')'", "$$;)$$ <> '' AND x > 1"])
def test_comments_and_signs_in_text_are_no_harm(tmp_path: Path, sql: str) -> None:
    assert [anomaly.rows for anomaly in judged(tmp_path, sql).anomalies] == [(1,)]


def test_rules_hold_in_folders_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]*?'b=c"
    folder.mkdir()
    assert [anomaly.rows for anomaly in judged(folder, "x > 1").anomalies] == [(1,)]


@pytest.mark.parametrize("name", ["row_number", "ROW_NUMBER_", "held", "c0", "numbered"])
def test_a_column_may_be_called_as_what_is_ours(tmp_path: Path, name: str) -> None:
    report = judged(tmp_path, f"{name} <> 'b' AND x <> 3", **{"x": [1, 2, 3], name: ["a", "b", "c"]})
    assert [anomaly.rows for anomaly in report.anomalies] == [(2, 3)]


def test_the_rows_own_numbers_are_no_column_of_a_rule(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the rule made is not valid SQL"):
        judged(tmp_path, "row_number = 0")


def test_columns_whose_names_differ_by_case_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='the columns "id" and "ID"; column names in rules are not case-sensitive'):
        judged(tmp_path, "ID > 5", id=[1, 2], ID=[8, 9])


def test_a_column_that_is_absent_does_not_hide_one_of_another_case(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 9]}), tmp_path / "data.parquet")
    features = (Feature(name="ID", type="integer", presence=0), Feature(name="id", type="integer"))
    report = validate(tmp_path / "data.parquet", Schema(features=features, rules=(Rule(name="made", sql="id > 5"),)))
    assert [anomaly.rows for anomaly in report.anomalies] == [(1,)]


def test_a_rule_is_not_broken_by_nan_as_it_is_not_by_null(tmp_path: Path) -> None:
    columns = {"a": pa.array([1.0, float("nan"), None])}
    assert not [found for found in judged(tmp_path, "a < 100", **columns).anomalies if found.kind == "rule"]
    (anomaly,) = [found for found in judged(tmp_path, "a > 100", **columns).anomalies if found.kind == "rule"]
    assert anomaly.observed == "false in 1 of 1 rows (100.0%)"
