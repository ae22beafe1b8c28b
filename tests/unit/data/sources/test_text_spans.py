"""Spans of text files are read as the pipeline file and the schema say, and fit together in a window."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from taxiway.data.engine.read_rows import read_rows
from taxiway.data.ingest.ingest import ingest, store_span
from taxiway.data.ingest.read_spec import read_spec_of
from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.sources.files import find_spans
from taxiway.data.sources.find import reader_of, spans_of
from taxiway.data.sources.join_inputs import find_join_tables
from taxiway.data.sources.read_file import read_file
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.errors import DataError
from taxiway.features.encoding import raw_frame
from taxiway.records import Snapshot, Status
from taxiway.spec.source import read_source
from taxiway.stages.context import no_connection
from taxiway.store.store import Store

Take = Callable[..., Snapshot]


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def take(tmp_path: Path, store: Store, notes: list[str]) -> Take:
    """A function that ingests files as the spans 1, 2, ... under a schema; what is doubtful goes to `notes`."""

    def taken(*texts: str, schema: Schema | None = None, ending: str = "csv", **keys: Any) -> Snapshot:
        for at, text in enumerate(texts, start=1):
            (tmp_path / f"{at}.{ending}").write_text(text)
        source = read_source({"spans": f"{tmp_path}/{{SPAN}}.{ending}", "label": "y", **keys})
        return ingest(
            spans_of(source, processed=(), now=datetime.now(UTC)),
            pipeline="made",
            source=source.text,
            store=store,
            read=reader_of(source, no_connection, lambda: schema.types if schema else {}, note=notes.append),
            read_spec=read_spec_of(source, find_join_tables(source)),
            note=notes.append,
        )

    return taken


def test_the_files_are_read_as_the_pipeline_file_says(take: Take, store: Store, notes: list[str]) -> None:
    snapshot = take("x;y\n1,5;-\n", "x;y\n2,5;1\n", csv={"delimiter": ";", "decimal": ",", "null": "-"})
    assert read_rows(snapshot.training + snapshot.evaluation, store).fillna(-1).values.tolist() == [[1.5, -1], [2.5, 1]]
    assert notes == []


def test_a_doubt_about_a_file_reaches_the_log(take: Take, notes: list[str]) -> None:
    take("x, kg;y\n1,5;1\n", "x, kg;y\n1,5;1\n", csv={"delimiter": ";"})
    assert notes == []
    take("x, kg;y, t\n1,5;1,1\n", "x, kg;y, t\n1,5;1,1\n")
    assert ["fits as well" in note for note in notes] == [True, True]


def test_a_joined_table_is_read_as_its_section_says(take: Take, tmp_path: Path, store: Store) -> None:
    (tmp_path / "weather.txt").write_text("x;wind\n1;0,5\n2;1,5\n")
    join = {
        "file": str(tmp_path / "weather.txt"),
        "format": "csv",
        "csv": {"delimiter": ";", "decimal": ","},
        "on": {"x": "x"},
        "columns": ["wind"],
        "min_match_rate": 0.5,
    }
    snapshot = take("x,y\n1,1\n", "x,y\n2,0\n", join={"weather": join})
    assert list(read_rows(snapshot.training + snapshot.evaluation, store, ["wind"])["wind"]) == [0.5, 1.5]


def validated(snapshot: Snapshot, schema: Schema, store: Store) -> tuple[Status, list[str]]:
    report = validate_snapshot(snapshot, schema, store=store, today=date(2026, 1, 1))
    return report.status, [anomaly.kind for anomaly in report.anomalies]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_month_without_a_value_fits_to_the_others(take: Take, store: Store, ending: str) -> None:
    schema = Schema(features=(Feature(name="x", type="number", presence=0), Feature(name="y", type="integer")))
    texts = {
        "csv": ("x,y\n,1\nNA,0\n", "x,y\n0.5,1\n1.5,0\n"),
        "jsonl": ('{"x": null, "y": 1}\n{"y": 0}\n', '{"x": 0.5, "y": 1}\n{"x": 1.5, "y": 0}\n'),
    }
    for order in (1, -1):
        snapshot = take(*texts[ending][::order], schema=schema, ending=ending)
        assert validated(snapshot, schema, store) == (Status.PASS, [])
        spans = snapshot.training + snapshot.evaluation
        column = merge_profiles([profile_span(span, store) for span in spans]).column("x")
        assert column is not None
        assert (column.type, column.missing, column.mean) == ("number", 2, 1.0)
        cells = raw_frame(read_rows(spans, store), ("x",), ())["x"]
        assert (cells.dtype.kind, sorted(cells.dropna())) == ("f", [0.5, 1.5])


@pytest.mark.parametrize(
    ("ending", "texts"),
    [
        ("csv", ("x,y\n01067,1\n", "x,y\n10115,1\n")),
        ("jsonl", ('{"x": "soon", "y": 1}', '{"x": "2024-01-01", "y": 1}')),
    ],
)
def test_text_is_text_in_every_month(take: Take, store: Store, ending: str, texts: tuple[str, str]) -> None:
    schema = Schema(features=(Feature(name="x", type="string"), Feature(name="y", type="integer")))
    snapshot = take(*texts, schema=schema, ending=ending)
    assert validated(snapshot, schema, store) == (Status.PASS, [])
    assert all(isinstance(value, str) for value in read_rows(snapshot.training + snapshot.evaluation, store)["x"])


def test_a_new_column_is_proposed_with_one_type_for_all_months(take: Take, store: Store) -> None:
    schema = Schema(features=(Feature(name="y", type="integer"),))
    snapshot = take("zip,y\n01067,1\n", "zip,y\n10115,1\n", schema=schema)
    report = validate_snapshot(snapshot, schema, store=store, today=date(2026, 1, 1))
    assert [anomaly.proposal for anomaly in report.anomalies] == ["features.zip: {type: string, presence: optional}"] * 2


def test_a_month_of_midnights_is_a_month_of_times(take: Take, store: Store) -> None:
    schema = Schema(features=(Feature(name="at", type="datetime"), Feature(name="y", type="integer")))
    snapshot = take("at,y\n2024-01-01,1\n", "at,y\n2024-02-01 10:00,1\n", schema=schema)
    assert validated(snapshot, schema, store) == (Status.PASS, [])


def test_the_parts_of_a_span_are_one_table_with_types_that_fit_all_of_them(tmp_path: Path, store: Store) -> None:
    (tmp_path / "2024-W01").mkdir()
    (tmp_path / "2024-W01" / "a.csv").write_text("x,z,y\n1,01067,0\n")
    (tmp_path / "2024-W01" / "b.csv").write_text("y,x,z\n1,2.5,10115\n")
    (tmp_path / "2024-W02").mkdir()
    (tmp_path / "2024-W02" / "a.csv").write_text("x,z,y\n3.5,04109,1\n")
    source = read_source({"spans": f"{tmp_path}/{{YYYY}}-W{{WW}}/*.csv", "window": 1, "label": "y"})
    snapshot = ingest(
        spans_of(source, processed=(), now=datetime.now(UTC)),
        pipeline="made",
        source=source.text,
        store=store,
        read=reader_of(source, no_connection),
    )
    rows = read_rows(snapshot.training + snapshot.evaluation, store)
    assert [(span.name, span.rows) for span in snapshot.training + snapshot.evaluation] == [("2024-W01", 2), ("2024-W02", 1)]
    assert sorted(rows.values.tolist()) == [[1.0, "01067", 0], [2.5, "10115", 1], [3.5, "04109", 1]]


def test_parquet_parts_are_one_table_and_an_empty_part_is_none(tmp_path: Path, store: Store) -> None:
    for name, count in (("a", 70_000), ("b", 0), ("c", 5)):
        pd.DataFrame({"x": range(count), "a b": "t"}).to_parquet(tmp_path / f"7-{name}.parquet")
    spans = find_spans(f"{tmp_path}/{{SPAN}}-*.parquet")
    first, again = (store_span(spans[0], read_file, "s", store) for _ in range(2))
    assert (first.rows, first) == (70_005, again)
    assert read_rows((first,), store)["x"].tolist() == [*range(70_000), *range(5)]


def test_parts_with_other_columns_are_refused_by_name(tmp_path: Path, store: Store) -> None:
    (tmp_path / "1-a.csv").write_text("x,y\n1,0\n")
    (tmp_path / "1-b.csv").write_text("x,z\n1,0\n")
    with pytest.raises(DataError, match=r'1-b\.csv have different columns: "y" is only in .*1-a\.csv'):
        store_span(find_spans(f"{tmp_path}/{{SPAN}}-*.csv")[0], read_file, "s", store)
