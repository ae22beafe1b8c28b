"""`taxiway profile` and `taxiway validate` on files that people have: options, notes, and what the terminal shows."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from taxiway.cli import main


def shown(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    return result.exit_code, result.output


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "x.schema.yaml"
    path.write_text("features:\n  city: {type: string, domain: [Zürich, north]}\n")
    return path


def test_options_are_those_of_every_command(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a;b\n1,5;2\n2,5;3\n")
    options = ["--format", "csv", "--csv", "delimiter=;", "--csv", "decimal=,"]
    (tmp_path / "x.yaml").write_text("features:\n  a: {type: number}\n  b: {type: integer}\n")
    code, text = shown("profile", tmp_path / "x.txt", *options)
    assert (code, "1.5" in text) == (0, True)
    assert (
        shown("validate", tmp_path / "x.txt", "--schema", tmp_path / "x.yaml", "--previous", tmp_path / "x.txt", *options)[0]
        == 0
    )
    assert shown("schema", "infer", tmp_path / "x.txt", "-o", tmp_path / "new.yaml", *options)[0] == 0
    assert "a: {type: number, presence: required}" in (tmp_path / "new.yaml").read_text()
    assert "nothing to change" in shown("schema", "update", tmp_path / "x.yaml", "--from", tmp_path / "x.txt", *options)[1]
    assert shown("profile", tmp_path / "x.txt")[0] == 2
    assert shown("profile", tmp_path / "x.txt", "--csv", "delimitr=;")[0] == 2


def test_a_doubt_is_a_note_of_every_command(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Menge, kg;Preis, EUR\n1,5;2,25\n")
    doubt = "a comma, but a semicolon fits as well"
    (tmp_path / "x.yaml").write_text("features:\n  Menge: {type: integer}\n")
    assert doubt in shown("validate", path, "--schema", tmp_path / "x.yaml")[1]
    assert doubt in shown("schema", "infer", path, "-o", tmp_path / "new.yaml")[1]
    code, text = shown("profile", path)
    assert (code, doubt in text, "give it as --csv KEY=VALUE" in text) == (0, True, True)


@pytest.mark.parametrize(
    ("value", "written", "alike"),
    [
        ("north\u200b", '"north\\u200b"', '"north"'),
        ("north\u00a0", '"north\\u00a0"', '"north"'),
        ("North", '"North"', '"north"'),
        ("Zu\u0308rich", '"Zu\\u0308rich"', '"Zürich"'),
    ],
)
def test_a_value_that_looks_like_another_is_told_from_it(
    tmp_path: Path, schema: Path, value: str, written: str, alike: str
) -> None:
    (tmp_path / "x.csv").write_text(f"city\n{value}\n")
    code, text = shown("validate", tmp_path / "x.csv", "--schema", schema)
    assert (code, f"{written} (1 row, looks like {alike})" in text) == (1, True), text
    assert value == "North" or value not in text


def test_a_column_whose_name_looks_like_that_of_the_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("cafe\u0301\n1\n")
    (tmp_path / "x.yaml").write_text("features:\n  café: {type: integer}\n")
    text = shown("validate", tmp_path / "x.csv", "--schema", tmp_path / "x.yaml")[1]
    assert 'café in x.csv is missing: the data has no such column; there is a column "cafe\\u0301".' in text
    assert "cafe\u0301" not in text


def test_a_name_cannot_write_a_line_or_a_colour_of_its_own(tmp_path: Path, schema: Path) -> None:
    names = ["b\nFAKE: PASS", "c\x1b[31m", " a"]
    pq.write_table(pa.table({name: [0, 1] for name in names}), tmp_path / "x.parquet")
    for command in (("profile",), ("validate", "--schema", schema)):
        text = shown(*command, tmp_path / "x.parquet")[1]
        assert "\x1b" not in text
        assert not [line for line in text.splitlines() if line.startswith("FAKE")]
        assert r"b\nFAKE: PASS" in text


def test_figures_are_whole_in_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a_column_with_a_name,t,u,v\n" + "1700000000001,1699999999999,1,2\n" * 2)
    assert shown("profile", tmp_path / "x.csv")[1].count("1,700,000,000,001") == 3


def test_one_is_not_many(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\nx\n")
    assert "1 row, 1 column" in shown("profile", tmp_path / "x.csv")[1]
    assert "1 column from 1 row," in shown("schema", "infer", tmp_path / "x.csv", "-o", tmp_path / "new.yaml")[1]


def test_a_range_of_dates_is_a_rule(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("d\n2024-01-01\n")
    (tmp_path / "x.yaml").write_text("features:\n  d: {type: date, range: {min: 2000-01-01}}\n")
    code, text = shown("validate", tmp_path / "x.csv", "--schema", tmp_path / "x.yaml")
    assert (code, "such as sql: COLUMN >= DATE '2000-01-01'" in text) == (2, True), text
