"""The schema file: what is wrong in it is named by file, line and key; what is right comes back as it was."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.data.schema.file import Drift, Feature, Range, Schema, infer_schema, load_schema, schema_to_yaml
from taxiway.errors import ConfigError
from taxiway.records import Severity, Snapshot, Span, Waiver
from taxiway.store.store import Store

WHOLE = """\
label: late
key: id
min_rows: 10
features:
  id: {type: string, domain: open}
  carrier:
    type: string
    domain: [9E, "NO"]
    drift: {limit: 0.05, severity: warning}
  wind:
    type: number
    unit: mph
    description: of the hour
    presence: {min_fraction: 0.9}
    range: {min: 0, max: 75}
  hour: {type: integer, presence: optional, domain: [5, 6], severity: warning}
  late: {type: boolean, presence: required}
waivers:
  - {kind: range, column: wind, owner: ann, reason: new station, until: 2026-01-31}
"""


def load(text: str, folder: Path) -> Schema:
    path = folder / "made.schema.yaml"
    path.write_text(text)
    return load_schema(path)


def refused(text: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(text, folder)
    return str(error.value).removeprefix(f"{folder}/")


def test_everything_that_a_schema_says_is_read(tmp_path: Path) -> None:
    schema = load(WHOLE, tmp_path)
    assert (schema.label, schema.key, schema.min_rows) == ("late", ("id",), 10)
    assert schema.feature("carrier") == Feature(
        name="carrier", type="string", domain=("9E", "NO"), drift=Drift(limit=0.05, severity=Severity.WARNING)
    )
    assert schema.feature("wind") == Feature(
        name="wind", type="number", unit="mph", description="of the hour", presence=0.9, range=Range(min=0, max=75)
    )
    assert schema.feature("hour") == Feature(name="hour", type="integer", presence=0, domain=(5, 6), severity=Severity.WARNING)
    assert schema.feature("nowhere") is None
    assert schema.waivers == (Waiver(kind="range", column="wind", owner="ann", reason="new station", until=date(2026, 1, 31)),)


def test_features_auto_are_in_file_order_without_label_and_key(tmp_path: Path) -> None:
    schema = load(WHOLE.replace("late: {type: boolean", "flag: {type: boolean}\n  late: {type: boolean"), tmp_path)
    assert schema.numeric("late") == ("wind", "hour")
    assert schema.categorical("late") == ("carrier", "flag")
    assert schema.numeric("wind") == ("hour",)


def test_a_schema_of_data_without_a_label_has_none(tmp_path: Path) -> None:
    schema = load(WHOLE.replace("label: late\n", ""), tmp_path)
    assert schema.label is None
    assert load(schema_to_yaml(schema), tmp_path) == schema


def test_any_change_is_another_schema_version_and_a_comment_is_none(tmp_path: Path) -> None:
    version = load(WHOLE, tmp_path).digest
    assert load(f"# why\n{WHOLE}", tmp_path).digest == version
    assert load(WHOLE.replace("max: 75", "max: 76"), tmp_path).digest != version


def test_a_schema_comes_back_from_yaml_and_json_as_it_was(tmp_path: Path) -> None:
    schema = load(WHOLE, tmp_path)
    assert load(schema_to_yaml(schema), tmp_path) == schema
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("min_rows: 10", "min_row: 10", 'made.schema.yaml:3: min_row is not an allowed key\n    allowed: environments, feature_skew, features, key, label, max_rows, metric_checks, min_rows, rows_ratio, rules, waivers   (did you mean "min_rows"?)'),
        ("    unit: mph", "    units: mph", "made.schema.yaml:12: features.wind.units is not an allowed key\n    allowed: collected, description, distinct, domain,"),
        ("type: number", "type: float", 'made.schema.yaml:11: features.wind.type is "float"\n    allowed: boolean, date, datetime, integer, list, number, string'),
        ("type: number", "type: nubmer", '(did you mean "number"?)'),
        ("severity: warning}\n  wind", "severity: warn}\n  wind", 'features.carrier.drift.severity is "warn"\n    allowed: error, warning   (did you mean "warning"?)'),
        ("limit: 0.05", "limit: 1.5", "made.schema.yaml:9: features.carrier.drift.limit is 1.5; allowed: less than or equal to 1"),
        ("limit: 0.05", "limt: 0.05", 'features.carrier.drift.limt is not an allowed key\n    allowed: distance, limit, severity   (did you mean "limit"?)'),
        ("limit: 0.05", "limit: .nan", "features.carrier.drift.limit"),
        ("{min: 0, max: 75}", "{min: 75, max: 0}", "made.schema.yaml:15: features.wind.range is {min: 75, max: 0}; allowed: min, max or both, finite numbers"),
        ("{min: 0, max: 75}", "{}", "features.wind.range is {}; allowed: min, max or both"),
        ("{min: 0, max: 75}", "{max: .inf}", "features.wind.range is {max: .inf}; allowed: min, max or both"),
        ("{min_fraction: 0.9}", "{min_fraction: 1.5}", "features.wind.presence is {min_fraction: 1.5}; allowed: required, optional"),
        ("{min_fraction: 0.9}", "always", 'features.wind.presence is "always"; allowed: required, optional, or {min_fraction: F}'),
        ('[9E, "NO"]', "[9E, NO]", "YAML reads one of the values as False; put text in quotes"),
        ('[9E, "NO"]', "[9E, 12]", "domain has 12, which is not of type string; put it in quotes"),
        ('[9E, "NO"]', "[9E, 9E]", "domain has '9E' more than once"),
        ('[9E, "NO"]', "[]", "allowed: open, or a list of at least one value"),
        ("domain: [5, 6]", 'domain: ["5"]', "domain has '5', which is not of type integer"),
        ("domain: [5, 6]", "drift: {limit: 0.001}", "allowed: 0.02 or more, the resolution of 101 quantiles"),
        ("domain: open}", "range: {min: 1}}", "a feature of type string cannot have a range; allowed for integer and number"),
        ("domain: open}", "pattern: (?=x)x}", 'features.id.pattern is "(?=x)x"; DuckDB cannot compile it (Invalid Input Error: invalid perl operator: (?=); allowed: RE2 regular expressions, without lookaround and backreferences'),
        ("presence: required}", "domain: [1]}", "a feature of type boolean cannot have a domain"),
        ("late: {type: boolean, presence: required}", "late: {type: date, drift: {limit: 0.1}}", "drift is not measured for the type date"),
        ("label: late", "label: lite", 'made.schema.yaml:1: label is "lite", which is not in features\n    allowed: carrier, hour, id, late, wind   (did you mean "late"?)'),
        ("key: id", "key: [id, idd]", 'key is "idd", which is not in features'),
        ("min_rows: 10", "min_rows: 0", "min_rows is 0; allowed: greater than or equal to 1"),
        ("kind: range", "kind: rang", 'made.schema.yaml:19: waivers[0].kind is "rang"\n    allowed: distinct, domain, drift,'),
        ("column: wind", "column: wnd", 'waivers[0].column is "wnd", which is not in the schema'),
        ("until: 2026-01-31", "until: never", 'waivers[0].until is "never"'),
        (", until: 2026-01-31", "", "waivers[0].until is missing"),
        ("  hour: {", "  hour:\n  minute: {", "features.hour is None; allowed: a mapping with at least type"),
        ("  hour: {", "  wind: {", "made.schema.yaml:16: features.wind occurs twice, first on line 10"),
        ("key: id", "key: id\nkey: id", "made.schema.yaml:3: key occurs twice, first on line 2"),
        ("key: id", "key: [id", "this is not YAML"),
        ("key: id", "{a: b}: id", "a key must be a single value"),
        ("key: id", "? [a, b]\n: id", "a key must be a single value"),
        ("unit: mph", "unit: mph\n    name: breeze", "features.wind.name is not allowed; the name is the key above it"),
        (WHOLE, "", "made.schema.yaml:1: the file is empty"),
        (WHOLE, "- a", "a schema must be a mapping with the keys label, key, environments, min_rows, max_rows, rows_ratio, features, rules, metric_checks, feature_skew, waivers"),
        (WHOLE, "label: x\nfeatures: [a]", "features is a list; allowed: a mapping of names to their keys"),
        (WHOLE, "label: x\nfeatures: {}", "features is []"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in WHOLE
    assert said in refused(WHOLE.replace(old, new), tmp_path)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    message = refused(WHOLE.replace("type: number", "type: nubmer").replace("min_rows: 10", "min_rows: 0"), tmp_path)
    assert "min_rows" in message
    assert "features.wind.type" in message


def test_a_file_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    load(WHOLE, tmp_path)
    with pytest.raises(ConfigError, match=r"does not exist; files in that folder: made\.schema\.yaml"):
        load_schema(tmp_path / "other.schema.yaml")


def test_a_new_column_may_be_waived_though_the_schema_does_not_know_it(tmp_path: Path) -> None:
    schema = load(WHOLE.replace("kind: range, column: wind", "kind: new_column, column: mystery"), tmp_path)
    assert schema.waivers[0].column == "mystery"


@pytest.mark.parametrize("named", ["duplicate_key, column: 'carrier, hour'", "join_match, column: 'wind, other'"])
def test_a_finding_on_several_columns_may_be_waived(named: str, tmp_path: Path) -> None:
    schema = load(WHOLE.replace("kind: range, column: wind", f"kind: {named}"), tmp_path)
    assert schema.waivers[0].column in named
    assert '"carrier, hours"' in refused(WHOLE.replace("column: wind", "column: 'carrier, hours'"), tmp_path)


names = st.text(min_size=1, max_size=8).filter(lambda name: name.isprintable() and name == name.strip())


@st.composite
def features(draw: st.DrawFn) -> Feature:
    kind = draw(st.sampled_from(["boolean", "date", "datetime", "integer", "number", "string"]))
    domain = {
        "string": st.none() | st.lists(st.text(max_size=6), min_size=1, max_size=4, unique=True).map(tuple),
        "integer": st.none() | st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=4, unique=True).map(tuple),
    }
    low, width = draw(st.floats(-1e9, 1e9)), draw(st.floats(0, 1e9))
    return Feature(
        name=draw(names),
        type=kind,
        description=draw(st.text(max_size=20)),
        presence=draw(st.floats(0, 1)),
        domain=draw(domain.get(kind, st.none())),
        range=draw(st.sampled_from([None, Range(min=low), Range(max=low), Range(min=low, max=low + width)]))
        if kind in ("number", "integer")
        else None,
        drift=draw(st.none() | st.builds(Drift, limit=st.floats(0.02, 1), severity=st.sampled_from(Severity)))
        if kind not in ("date", "datetime")
        else None,
        severity=draw(st.sampled_from(Severity)),
    )


@given(st.lists(features(), min_size=1, max_size=4, unique_by=lambda feature: feature.name))
def test_any_schema_survives_being_written_as_yaml(tmp_path_factory: pytest.TempPathFactory, made: list[Feature]) -> None:
    schema = Schema(label=made[0].name, key=tuple(f.name for f in made[1:]), features=tuple(made))
    assert load(schema_to_yaml(schema), tmp_path_factory.mktemp("yaml")) == schema


SEEN = pd.DataFrame(
    {
        "id": [f"row {at}" for at in range(120)],
        "word": ["b", "a", "c"] * 40,
        "digits": ["1", "2", "-3"] * 40,
        "gaps": ["x", None] * 60,
        "count": range(120),
        "share": [0.5, None] * 60,
        "late": [True, False] * 60,
    }
)


def test_a_schema_is_inferred_by_the_published_rules(span_of: Callable[..., Span], store: Store) -> None:
    schema = infer_schema([span_of(SEEN)], store, "late")
    got = {f.name: (f.type, f.presence, f.domain, f.range, f.drift) for f in schema.features}
    assert got == {
        "id": ("string", 1, None, None, None),  # 120 values are more than a domain has
        "word": ("string", 1, ("a", "b", "c"), None, None),
        "digits": ("string", 1, None, None, None),  # numbers written as text are no closed set
        "gaps": ("string", 0, ("x",), None, None),  # one missing row makes it optional, never a fraction
        "count": ("integer", 1, None, None, None),  # ranges are not inferred
        "share": ("number", 0, None, None, None),
        "late": ("boolean", 1, None, None, None),
    }
    assert list(got) == list(SEEN.columns)


def test_a_schema_is_inferred_from_training_only(snapshot_of: Callable[..., Snapshot], store: Store) -> None:
    snapshot = snapshot_of(SEEN, SEEN, SEEN.assign(word="new"))
    word = infer_schema(snapshot, store, "late").feature("word")
    assert word is not None
    assert word.domain == ("a", "b", "c")


def test_inferring_without_the_label_says_which_columns_there_are(span_of: Callable[..., Span], store: Store) -> None:
    with pytest.raises(ConfigError, match=r'"lat" is not a column\n.*did you mean "late"'):
        infer_schema([span_of(SEEN)], store, "lat")
    with pytest.raises(ConfigError, match="at least one span"):
        infer_schema([], store, "late")
