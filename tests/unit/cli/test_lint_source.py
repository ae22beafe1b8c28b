"""`taxiway lint`: mistakes in the section `source` of a pipeline file."""

import shutil
from pathlib import Path

import pytest
from cli.linting import DAGS, change, lint


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("pipeline.yaml", "label: late", "label: lat", 'late_arrivals.pipeline.yaml:8: source.label is "lat"'),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  split: {by: flights_id, evaluation: 0.2}",
            'late_arrivals.pipeline.yaml:9: source.split.by is "flights_id"',
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  split: {stratify: lat, evaluation: 0.2}",
            'late_arrivals.pipeline.yaml:9: source.split.stratify is "lat"',
        ),
        (
            "pipeline.yaml",
            "  window: 3",
            "  window: 1\n  split: {by_time: carrier, evaluation: 0.2}",
            "whose type in the schema is string\n    allowed: a column of type date, datetime, integer, number",
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  join:\n    w: {file: w.parquet, on: {orign: station}, columns: [temp], min_match_rate: 1}",
            'late_arrivals.pipeline.yaml:10: source.join.w.on is "orign"',
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  rows: dep_dela > 0",
            "late_arrivals.pipeline.yaml:9: source.rows names the",
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  rows: random() < 0.5",
            "late_arrivals.pipeline.yaml:9: source.rows calls",
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  unlabelled: skip",
            "late_arrivals.pipeline.yaml:9: source.unlabelled",
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  rename: {ariline: carier}",
            'late_arrivals.pipeline.yaml:9: source.rename.ariline is "carier", which is not a column of the schema',
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  rename: {carrier: carrier}",
            "rename has carrier: carrier, which is the same name",
        ),
    ],
)
def test_a_mistake_in_the_source_is_found_with_its_place(team: Path, file: str, old: str, new: str, expected: str) -> None:
    change(team / f"late_arrivals.{file}", old, new)
    code, shown = lint(team)
    assert code == 1
    assert expected in shown


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (
            "by_file",
            ".csv.gz",
            ".xlsx",
            "by_file.pipeline.yaml:5: the format of {data}/orders/{YYYY}-{MM}.xlsx is unknown",
        ),
        (
            "by_file",
            "{MM}",
            "{M}",
            'by_file.pipeline.yaml:5: source.spans is "{data}/orders/{YYYY}-{M}.csv.gz"; {M} is not a placeholder',
        ),
        ("by_function", "rows.py:read", "rows.py:raed", "by_function.pipeline.yaml:5: source.function: "),
        (
            "by_function",
            "rows.py:read",
            "row.py:read",
            'source.function is "row.py", which is not a file in the folder of the pipeline file',
        ),
        (
            "by_function",
            "first: 2026-01",
            "first: 2026",
            '"2026" is not the name of a period of one month; allowed: a name such as 2013-04',
        ),
        ("by_query", "  every: month\n", "", "source.every is missing; it is required: the length of each period"),
        ("by_query", "< {end}\n    ORDER", "< now()\n    ORDER", "it has no {end}; allowed: a query for one period"),
        (
            "by_query",
            "  connection: warehouse",
            "  function: rows.py:read",
            "sql and function are given; allowed: exactly one of files by spans: PATTERN",
        ),
    ],
)
def test_mistakes_in_a_source_are_found_without_airflow(tmp_path: Path, name: str, old: str, new: str, expected: str) -> None:
    folder = Path(shutil.copytree(DAGS.parent / "docs" / "examples" / "sources", tmp_path / "sources"))
    assert lint(folder)[0] == 0
    change(folder / f"{name}.pipeline.yaml", old, new)
    code, shown = lint(folder)
    assert code == 1
    assert expected in " ".join(shown.split()), shown


def test_a_source_function_that_cannot_be_called_is_found(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DAGS.parent / "docs" / "examples" / "sources", tmp_path / "sources"))
    change(folder / "rows.py", "def read(begin: datetime, end: datetime)", "def read(day: datetime)")
    code, shown = lint(folder)
    assert (code, "cannot be called with begin and end" in shown) == (1, True), shown


def test_rows_are_not_grouped_sampled_or_split_by_lists(team: Path) -> None:
    change(team / "late_arrivals.schema.yaml", "features:\n", "features:\n  tags: {type: list, presence: optional}\n")
    change(
        team / "late_arrivals.pipeline.yaml",
        "  label: late",
        "  label: late\n  sample: {fraction: 0.5, by: tags}\n  split: {stratify: tags, evaluation: 0.2}",
    )
    change(team / "late_arrivals.pipeline.yaml", "\ngate:\n", "\ngate:\n  group_by: tags\n")
    code, shown = lint(team)
    assert code == 1
    for key in ("source.sample.by", "source.split.stratify", "gate.group_by"):
        assert f'{key} is "tags", whose type in the schema is list\n    allowed: a column of type boolean, date' in shown
