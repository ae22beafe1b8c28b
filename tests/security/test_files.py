"""Files of people and models that expand, nest or name what they should not: refused in a sentence, in bounded memory."""

import re
import shutil
from pathlib import Path

from attacked import Refusal, attacked

REPOSITORY = Path(__file__).parents[2]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP_YAML = {
    "bomb": BOMB,
    "cycle": "a: &a {b: *a}",
    "merged": "a: &a {b: 1}\nc: {<<: *a}",
    "closed lists": "[" * 5000 + "]" * 5000,
    "lists": "[" * 100_000,
    "items": "- " * 100_000,
    "keys": "? " * 100_000,
    "mappings": "{a: " * 100_000,
}
LONG_NUMBERS = {
    "a long integer": f"flavors: {'9' * 1_000_000}",
    "hexadecimal": f"flavors: 0x{'f' * 1_000_000}",
    "base 60": f"flavors: {'59:' * 100_000}59",
    "tagged": f"flavors: !!int '{'59:' * 100_000}59'",
}
ODD_YAML = {
    "a shorter number": f"pipeline: 0x{'f' * 900}",
    "a long exponent": "pipeline: 1.0e+999999999",
    "half of a pair": 'pipeline: "\\ud800"',
    "a long word": f"pipeline: {'x' * 2_000_000}",
    "a long key": f"? {'x' * 2_000_000}\n: 1\n",
    "many keys": "".join(f"k{at}: 1\n" for at in range(20_000)),
    "a date": "pipeline: 2013-13-45",
}
MODELS = {
    **DEEP_YAML,
    **LONG_NUMBERS,
    "bomb of flavors": BOMB + "flavors: *i\n",
    "a long flavor": f"flavors: {{{'x' * 100_000}: 1}}",
    "many flavors": f"flavors: [{'x, ' * 100_000}]",
    "large": f"flavors: {'x' * (16 << 20)}",
}
SUITES = {
    "lists": "[" * 100_000,
    "mappings": '{"a":' * 100_000,
    "a long integer": f'{{"expectations": {"9" * 1_000_000}}}',
}


def check_mlmodel(text: str) -> None:
    import tempfile

    from taxiway.registry.trust import check_model

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "MLmodel").write_text(text)
        check_model(Path(folder))


def lint_file(name_and_text: tuple[str, str]) -> None:
    """Lint the flights' pipeline with another text in one of its files."""
    import tempfile

    from taxiway.cli.lint import lint

    name, text = name_and_text
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(REPOSITORY / "dags" / "flights", folder, dirs_exist_ok=True)
        (Path(folder) / name).write_text(text)
        if found := lint([Path(folder) / "late_arrivals.pipeline.yaml"]):
            raise ValueError("; ".join(found))


def check_bounds(found: dict[str, Refusal], error: str) -> None:
    assert {key: one.error for key, one in found.items()} == dict.fromkeys(found, error)
    assert {key: len(one.message) for key, one in found.items() if len(one.message) > 10_000} == {}
    assert {key: one.grown_mb for key, one in found.items() if one.grown_mb > 400} == {}


def test_a_hostile_mlmodel_is_refused_before_it_is_expanded() -> None:
    check_bounds(attacked("test_files:check_mlmodel", MODELS), "UntrustedModelError")


def test_a_hostile_file_of_a_team_is_an_error_of_lint() -> None:
    texts = {f"late_arrivals.{kind}.yaml": DEEP_YAML | LONG_NUMBERS | ODD_YAML for kind in ("pipeline", "schema")}
    texts["late_arrivals.suite.json"] = SUITES
    inputs = {f"{name}: {key}": (name, text) for name, given in texts.items() for key, text in given.items()}
    found = attacked("test_files:lint_file", inputs)
    check_bounds(found, "ValueError")
    assert [key for key, one in found.items() if not re.search(rf"{key.partition(':')[0]}(:\d+)?: ", one.message)] == []
    for key, said in (
        ("bomb", "aliases"),
        ("lists", "nested more than 50 levels deep"),
        *((key, "a number has") for key in LONG_NUMBERS),
    ):
        assert said in found[f"late_arrivals.schema.yaml: {key}"].message
