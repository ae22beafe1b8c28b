"""Changing a schema file: what was asked is changed, and nothing that people wrote is lost."""

import re
import string
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.schema.constraints import Counts, LifecycleStage, Range
from taxiway.data.schema.edit import update_schema
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.file import load_schema, schema_to_yaml
from taxiway.data.schema.model import Schema
from taxiway.errors import ConfigError
from taxiway.records import SchemaChange

FILE = """\
# What flights look like.
label: late

features:
  # Timetable
  carrier:                      # two letters
    type: string
    domain: [AA, "NO",          # big ones
             YV]
    presence: required          # always
    # end of carrier

  wind:
    type: number
    range:
      min: 0                    # calm
      max: 75                   # seen 42
    description: |
      In miles an hour.

      Of the hour.
  hour: {type: integer, presence: {min_fraction: 0.9}, domain: [5, 6]}   # of departure
  airports:
    domain:
    - EWR
    - JFK                       # the largest
    type: string
  late: {type: boolean}
# The end.
"""


def change(path: str, value: Any, action: str = "set") -> SchemaChange:
    return SchemaChange.model_validate({"path": tuple(path.split(".")), "action": action, "value": value})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flights.schema.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("asked", "old", "new"),
    [
        (change("features.carrier.presence", "optional"), "presence: required  ", "presence: optional  "),
        (change("features.carrier.domain", ["ZZ", "OFF"], "add"), "YV]", "YV, ZZ, 'OFF']"),
        (change("features.airports.domain", ["LGA"], "add"), "# the largest\n", "# the largest\n    - LGA\n"),
        (change("features.wind.range", {"min": -1, "max": 80}), "0                    # calm\n      max: 75", "-1                    # calm\n      max: 80"),
        (change("features.wind.presence", {"min_fraction": 0.5}), "Of the hour.\n", "Of the hour.\n    presence: {min_fraction: 0.5}\n"),
        (change("features.hour.presence", "optional"), "presence: {min_fraction: 0.9}", "presence: optional"),
        (change("features.late.stage", "deprecated"), "late: {type: boolean}", "late: {type: boolean, stage: deprecated}"),
        (change("features.carrier.drift", {"limit": 1e-05}), "# always\n", "# always\n    drift: {limit: 1.0e-05}\n"),
        (change("features.hour.since", "2026-11-22"), "[5, 6]}", "[5, 6], since: 2026-11-22}"),
        (change("features.new col", {"type": "list"}), "late: {type: boolean}\n", "late: {type: boolean}\n  new col: {type: list}\n"),
        (change("max_rows", 9), "late: {type: boolean}\n", "late: {type: boolean}\nmax_rows: 9\n"),
    ],
    ids=lambda value: value.describe() if isinstance(value, SchemaChange) else "",
)  # fmt: skip
def test_only_the_place_that_changes_is_changed(file: Path, asked: SchemaChange, old: str, new: str) -> None:
    assert FILE.count(old) == 1
    update_schema(file, [asked])
    assert file.read_text() == FILE.replace(old, new)


def test_what_was_said_within_a_value_is_said_after_it(file: Path) -> None:
    update_schema(file, [change("features.carrier.domain", "open")])
    assert "    domain: open\n    # big ones\n    presence: required          # always\n" in file.read_text()


def test_line_ends_and_permissions_stay(file: Path) -> None:
    file.write_bytes(FILE.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    update_schema(file, [change("features.carrier.distinct", {"max": 20}), change("features.airports.domain", ["LGA"], "add")])
    text = file.read_bytes().decode()
    assert re.findall(r"(?<!\r)\n", text) == []
    assert "    distinct: {max: 20}\r\n    # end of carrier\r\n" in text
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (change("features.carrier.type", "integer"), "features.carrier.type: integer"),
        (change("features.carrier.drift", {"limit": 2}), "less than or equal to 1"),
        (change("features.wind.domain", [1], "add"), "add needs a list in the file"),
        (change("features.nowhere.presence", "optional"), "type is missing"),
    ],
)
def test_a_change_that_makes_no_schema_changes_nothing(file: Path, asked: SchemaChange, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        update_schema(file, [change("features.hour.presence", "optional"), asked])
    assert file.read_text() == FILE
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_columns_whose_names_yaml_reads_as_numbers_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "x.schema.yaml"
    path.write_text("features:\n  2020: {type: integer}   # a year\n  a: {type: string}\n")
    assert update_schema(path, [change("features.2020.presence", "optional")]).features[0].presence == 0
    assert path.read_text() == "features:\n  2020: {type: integer, presence: optional}   # a year\n  a: {type: string}\n"


# YAML writes names with line ends, and long ones, after a question mark and over several lines.
ODD = [
    "\n",
    "\n+",
    "two\nlines",
    "\r\nx",
    "x\x85y",
    "\u2028",
    "\ufeff\n",
    "n" * 127,
    "n" * 128,
    "n" * 1100,
    "\n" * 130,
    " ",
    "- a",
    "?",
    "a: b",
]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("flow", [False, True])
def test_columns_with_any_name_are_changed_and_added(tmp_path: Path, name: str, flow: bool) -> None:
    path = tmp_path / "x.schema.yaml"
    schema = Schema(features=(Feature(name=name, type="integer"), Feature(name="z", type="number")))
    text = schema_to_yaml(schema)
    path.write_text(yaml.safe_dump(yaml.safe_load(text), default_flow_style=True, sort_keys=False) if flow else text)
    update_schema(path, [SchemaChange(path=("features", name, "presence"), value="optional")])
    update_schema(path, [SchemaChange(path=("features", f"{name}+"), value={"type": "boolean"})])
    after = load_schema(path)
    assert [(feature.name, feature.presence) for feature in after.features] == [(name, 0), ("z", 1), (f"{name}+", 1)]


names = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12),
    st.text(string.ascii_letters, min_size=1),
    st.text("ab \n\x85", min_size=1, max_size=200),
)
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@st.composite
def feature(draw: Any, name: str) -> Feature:
    kind = draw(st.sampled_from(["integer", "string", "number", "list", "boolean"]))
    more: dict[str, Any] = {}
    if kind == "string" and draw(st.booleans()):
        more["domain"] = tuple(draw(st.lists(words, min_size=1, max_size=4, unique=True)))
    if kind == "number" and draw(st.booleans()):
        more["range"] = Range(min=draw(st.floats(-1e30, 1e30)))
    if kind == "list" and draw(st.booleans()):
        more["valency"] = Counts(min=draw(st.integers(0, 9)))
    return Feature(
        name=name,
        type=kind,
        presence=draw(st.sampled_from([0.0, 0.5, 1.0])),
        description=draw(words),
        stage=draw(st.sampled_from(list(LifecycleStage))),
        since=draw(st.none() | st.just(date(2026, 1, 2))),
        **more,
    )


@st.composite
def schemas(draw: Any) -> Schema:
    found = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    return Schema(label=draw(st.none() | st.sampled_from(found)), features=tuple(draw(feature(name)) for name in found))


def asked_of(draw: Any, schema: Schema) -> list[SchemaChange]:
    feature = draw(st.sampled_from(schema.features))
    at: tuple[str, ...] = ("features", feature.name)
    possible = [
        SchemaChange(path=(*at, "presence"), value=draw(st.sampled_from(["optional", "required", {"min_fraction": 0.25}]))),
        SchemaChange(path=(*at, "stage"), value=draw(st.sampled_from([str(stage) for stage in LifecycleStage]))),
        SchemaChange(path=(*at, "distinct"), value={"max": draw(st.integers(0, 10**12))}),
        SchemaChange(path=("min_rows",), value=draw(st.integers(1, 10**9))),
        SchemaChange(path=("features", f"{feature.name}+"), value={"type": "integer", "description": draw(words)}),
    ]
    if feature.range is not None:
        possible.append(SchemaChange(path=(*at, "range"), value={"min": draw(st.floats(-1e30, 1e30))}))
    if feature.domain is not None:
        added = draw(st.lists(words.filter(lambda word: word not in feature.domain), min_size=1, max_size=3, unique=True))
        possible.append(SchemaChange(path=(*at, "domain"), action="add", value=added))
    return draw(st.lists(st.sampled_from(possible), min_size=1, max_size=3, unique_by=lambda change: change.path))


@examples(150)
@given(data=st.data())
def test_any_schema_that_is_updated_keeps_its_comments_and_loads(data: st.DataObject, tmp_path: Path) -> None:
    schema = data.draw(schemas())
    path = tmp_path / "made.schema.yaml"
    lines = schema_to_yaml(schema).splitlines()
    said = []
    for at, line in enumerate(lines):
        # Not within text that is written over several lines, where it would be text.
        if re.fullmatch(r" *[a-z_]+: ([a-z]+|\{[a-z0-9_:, .]*\}|)", line) and data.draw(st.booleans()):
            said.append(f"# said {at}")
            lines[at] = f"{line}   {said[-1]}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        before = load_schema(path)
    except ConfigError:
        return  # a comment got into text: no file to test with
    changes = asked_of(data.draw, before)
    after = update_schema(path, changes)
    assert load_schema(path) == after
    text = path.read_text(encoding="utf-8")
    assert [comment for comment in said if comment not in text] == []
    untouched = {f.name: f for f in before.features if not any(c.path[:2] == ("features", f.name) for c in changes)}
    assert {f.name: f for f in after.features if f.name in untouched} == untouched
