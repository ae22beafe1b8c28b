"""Rows read back from the store are the cells of their files, whatever stands beside them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.engine.connection import streamed_file
from taxiway.data.engine.read_rows import read_rows
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
