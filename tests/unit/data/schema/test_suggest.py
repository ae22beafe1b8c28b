"""What a schema could ask for: each rule on data made for it, data on which it says nothing, and held-out rows."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helping import shared_data
from taxiway.data.schema.suggest import Suggestion, lower_bound, suggest
from taxiway.errors import ConfigError

Found = dict[str, Suggestion]


def suggested(folder: Path, values: Any, label: str | None = None) -> Found:
    pq.write_table(pa.table({"x": values}), folder / "data.parquet")
    found = suggest(folder / "data.parquet", label)
    assert all(suggestion.column == "x" for suggestion in found)
    assert len({suggestion.rule for suggestion in found}) == len(found)
    return {suggestion.rule: suggestion for suggestion in found}


def asked(suggestion: Suggestion) -> dict[str, Any]:
    assert all(change.path[:2] == ("features", suggestion.column) for change in suggestion.changes)
    return {change.path[2]: change.value for change in suggestion.changes}


@pytest.mark.parametrize(
    ("values", "rule", "change", "evidence"),
    [
        ([1.5, 2.5] * 50, "CompleteIfComplete", {"presence": "required"}, "all 100 rows have a value"),
        ([1.5, None, 2.5, 3.5] * 100, "RetainCompleteness", {"presence": {"min_fraction": 0.7}}, "300 of 400 rows (75.0%) have a value"),
        (["b", "a"] * 50, "CategoricalRange", {"domain": ["a", "b"]}, "2 values in 100 rows, none of them only once"),
        ([3, 1, 2] * 50, "CategoricalRange", {"domain": [1, 2, 3]}, "3 values in 150 rows, none of them only once"),
        (
            ["a"] * 500 + ["b"] * 460 + ["c"] * 20 + ["d", "e"],
            "FractionalCategoricalRange",
            {"domain": ["a", "b"], "min_in_domain": 0.96},
            "the 2 most frequent of 5 values are in 960 of 982 rows (97.8%)",
        ),
        ([0.0, 7.25, None], "NonNegative", {"range": {"min": 0}}, "the smallest of 2 numbers is 0"),
        ([f"id {at}" for at in range(3000)], "UniqueIfApproxUnique", {"unique": True}, "3,000 rows with 3,000 values, counted exactly"),
        ([f"p{at % 7}@x.org" for at in range(50)], "SemanticIfAllMatch", {"semantic": "email"}, "all 50 texts have this form"),
        (["10.0.0.1", None, "255.1.2.3"], "SemanticIfAllMatch", {"semantic": "ipv4"}, "all 2 texts have this form"),
        (["2026-01-31"] * 3, "SemanticIfAllMatch", {"semantic": "iso_date"}, "all 3 texts have this form"),
    ],
)  # fmt: skip
def test_a_rule_speaks_with_its_counts(tmp_path: Path, values: Any, rule: str, change: dict[str, Any], evidence: str) -> None:
    found = suggested(tmp_path, values)[rule]
    assert (asked(found), found.evidence) == (change, evidence)
    assert rule in found.describe()
    assert evidence in found.describe()


@pytest.mark.parametrize(
    ("values", "silent"),
    [
        ([1.5, None] * 50, "CompleteIfComplete"),
        ([1.5, *[None] * 9] * 50, "RetainCompleteness"),  # a fifth at most is there
        ([1.5] * 50, "RetainCompleteness"),
        ([0.5, 1.5] * 50, "CategoricalRange"),  # of numbers that are measured
        ([f"v{at}" for at in range(121)] * 2, "CategoricalRange"),
        (["a", "a", "b"], "CategoricalRange"),  # half of the values are there once
        (["a"] * 98 + ["b", "c"], "FractionalCategoricalRange"),  # two in three
        (["a"] * 50 + ["b"] * 50, "FractionalCategoricalRange"),
        ([-0.5, 7.25], "NonNegative"),
        ([float("-inf"), 1.0], "NonNegative"),
        (["1", "2"] * 9, "NonNegative"),
        ([*range(2999), 17], "UniqueIfApproxUnique"),  # nearly, and a sketch may take it for unique
        ([None, *range(50)], "UniqueIfApproxUnique"),
        ([at / 7 for at in range(50)], "UniqueIfApproxUnique"),
        (["a@x.org", "nobody"], "SemanticIfAllMatch"),
        (pa.array([None, None], "string"), "SemanticIfAllMatch"),
    ],
)
def test_a_rule_that_does_not_hold_is_silent(tmp_path: Path, values: Any, silent: str) -> None:
    assert silent not in suggested(tmp_path, values)


def test_a_domain_that_was_learned_by_heart_fails_on_rows_it_has_not_seen(tmp_path: Path) -> None:
    values = ["a"] * 400 + ["b"] * 400 + [f"pair {at // 2}" for at in range(100)]
    random.Random(1).shuffle(values)
    found = suggested(tmp_path, values)["CategoricalRange"]
    assert len(asked(found)["domain"]) == 52
    # A pair is unknown to the rule where both of its rows are held out together.
    assert 0.98 < found.pass_rate < 1
    assert found.passed < found.folds == 10
    assert f"{found.passed} of 10 parts" in found.describe()
    honest = suggested(tmp_path, ["a", "b", "c"] * 300)["CategoricalRange"]
    assert (honest.pass_rate, honest.passed) == (1.0, 10)


def test_rare_values_of_a_domain_count_by_the_rows_that_hold_them(tmp_path: Path) -> None:
    values = [f"v{at}" for at in range(20)] * 100 + ["once", "also once"]
    found = suggested(tmp_path, values)["CategoricalRange"]
    assert found.pass_rate == pytest.approx(1 - 2 / 2002)
    assert found.passed in (8, 9)
    assert "above 99.9%" in found.describe() or "99.9%" in found.describe()


def test_a_completeness_that_nearly_fits_fails_in_some_parts(tmp_path: Path) -> None:
    rng = random.Random(3)
    found = suggested(tmp_path, [1.5 if rng.random() < 0.8 else None for _ in range(2000)])["RetainCompleteness"]
    assert 0.75 < found.pass_rate < 0.85
    assert found.folds == 10
    assert 1 <= found.passed <= 10


def test_the_label_is_not_asked_for_what_it_is_asked_anyway(tmp_path: Path) -> None:
    assert set(suggested(tmp_path, [*range(200)])) == {"CompleteIfComplete", "NonNegative", "UniqueIfApproxUnique"}
    assert set(suggested(tmp_path, [*range(200)], "x")) == {"NonNegative"}
    with pytest.raises(ConfigError, match='"y" is not a column'):
        suggest(tmp_path / "data.parquet", "y")


def test_lower_bounds_are_wilsons() -> None:
    # Of 10 in 10 Wald's interval has no width; Wilson's ends at 0.7225.
    assert lower_bound(10, 10) == 0.72
    assert lower_bound(714, 891) == 0.77
    assert lower_bound(889, 891) == 0.99
    assert lower_bound(0, 10) == 0


def test_the_titanic_gets_the_bounds_of_deequ_less_those_of_wald() -> None:
    found = suggest(shared_data("titanic.csv"), "Survived")
    kept = {s.column: asked(s)["presence"] for s in found if s.rule == "RetainCompleteness"}
    assert kept == {"Age": {"min_fraction": 0.77}, "Cabin": {"min_fraction": 0.2}, "Embarked": {"min_fraction": 0.99}}
    assert {s.column for s in found if s.rule == "UniqueIfApproxUnique"} == {"PassengerId", "Name"}
    assert Counter(s.rule for s in found)["CategoricalRange"] == 5
