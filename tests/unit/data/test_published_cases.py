"""Published behaviour of TensorFlow Data Validation and numbers of Deequ, case by case: what we do alike, and what we do otherwise.

The cases are those of the projects' own tests; the numbers of the Titanic's passengers were computed by Deequ's definitions.
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from validated import LABEL, Write, judged, only, schema

from helping import shared_data
from taxiway.data.profiling.compute import profile
from taxiway.data.schema.constraints import Counts, LifecycleStage, Range, Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import SERVING, TRAINING, Schema
from taxiway.errors import ConfigError, DataError
from taxiway.records import Severity, Status


def test_a_value_outside_the_domain_is_named_and_would_be_added(write: Write) -> None:
    found = only(judged(write(x=["A", "B", "C", "D"]), schema(Feature(name="x", type="string", domain=("A", "B", "C")))))
    assert (found.kind, found.severity, found.examples) == ("domain", Severity.ERROR, ('"D"',))
    assert found.fix is not None
    assert (found.fix.path, found.fix.action, found.fix.value) == (("features", "x", "domain"), "add", ["D"])


def test_a_deprecated_column_may_be_absent(write: Write) -> None:
    gone = Feature(name="ignore_this", type="string", stage=LifecycleStage.DEPRECATED)
    assert judged(write(x=[1, 2]), schema(Feature(name="x", type="integer"), gone)).anomalies == ()


def test_a_column_that_was_dropped_would_be_deprecated(write: Write) -> None:
    found = only(
        judged(write(x=[1, 2]), schema(Feature(name="x", type="integer"), Feature(name="gone", type="string", presence=0.2)))
    )
    assert (found.kind, found.column, found.proposal) == ("missing_column", "gone", "features.gone.stage: deprecated")


@pytest.mark.parametrize(("environment", "kinds"), [(TRAINING, ["label_missing"]), (SERVING, [])])
def test_the_label_is_missed_in_training_only(tmp_path: Path, environment: str, kinds: list[str]) -> None:
    pd.DataFrame({"x": [1, 2]}).to_parquet(tmp_path / "x.parquet")
    expected = Schema(
        label="y", features=(Feature(name="x", type="integer"), LABEL.model_copy(update={"environments": (TRAINING,)}))
    )
    report = judged(tmp_path / "x.parquet", expected, environment=environment)
    assert [anomaly.kind for anomaly in report.anomalies] == kinds


def test_an_environment_that_is_not_declared_is_refused(write: Write) -> None:
    with pytest.raises(ConfigError, match=r'unknown environment "SERVNG"\n.*did you mean "SERVING"'):
        judged(write(x=[1]), schema(Feature(name="x", type="integer")), environment="SERVNG")


@pytest.mark.parametrize(("off", "kinds"), [(1, []), (2, []), (3, ["domain"])])
def test_a_part_of_the_rows_may_be_outside_the_domain_where_the_schema_says_so(
    write: Write, off: int, kinds: list[str]
) -> None:
    feature = Feature(name="x", type="string", domain=("a",), min_in_domain=0.8)
    report = judged(write(x=["b"] * off + ["a"] * (10 - off)), schema(feature))
    assert [anomaly.kind for anomaly in report.anomalies] == kinds


@pytest.mark.parametrize(("rows", "words"), [(10, "3 of 10 rows (30.0%)"), (4000, "3 of 4,000 rows (below 0.1%)")])
def test_how_many_rows_are_wrong_is_said_as_a_share(write: Write, rows: int, words: str) -> None:
    feature = Feature(name="x", type="string", domain=("a",))
    assert words in only(judged(write(x=["b"] * 3 + ["a"] * (rows - 3)), schema(feature))).message


def test_one_missing_value_among_very_many_is_found(write: Write) -> None:
    found = only(judged(write(x=[None] + [1] * 2_000_000), schema(Feature(name="x", type="integer"))))
    assert (found.kind, found.rows) == ("presence", (1,))
    assert "1 of 2,000,001 rows" in found.message


@pytest.mark.parametrize(
    ("distinct", "values", "words"),
    [(Counts(max=1), 5, "has 5 distinct values; required: at most 1"), (Counts(min=5), 1, "required: at least 5")],
)
def test_the_number_of_distinct_values_is_kept(write: Write, distinct: Counts, values: int, words: str) -> None:
    feature = Feature(name="x", type="string", distinct=distinct)
    found = only(judged(write(x=[f"v{at % values}" for at in range(20)]), schema(feature)))
    assert found.kind == "distinct"
    assert words in found.message


def test_values_that_must_be_unique_are_exact_beyond_any_sketch(write: Write) -> None:
    feature = Feature(name="x", type="integer", unique=True)
    assert judged(write(x=list(range(50_000))), schema(feature)).anomalies == ()
    found = only(judged(write(x=[*range(50_000), 17]), schema(feature)))
    assert (found.kind, found.examples) == ("not_unique", ('"17"',))


def test_infinity_is_always_an_anomaly_and_nan_is_a_missing_value(write: Write) -> None:
    nan = write("nan", x=pa.array([math.nan, 1.0, 2.0, 3.0], from_pandas=False))
    assert judged(nan, schema(Feature(name="x", type="number", presence=0.5))).anomalies == ()
    assert only(judged(nan, schema(Feature(name="x", type="number")))).kind == "presence"
    assert only(judged(write(x=[math.inf, 1.0]), schema(Feature(name="x", type="number")))).kind == "infinite"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"presence": {"min_fraction": 1.5}}, "F from 0 to 1"),
        ({"type": "list", "valency": {"min": -1}}, "whole numbers from 0 up"),
        ({"type": "list", "valency": {"min": 3, "max": 2}}, "min not above max"),
        ({"type": "number", "domain": [1]}, "a feature of type number cannot have a domain"),
        ({"type": "boolean", "range": {"min": 0}}, "a feature of type boolean cannot have a range"),
        ({"type": "string", "pattern": "("}, "not a regular expression"),
        ({"type": "string", "pattern": r"(a)\1"}, "DuckDB cannot compile it .*invalid escape sequence"),
        ({"environments": ["SERVNG"]}, "has the environment SERVNG"),
    ],
)
def test_a_schema_that_cannot_be_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Schema.model_validate(
            {"label": "y", "features": [{"name": "x", "type": "integer", **wrong}, {"name": "y", "type": "boolean"}]}
        )


@pytest.mark.parametrize(
    ("lists", "kinds"), [([[1, 2], [3, 4]], []), ([[1, 2], [3]], ["valency"]), ([[1, 2], []], ["valency"])]
)
def test_lists_keep_their_length(write: Write, lists: list[list[int]], kinds: list[str]) -> None:
    report = judged(write(x=lists), schema(Feature(name="x", type="list", valency=Counts(min=2, max=2))))
    assert [anomaly.kind for anomaly in report.anomalies] == kinds


def test_too_few_and_too_many_rows_are_found(write: Write) -> None:
    feature = Feature(name="x", type="integer")
    assert only(judged(write(x=[1, 2]), schema(feature, min_rows=3))).kind == "min_rows"
    assert only(judged(write(x=[1, 2]), schema(feature, max_rows=1))).proposal == "max_rows: 2"


def test_a_rule_over_several_columns_names_the_rows_that_break_it(write: Write) -> None:
    features = [Feature(name=name, type="integer", presence=0) for name in ("departs", 'ar"rives')]
    rule = Rule(name="in order", sql='"ar""rives" > departs', description="arrives after it departs")
    data = write(**{"departs": [1, 5, None], 'ar"rives': [2, 4, 1]})
    found = only(judged(data, schema(*features, rules=(rule,))))
    assert (found.kind, found.column, found.rows) == ("rule", "in order", (2,))
    assert "is false in 1 of 2 rows (50.0%) (row 2)" in found.message


def test_a_rule_that_is_null_everywhere_asks_nothing(write: Write) -> None:
    features = [Feature(name="departs", type="integer", presence=0), Feature(name="gone", type="datetime", presence=0)]
    rules = (Rule(name="empty", sql="departs > 1"), Rule(name="absent", sql="gone > '2026-01-01'"))
    data = write(departs=pa.array([None, None], "int64"))
    assert judged(data, schema(*features, rules=rules)).anomalies == ()


@pytest.mark.parametrize(
    ("sql", "words"), [("departs >", "DuckDB cannot parse it"), ("departs + 1 > 'a'; DROP TABLE span", "without a semicolon")]
)
def test_a_rule_that_is_no_condition_is_refused(sql: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Rule(name="r", sql=sql)


def test_a_rule_over_a_column_that_nobody_knows_is_refused_by_name(write: Write) -> None:
    rule = Rule(name="r", sql="nosuch > 1")
    with pytest.raises(ConfigError, match="the rule r is not valid SQL: nosuch > 1"):
        judged(write(departs=[1]), schema(Feature(name="departs", type="integer"), rules=(rule,)))


def test_text_has_to_match_its_pattern_and_its_meaning(write: Write) -> None:
    tail = Feature(name="x", type="string", pattern="N[0-9]+")
    found = only(judged(write(x=["N1", "M1", "N12", "N"]), schema(tail)))
    assert (found.kind, found.examples, found.rows) == ("pattern", ('"M1"', '"N"'), (2, 4))
    mail = Feature(name="x", type="string", semantic="email")
    assert judged(write(x=["a@b.org", "c.d@e.co"]), schema(mail)).anomalies == ()
    assert only(judged(write(x=["a@b.org", "nobody"]), schema(mail))).examples == ('"nobody"',)


def test_an_anomaly_in_an_alpha_feature_warns(write: Write) -> None:
    feature = Feature(name="x", type="integer", range=Range(max=5), stage=LifecycleStage.ALPHA)
    report = judged(write(x=[1, 9]), schema(feature))
    assert (report.status, only(report).severity) == (Status.PASS, Severity.WARNING)
    assert "a warning because the feature is alpha" in only(report).message


def test_a_file_of_a_header_alone_is_never_passed(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("x,y\n")
    with pytest.raises(DataError, match="no rows"):
        judged(tmp_path / "x.csv", schema(Feature(name="x", type="integer")))


def test_text_of_digits_stays_text_in_csv(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("zip,y\n10001,true\n10002,false\n")
    assert judged(tmp_path / "x.csv", schema(Feature(name="zip", type="string", pattern="[0-9]{5}"))).anomalies == ()
    assert only(judged(tmp_path / "x.csv", schema(Feature(name="zip", type="number", range=Range(max=10001))))).rows == (2,)


def test_the_numbers_of_deequ_on_the_titanic() -> None:
    found = profile(shared_data("titanic.csv"), label="Survived")
    column = {column.name: column for column in found.columns}
    assert found.rows == 891
    assert column["Age"].present_fraction == pytest.approx(714 / 891, rel=1e-12)
    assert column["Age"].mean == pytest.approx(29.69911764705882, rel=1e-9)
    assert column["Age"].std == pytest.approx(14.516321150817316, rel=1e-9)
    assert column["Age"].skewness == pytest.approx(0.38828985146986567, rel=1e-9)
    assert column["Age"].kurtosis == pytest.approx(0.16863657224286044, rel=1e-9)
    assert column["Fare"].skewness == pytest.approx(4.779253292372354, rel=1e-9)
    assert column["Fare"].kurtosis == pytest.approx(33.20428925264474, rel=1e-9)
    assert column["Embarked"].entropy == (pytest.approx(0.7602918973432804, rel=1e-9), 0)
    assert column["Sex"].entropy == (pytest.approx(0.6489276088957644, rel=1e-9), 0)
    assert column["Pclass"].label_information == pytest.approx(0.05810725269032348, rel=1e-9)
    assert column["Ticket"].uniqueness == (pytest.approx(0.6139169472502806, rel=1e-9), 0)
    distinct = column["Ticket"].distinct.value
    assert distinct / 891 == pytest.approx(0.7643097643097643, rel=1e-9)
    assert column["Ticket"].uniqueness.value * 891 / distinct == pytest.approx(0.8032305433186491, rel=1e-9)
    by_fare = {column.name: column for column in profile(shared_data("titanic.csv"), label="Fare").columns}
    assert by_fare["Pclass"].correlation == pytest.approx(-0.5494996199439078, rel=1e-9)


def test_a_suite_without_expectations_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "empty.suite.json").write_text('{"expectations": []}')
    with pytest.raises(ConfigError, match="has no expectations"):
        judged(write(x=[1]), schema(Feature(name="x", type="integer")), suite=tmp_path / "empty.suite.json")


def test_an_integer_domain_over_floats_with_nan_is_judged(write: Write) -> None:
    data = write(x=pa.array([1.0, math.nan, 2.0, 5.0], from_pandas=False))
    report = judged(data, schema(Feature(name="x", type="integer", domain=(1, 2), presence=0.5, unique=True)))
    assert [(a.kind, a.examples) for a in report.anomalies] == [("domain", ('"5"',))]
