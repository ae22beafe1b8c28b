"""Rows read back from the store are the cells of their files, whatever stands beside them."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.engine.connection import streamed_file
from taxiway.data.engine.read_rows import read_rows
from taxiway.errors import DataError
from taxiway.features import raw_frame
from taxiway.records import Span
from taxiway.store import Store

LARGE = 2**53 + 1  # has no float of its own


@pytest.mark.parametrize(
    "spans",
    [
        [pa.array([LARGE, None])],
        [pa.array([LARGE, LARGE + 2]), pa.array([1, None])],
        [pa.array([LARGE, LARGE + 2]), None],
        [pa.array([LARGE, None], pa.uint64()), pa.array([1, 2])],
    ],
    ids=["a gap beside it", "a gap in the next span", "no such column in the next span", "unsigned"],
)
def test_large_integers_keep_their_digits_beside_gaps(tmp_path: Path, spans: list[pa.Array | None]) -> None:
    store = Store(str(tmp_path / "store"))
    stored, cells = [], []
    for number, values in enumerate(spans):
        path = tmp_path / f"{number}.parquet"
        columns = {"other": pa.array([0.5, 1.5])} | ({} if values is None else {"customer": values})
        pq.write_table(pa.table(columns), path)
        stored.append(Span.model_construct(content=store.put_file(path)))
        cells += [None, None] if values is None else values.to_pylist()
    for columns_asked in (None, ["customer"]):
        rows = read_rows(tuple(stored), store, columns_asked)
        assert raw_frame(rows, [], ["customer"])["customer"].tolist() == [None if c is None else str(c) for c in cells]


def test_a_file_that_is_streamed_is_not_read_ahead(tmp_path: Path) -> None:
    size = 200_000
    with pq.ParquetWriter(tmp_path / "rows.parquet", pa.schema({"x": pa.float64()}), compression="none") as writer:
        for _ in range(20):
            writer.write_table(pa.table({"x": np.random.default_rng(1).normal(size=size)}))
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() for _ in streamed_file(tmp_path / "rows.parquet").iter_batches(10_000))
    assert most - before < 4 * size * 8  # of 20


FAR, NEAR = datetime(9999, 12, 31), datetime(2024, 1, 1, 5)


@pytest.mark.parametrize(
    ("spans", "dtype"),
    [
        ([pa.array([FAR], pa.timestamp("us")), pa.array([NEAR], pa.timestamp("ns"))], "datetime64[us]"),
        ([pa.array([FAR], pa.timestamp("s")), pa.array([NEAR], pa.timestamp("ns"))], "datetime64[us]"),
        ([pa.array([NEAR], pa.timestamp("ns")), pa.array([NEAR], pa.timestamp("ns"))], "datetime64[ns]"),
        (
            [pa.array([FAR], pa.timestamp("us", "UTC")), pa.array([NEAR], pa.timestamp("ns", "Asia/Tokyo"))],
            "datetime64[us, UTC]",
        ),
    ],
)
def test_times_of_several_units_and_zones_are_one_column(tmp_path: Path, spans: list[pa.Array], dtype: str) -> None:
    rows = read_spans(tmp_path, spans)["at"]
    assert str(rows.dtype) == dtype
    assert [moment.replace(tzinfo=None) for moment in rows.tolist()] == [
        moment.replace(tzinfo=None) if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
        for values in spans
        for moment in values.cast(pa.timestamp("us", values.type.tz)).to_pylist()
    ]


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([pa.array([-719528, 0], pa.int32()).cast(pa.date32())], "the column at has dates that Python does not have"),
        ([pa.array([4_000_000], pa.int32()).cast(pa.date32())], "allowed: dates from 0001-01-01 to 9999-12-31"),
        ([pa.array([10**14], pa.timestamp("s")), pa.array([NEAR], pa.timestamp("us"))], "microseconds do not hold all of them"),
    ],
)
def test_dates_that_cannot_be_read_are_an_error_of_the_data(tmp_path: Path, spans: list[pa.Array], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_spans(tmp_path, spans)


def read_spans(folder: Path, spans: list[pa.Array]) -> pd.DataFrame:
    """The rows of spans of one column, `at`."""
    store, stored = Store(str(folder / "store")), []
    for number, values in enumerate(spans):
        path = folder / f"{number}.parquet"
        pq.write_table(pa.table({"at": values}), path)
        stored.append(Span.model_construct(content=store.put_file(path)))
    return read_rows(tuple(stored), store)
