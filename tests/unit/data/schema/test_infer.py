"""Schemas inferred by the published rules of TensorFlow Data Validation, case by case, and what we do otherwise."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helping import shared_data
from taxiway.data.formats.open_data import open_data
from taxiway.data.profiling.compute import profile
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.profiling.profiler import profile_table
from taxiway.data.schema.constraints import Counts, Range
from taxiway.data.schema.draft import render_draft
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.file import load_schema
from taxiway.data.schema.infer import closed_domain, infer_from
from taxiway.data.schema.model import TRAINING
from taxiway.data.schema.remarks import remarks_of
from taxiway.data.schema.suggest import suggest
from taxiway.data.validation.validate import validate
from taxiway.errors import ConfigError, DataError
from taxiway.records import Status


def profile_of(folder: Path, **columns: Any) -> Profile:
    pq.write_table(pa.table(columns), folder / "data.parquet")
    return profile(folder / "data.parquet")


def remarks(path: Path) -> dict[str, str]:
    with open_data(path) as table:
        return remarks_of(table, profile_table(table))


def inferred(folder: Path, values: Any) -> Feature:
    (feature,) = infer_from(profile_of(folder, x=values)).features
    return feature


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # Many values: text without a domain, required because none is missing.
        ([f"v{at}" for at in range(101)], {"type": "string", "presence": 1.0}),
        ([f"v{at}" for at in range(100)], {"type": "string", "domain": tuple(sorted(f"v{at}" for at in range(100)))}),
        # 3 of 6 are there: optional, never a fraction; the values that were seen are the domain.
        (["a", "a", "b", None, None, None], {"type": "string", "presence": 0.0, "domain": ("a", "b")}),
        # Numbers in text are no closed set, wherever they end.
        (["1", "-2", "3"], {"type": "string"}),
        (["1", "x"], {"type": "string", "domain": ("1", "x")}),
        # Lists of one length keep it, present everywhere or not; else at least one item, or nothing.
        ([[1], [2], [3]], {"type": "list", "valency": Counts(min=1, max=1)}),
        ([[1, 2], [2, 3], None], {"type": "list", "presence": 0.0, "valency": Counts(min=2, max=2)}),
        ([[1], [2, 3]], {"type": "list", "valency": Counts(min=1)}),
        ([[], [2]], {"type": "list"}),
        ([True, False], {"type": "boolean"}),
        ([0, 1], {"type": "integer"}),
        ([0.5, float("inf")], {"type": "number"}),
    ],
)
def test_a_feature_is_inferred_by_the_published_rules(tmp_path: Path, values: Any, expected: dict[str, Any]) -> None:
    assert inferred(tmp_path, values) == Feature(name="x", **expected)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["true", "false"], "booleans stored as text"),
        (["false", "false"], "booleans stored as text"),
        (["SET", "CLEAR"], "booleans stored as text"),
        (["true", "1"], 'only "1" and "true"; if these are booleans'),
        (["Oui", "non"], 'only "Oui" and "non"; if these are booleans'),
        (["<=50K", ">50K"], ""),
        (["female", "male"], ""),
        (["true", "wacky", "1"], ""),
        ([f"v{at}" for at in range(10_037)], ""),
        ([0, 1], "if these are booleans"),
        ([0, 1, 2], ""),
        ([-1, 1], ""),
        (["12", "13"], "integers stored as text"),
        ([0.0, 1.0], ""),
    ],
)
def test_what_may_be_another_type_is_told_and_not_changed(tmp_path: Path, values: Any, words: str) -> None:
    made = profile_of(tmp_path, x=values)
    found = remarks(tmp_path / "data.parquet")
    assert (words in found["x"]) if words else not found
    text = render_draft(infer_from(made), made, "data.parquet", found)
    assert (f"  # {words}" in text or words in text) if words else text.count("#") == 2


def test_ranges_are_inferred_only_where_they_are_asked_for(tmp_path: Path) -> None:
    made = profile_of(
        tmp_path, i=[3, 1], f=[0.5, 2.5], up=[1.0, float("inf")], none=pa.array([None, None], "float64"), t=["a", "b"]
    )
    assert {feature.range for feature in infer_from(made).features} == {None}
    observed = {feature.name: feature.range for feature in infer_from(made, ranges="observed").features}
    assert observed == {"i": Range(min=1, max=3), "f": Range(min=0.5, max=2.5), "up": Range(min=1), "none": None, "t": None}


@pytest.mark.parametrize(("most", "domain"), [(2, ("a", "b")), (1, None)])
def test_a_domain_has_at_most_so_many_values(tmp_path: Path, most: int, domain: tuple[str, ...] | None) -> None:
    (column,) = profile_of(tmp_path, x=["a", "a", "b", None]).columns
    assert closed_domain(column, most) == domain


def test_enums_that_are_nearly_the_same_stay_two(tmp_path: Path) -> None:
    states = [f"s{at}" for at in range(20)]
    first, second = infer_from(profile_of(tmp_path, a=states, b=[*states[1:], "s20"])).features
    assert first.domain is not None
    assert second.domain is not None
    assert "s20" not in first.domain
    assert "s0" not in second.domain


def test_the_label_is_expected_in_training_only_and_may_be_left_out(tmp_path: Path) -> None:
    made = profile_of(tmp_path, a=[1, 2], y=[0, 1])
    schema = infer_from(made, "y")
    assert [feature.environments for feature in schema.features] == [None, (TRAINING,)]
    assert infer_from(made).label is None
    with pytest.raises(ConfigError, match=r'"z" is not a column'):
        infer_from(made, "z")


def test_a_column_without_statistics_is_refused_or_left_out(tmp_path: Path) -> None:
    made = profile_of(tmp_path, a=[1], b=pa.array([{"x": 1}]))
    with pytest.raises(DataError, match=r"column b has the type STRUCT"):
        infer_from(made)
    assert [feature.name for feature in infer_from(made, without=["b"]).features] == ["a"]


@pytest.mark.parametrize(
    "name", ["titanic.csv", "penguins_labelled.csv", "chicago_taxi_big_tipper.csv", "bike_sharing_hour.csv"]
)
@pytest.mark.parametrize("ranges", ["none", "observed"])
def test_data_pass_the_schema_that_was_inferred_from_them(tmp_path: Path, name: str, ranges: Any) -> None:
    path = shared_data(name)
    made = profile(path)
    schema = infer_from(made, ranges=ranges)
    (tmp_path / "x.yaml").write_text(render_draft(schema, made, name, remarks(path), suggest(path)))
    assert load_schema(tmp_path / "x.yaml") == schema
    report = validate(path, schema)
    assert (report.status, report.anomalies) == (Status.PASS, ())


def test_one_half_of_the_taxis_is_told_from_the_other(tmp_path: Path) -> None:
    header, *rows = shared_data("chicago_taxi_big_tipper.csv").read_text().splitlines()
    halves = (rows[: len(rows) // 2], rows[len(rows) // 2 :])
    first, second = (tmp_path / "first.csv", tmp_path / "second.csv")
    for path, half in zip((first, second), halves, strict=True):
        path.write_text("\n".join([header, *half]) + "\n")
    made = profile(first)
    tract = made.column("pickup_census_tract")
    assert tract is not None
    assert (tract.present, remarks(first)["pickup_census_tract"]) == (0, "no values in the data: the type is a guess")
    found = {(a.kind, a.column): a for a in validate(second, infer_from(made, "big_tipper")).anomalies}
    # A column of text in the schema is read from CSV as text, whatever it holds.
    assert set(found) == {("domain", "company")}
    assert "in 16 of 7,501 rows (0.2%)" in found["domain", "company"].message
    back = {(a.kind, a.column): a for a in validate(first, infer_from(profile(second), "big_tipper")).anomalies}
    assert '1 of 7,501 rows (below 0.1%): "Prcard"' in back["domain", "payment_type"].message
    assert back["presence", "pickup_latitude"].rows == (1, 2)


def test_a_comment_cannot_break_the_file(tmp_path: Path) -> None:
    values = ["true\x07", "x\n  evil: 1"] * 20
    made = profile_of(tmp_path, **{"a\nb": values, "c": [f"{at}" for at in range(40)]})
    pq.write_table(pa.table({"a\nb": values, "c": [f"{at}" for at in range(40)]}), tmp_path / "data.parquet")
    schema = infer_from(made)
    path = tmp_path / "data.parquet"
    (tmp_path / "x.yaml").write_text(render_draft(schema, made, "da\nta", remarks(path), suggest(path)), encoding="utf-8")
    assert load_schema(tmp_path / "x.yaml") == schema


def test_column_profiles_need_no_values(tmp_path: Path) -> None:
    empty = ColumnProfile(name="x", type="string", storage="VARCHAR", rows=2, missing=2)
    assert infer_from(Profile(rows=2, columns=(empty,))).features == (Feature(name="x", type="string", presence=0),)
