"""Values of YAML files: as people read them, or a mistake with its line."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from taxiway.errors import ConfigError
from taxiway.spec.yaml_files.dialect import Dumper
from taxiway.spec.yaml_files.document import read_yaml


def read(folder: Path, text: str) -> Any:
    path = folder / "values.yaml"
    path.write_text(text)
    return read_yaml(path).content


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-1E5", -100_000.0),
        (".5e2", 50.0),
        ("2.5e+3", 2500.0),
        ('"1e-3"', "1e-3"),
        ("1e", "1e"),
        ("v1e3", "v1e3"),
        ("0", 0),
        ("-0", 0),
        ("0.5", 0.5),
        ("0x1f", 31),
        (".inf", float("inf")),
        ('"0010"', "0010"),
        ("2013-04-01", date(2013, 4, 1)),
        ("[1e-3, 1e-2]", [0.001, 0.01]),
    ],
)
def test_a_value_is_what_people_read(tmp_path: Path, text: str, value: Any) -> None:
    found = read(tmp_path, f"a: {text}\n")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 0010", ["values.yaml:1: a is 0010, which YAML reads as the number 8; put it in quotes if it is text"]),
        ("b: 1\na: [5, 1:30]", ["values.yaml:2: a[1] is 1:30, which YAML reads as the number 90"]),
        ("a: 12e4567", ["a is 12e4567, which is too large for a number; put it in quotes if it is text"]),
        ("a: 1_000", ["a is 1_000, which YAML reads as the number 1000"]),
        ("a:\n  0010: x", ["values.yaml:2: a.0010 is a key that YAML reads as the number 8; put it in quotes"]),
        ("1.10: x", ["1.10 is a key that YAML reads as the number 1.1"]),
        (
            "a: 1\nb: 2013-02-30",
            ['values.yaml:2: b is "2013-02-30", which is not a valid date or time: day is out of range', "quotes"],
        ),
        ("a: !!bool maybe", ['a is "maybe", which is not a valid boolean']),
        ("a: !!int ''", ['a is "", which is not a valid integer']),
        ("a: !!float ''", ["which is not a valid number"]),
        ("a: !!timestamp foo", ["which is not a valid date or time"]),
        ("b: 1\na: !thing 1", ["values.yaml:2: this is not YAML: could not determine a constructor for the tag '!thing'"]),
        (
            "schedule: @daily",
            ["values.yaml:1: this is not YAML: found character that cannot start any token; put it in quotes"],
        ),
        ("on: 1\ntrue: 2", ["values.yaml:2: true occurs twice, first on line 1; keep one"]),
        ("a:\n  no: 1\n  false: 2", ["a.false occurs twice, first on line 2"]),
        ("a: 1\nb: 2\na: 3", ["values.yaml:3: a occurs twice, first on line 1"]),
    ],
)
def test_what_would_be_read_otherwise_is_a_mistake(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, f"{text}\n")
    for each in words:
        assert each in str(raised.value)


@pytest.mark.parametrize(
    "text", ["1e-3", "1E5", ".5e2", "0010", "1:30", "1_000", "yes", "2013-04-01", "~", "1.10", "a: b", "@x"]
)
def test_a_text_that_looks_like_another_value_is_written_in_quotes(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, yaml.dump({text: [text, text]}, Dumper=Dumper)) == {text: [text, text]}
