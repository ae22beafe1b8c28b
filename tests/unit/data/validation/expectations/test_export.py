"""A schema written as a suite of Great Expectations: it judges data as the schema does, and names what it cannot say."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.data.schema.constraints import Counts, Drift, LifecycleStage, Range, Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.file import schema_to_yaml
from taxiway.data.schema.model import SERVING, Schema
from taxiway.data.validation.expectations.export import schema_to_suite
from taxiway.data.validation.validate import validate
from taxiway.records import Severity, Status, Waiver

SCHEMA = Schema(
    label="late",
    key="id",
    min_rows=3,
    max_rows=50,
    features=(
        Feature(name="id", type="integer"),
        Feature(name="word", type="string", domain=("a", "b"), min_in_domain=0.75, drift=Drift(limit=0.1)),
        Feature(name="speed", type="number", presence=0.5, range=Range(min=0, max=75)),
        Feature(name="mail", type="string", semantic="email", severity=Severity.WARNING),
        Feature(name="code", type="string", pattern="N[0-9]+", distinct=Counts(min=2)),
        Feature(name="old", type="string", stage=LifecycleStage.DEPRECATED),
        Feature(name="live", type="string", environments=(SERVING,)),
        Feature(name="late", type="boolean"),
    ),
    rules=(Rule(name="in order", sql="id >= speed OR id < 5"), Rule(name="mostly", sql="id > 0", min_fraction=0.5)),
)
GOOD: dict[str, Any] = {
    "id": [1, 2, 3, 4],
    "word": ["a", "a", "b", "c"],
    "speed": [0.0, 75.0, None, 3.0],
    "mail": ["a@b.org"] * 4,
    "code": ["N1", "N2", "N3", "N3"],
    "late": [True, False, True, True],
}


def blocked(columns: dict[str, Any], suite: Path, tmp_path: Path) -> tuple[bool, bool]:
    """Whether the schema, and whether a bare schema with the suite, block the rows."""
    path = tmp_path / "rows.parquet"
    pd.DataFrame(columns).to_parquet(path)
    features = [
        Feature.model_validate({"name": feature.name, "type": feature.type, "presence": 0.0})
        for feature in SCHEMA.features[:-1]
    ]
    bare = Schema(label="late", features=(*features, SCHEMA.features[-1]))
    reports = validate(path, SCHEMA), validate(path, bare, suite=suite)
    return reports[0].status is Status.FAIL, reports[1].status is Status.FAIL


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "made.suite.json"
    path.write_text(schema_to_suite(SCHEMA, "made")[0])
    return path


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        ({}, False),
        ({"id": [1, 1, 2, 3]}, True),
        ({"word": ["a", "c", "c", "a"]}, True),
        ({"speed": [76.0, 1.0, 1.0, 1.0]}, True),
        ({"speed": [None, None, None, 1.0]}, True),
        ({"mail": ["nobody"] * 4}, False),
        ({"code": ["N1", "N2", "M3", "N4"]}, True),
        ({"code": ["N1"] * 4}, True),
    ],
)
def test_the_suite_judges_as_the_schema(change: dict[str, Any], blocks: bool, suite: Path, tmp_path: Path) -> None:
    assert blocked(GOOD | change, suite, tmp_path) == (blocks, blocks)


def test_what_great_expectations_cannot_say_is_named() -> None:
    text, left_out = schema_to_suite(SCHEMA, "made")
    assert "drift of word" in left_out
    assert "the rule mostly, which allows exceptions" in left_out
    asked = json.loads(text)["expectations"]
    assert {kwargs["column"] for one in asked if "column" in (kwargs := one["kwargs"])} == {
        "id",
        "word",
        "speed",
        "mail",
        "code",
        "late",
    }
    assert [one["severity"] for one in asked if one["kwargs"].get("column") == "mail"] == ["warning"] * 3


def test_a_column_that_may_be_absent_passes_both(tmp_path: Path) -> None:
    features = (
        Feature(name="a", type="integer"),
        Feature(name="b", type="number", presence=0, range=Range(min=0), unique=True, distinct=Counts(min=2)),
        Feature(name="c", type="string", stage=LifecycleStage.DEPRECATED, domain=("x",)),
    )
    rules = (
        Rule(name="both", sql='a > "B"'),
        Rule(name="braces", sql="{'k': a}['k'] > 0 AND regexp_matches('xy', 'y{1}') -- }"),
    )
    schema = Schema(features=features, rules=rules)
    text, left_out = schema_to_suite(schema, "made")
    suite, path = tmp_path / "made.suite.json", tmp_path / "rows.parquet"
    suite.write_text(text)
    pd.DataFrame({"a": [1, 2]}).to_parquet(path)
    assert validate(path, schema, suite=suite).anomalies == ()
    pd.DataFrame({"a": [1, -2]}).to_parquet(path)
    found = validate(path, schema, suite=suite).anomalies
    assert [(anomaly.kind, anomaly.observed) for anomaly in found[:1]] == [("rule", "false in 1 of 2 rows (50.0%)")]
    assert [anomaly.kind for anomaly in found[1:]] == ["gx:unexpected_rows_expectation"]
    assert "it could not be computed" not in found[1].observed
    assert {
        "all checks of b, which may be absent",
        "all checks of c, which may be absent",
        "the rule both, which uses b, which may be absent",
    } <= set(left_out)


def test_all_that_is_left_out_is_named() -> None:
    waiver = Waiver(kind="range", column="speed", reason="known", owner="a@b.org", until=date(2030, 1, 1))
    assert set(schema_to_suite(SCHEMA.model_copy(update={"waivers": (waiver,)}), "made")[1]) == {
        "column types, whose names depend on Great Expectations' engine",
        "columns that are not in the schema",
        "drift of word",
        "infinite values of speed",
        "all checks of old, which may be absent",
        "live, which is not expected in TRAINING",
        "whether the label late is constant",
        "keys of id that occur in more than one span",
        "the rule mostly, which allows exceptions",
        "expectations of the environments SERVING",
        "waivers",
    }


def test_the_command_writes_the_suite_and_never_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "made.schema.yaml").write_text(schema_to_yaml(SCHEMA))
    asked = ["schema", "export", str(tmp_path / "made.schema.yaml"), "--to", "gx", "-o", str(tmp_path / "made.suite.json")]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code, "drift of word" in done.output) == (0, True)
    assert json.loads((tmp_path / "made.suite.json").read_text())["name"] == "made"
    again = CliRunner().invoke(main, asked)
    assert (again.exit_code, "exists already" in again.output) == (2, True)
