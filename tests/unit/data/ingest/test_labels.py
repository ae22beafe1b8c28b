"""Imported labels are joined by key, whatever the types of the files, and never replace a label of the source."""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import open_data
from taxiway.data.ingest.labels.fill import LabelSource, fill_labels
from taxiway.data.ingest.labels.given import find_rows, given_labels
from taxiway.data.ingest.labels.imported import (
    LabelBatch,
    SpanLabels,
    add_batch,
    imported_labels,
    labelled_spans,
    labels_state,
)
from taxiway.errors import DataError
from taxiway.records import Span
from taxiway.store import Store

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def labels(given: dict[str, Any], kind: pa.DataType = pa.bool_()) -> SpanLabels:  # noqa: B008 it cannot be changed
    return SpanLabels(("id",), ("d" * 32,), {"ann": {(key,): label for key, label in given.items()}}, kind)


def filled(tmp_path: Path, rows: pa.Table, given: SpanLabels) -> "tuple[int, pa.Table | None]":
    pq.write_table(rows, tmp_path / "rows.parquet")
    count = fill_labels(tmp_path / "rows.parquet", given, "y", tmp_path / "filled.parquet", "span 1")
    return count, pq.read_table(tmp_path / "filled.parquet") if count else None


@pytest.mark.parametrize(
    ("column", "kind", "given", "expected"),
    [
        (pa.array([None, True, None]), pa.bool_(), {"1": False, "2": False}, [False, True, None]),
        (pa.nulls(3), pa.bool_(), {"1": False, "3": True}, [False, None, True]),
        (pa.array([float("nan"), 2.5, None]), pa.float64(), {"1": 1.5, "2": 9.0, "3": 3.5}, [1.5, 2.5, 3.5]),
        (pa.array([None, 2, None], pa.int8()), pa.int64(), {"1": 1}, [1, 2, None]),
        (pa.array([None, "b", None]).dictionary_encode(), pa.string(), {"3": "c"}, [None, "b", "c"]),
    ],
)
def test_only_missing_labels_are_filled(
    tmp_path: Path, column: pa.Array, kind: pa.DataType, given: dict[str, Any], expected: list[Any]
) -> None:
    rows = pa.table({"id": [1, 2, 3], "y": column, "a": ["x", "y", "z"]})
    count, found = filled(tmp_path, rows, labels(given, kind))
    assert found is not None
    assert (count, found["y"].to_pylist()) == (sum(a != b for a, b in zip(expected, column.to_pylist(), strict=True)), expected)
    assert found.drop_columns(["y"]) == rows.drop_columns(["y"])
    assert found.column_names == ["id", "y", "a"]


def test_a_column_that_has_not_come_yet_is_added_and_nothing_is_written_without_a_match(tmp_path: Path) -> None:
    rows = pa.table({"id": [1, 2]})
    count, found = filled(tmp_path, rows, labels({"2": True}))
    assert found is not None
    assert (count, found["y"].to_pylist()) == (1, [None, True])
    assert filled(tmp_path, rows, labels({"7": True})) == (0, None)
    assert filled(tmp_path, rows, labels({})) == (0, None)
    assert filled(tmp_path, pa.table({"number": [1]}), labels({"1": True})) == (0, None)


def test_rows_of_many_batches_get_their_own_labels(tmp_path: Path) -> None:
    rows = pa.table({"id": range(150_000), "y": pa.nulls(150_000, pa.int64())})
    given = labels({str(at): at for at in range(0, 150_000, 7)}, pa.int64())
    count, found = filled(tmp_path, rows, given)
    assert found is not None
    assert count == len(range(0, 150_000, 7))
    assert found["y"].to_pylist() == [at if at % 7 == 0 else None for at in range(150_000)]


def test_labels_of_another_type_than_the_source_has_are_an_error(tmp_path: Path) -> None:
    rows = pa.table({"id": [1, 2], "y": pa.array([None, date(2026, 1, 1)])})
    with pytest.raises(
        DataError, match=r"the imported labels of span 1 are of type bool, but the label y in its file is of type date32"
    ):
        filled(tmp_path, rows, labels({"1": True}))


@pytest.mark.parametrize(
    ("values", "kind", "type_name"),
    [
        (["007", "7", "a, b", 'say "no"', "ü"], pa.string(), "string"),
        ([2**53 + 1, -3, 0], pa.int64(), "integer"),
        ([1.0, 0.1, 1e-7, 1e300], pa.float64(), "number"),
        ([date(2026, 1, 2), date(1969, 12, 31)], pa.date32(), "date"),
        ([NOON, NOON + timedelta(microseconds=1)], pa.timestamp("us", "UTC"), "datetime"),
        ([True, False], pa.bool_(), "boolean"),
    ],
)
def test_a_key_of_every_type_finds_its_row_after_a_round_through_csv(
    tmp_path: Path, values: list[Any], kind: pa.DataType, type_name: str
) -> None:
    rows = pa.table(
        {"id": pa.array(values, kind), "part": pa.array(["p"] * len(values)), "y": pa.nulls(len(values), pa.int64())}
    )
    pq.write_table(rows, tmp_path / "rows.parquet")
    given = rows.set_column(2, "y", pa.array(range(len(values)))).take(pa.array(range(len(values) - 1, -1, -1)))
    pyarrow.csv.write_csv(given, tmp_path / "given.csv")
    options = ReadOptions(types={"id": type_name, "part": "string", "y": "integer"})
    with open_data(tmp_path / "given.csv", options) as table:
        read = given_labels(table, ("id", "part"), "y", tmp_path / "given.csv")
    matches = find_rows(tmp_path / "rows.parquet", read, tmp_path, "span 1")
    assert [row.number for row in matches] == list(range(len(values)))
    assert {row.known for row in matches} == {None}
    found = SpanLabels(("id", "part"), (), {"ann": dict(zip(read.keys, read.values["y"].to_pylist(), strict=True))}, pa.int64())
    assert fill_labels(tmp_path / "rows.parquet", found, "y", tmp_path / "filled.parquet", "span 1") == len(values)
    assert pq.read_table(tmp_path / "filled.parquet")["y"].to_pylist() == list(range(len(values)))


@pytest.fixture
def imported(store: Store, tmp_path: Path) -> Callable[..., str]:
    """Imports labels of one person for rows of span 1, so many hours after noon."""

    def add(by: str, hours: int, *, span: str = "1", **given: bool) -> str:
        rows = {"span": [span] * len(given), "k0": list(given), "label": list(given.values()), "by": [by] * len(given)}
        pq.write_table(pa.table(rows), tmp_path / "batch.parquet")
        digest = store.put_file(tmp_path / "batch.parquet")
        add_batch(store, "t.p", [span], LabelBatch(digest, by, NOON + timedelta(hours=hours), ("id",)))
        return digest

    return add


def test_the_newest_label_of_each_person_counts_and_conflicts_are_no_label(store: Store, imported: Callable[..., str]) -> None:
    assert imported_labels(store, "t.p", "1") is None
    imported("ann", 2, x=True, y=True)
    imported("ann", 1, x=False, z=False)
    imported("ben", 3, y=False)
    imported("eve", 1, span="2", x=False)
    found = imported_labels(store, "t.p", "1")
    assert found is not None
    assert found.agreed == {("x",): True, ("z",): False}
    assert found.conflicting == (("y",),)
    assert labelled_spans(store, "t.p") == ("1", "2")
    before = labels_state(store, "t.p")
    imported("ben", 4, y=True)
    assert labels_state(store, "t.p") != before
    resolved = imported_labels(store, "t.p", "1")
    assert resolved is not None
    assert resolved.agreed == {("x",): True, ("y",): True, ("z",): False}


def test_who_returns_to_an_earlier_label_has_that_one(store: Store, imported: Callable[..., str]) -> None:
    first = imported("ann", 1, x=True)
    imported("ann", 2, x=False)
    assert imported("ann", 3, x=True) == first, "the same rows are the same object"
    found = imported_labels(store, "t.p", "1")
    assert found is not None
    assert found.agreed == {("x",): True}


def test_a_batch_that_is_lost_and_a_file_of_somebody_else_are_left_out(
    store: Store, imported: Callable[..., str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    lost = imported("ann", 1, x=True)
    imported("ben", 2, z=True)
    next(Path(store.url).glob(f"objects/*/{lost}")).unlink()
    store.set_ref("labels/t.p/1/notes.txt", "to do")
    with caplog.at_level(logging.WARNING):
        found = imported_labels(store, "t.p", "1")
    assert found is not None
    assert found.agreed == {("z",): True}
    assert "the labels of ann for span 1 are left out" in caplog.text
    assert "notes.txt is not the ref of imported labels" in caplog.text
    rows = pa.table({"id": ["z", "x"], "y": pa.nulls(2, pa.bool_())})
    pq.write_table(rows, tmp_path / "rows.parquet")
    span = Span(source="s", name="1", rows=2, content="")
    found_file = LabelSource(store, "t.p", "y").fill(span, tmp_path / "rows.parquet", tmp_path)
    assert pq.read_table(found_file.path)["y"].to_pylist() == [True, None]
    assert found_file.labels is not None
    assert found_file.labels.describe() == "1: imported labels for 1 row"
