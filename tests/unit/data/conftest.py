"""Small tables as spans in a store of the test's own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `exact` and `validated`, which the tests of this folder share

from validated import Write

from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.profile import Profile
from taxiway.records import Snapshot, Span
from taxiway.store.store import Store

MakeSpan = Callable[..., Span]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def span_of(store: Store, tmp_path: Path) -> MakeSpan:
    """A function that puts a table into the store as the span of a name."""

    def make(rows: pd.DataFrame, name: str = "2020-01") -> Span:
        path = tmp_path / f"{name}.parquet"
        rows.to_parquet(path, index=False)
        return Span(source="made", name=name, rows=len(rows), content=store.put_file(path))

    return make


@pytest.fixture
def snapshot_of(span_of: MakeSpan) -> Callable[..., Snapshot]:
    """A function that makes a snapshot of tables, the last of which is for evaluation."""

    def make(*tables: pd.DataFrame) -> Snapshot:
        spans = [span_of(rows, f"2020-{month:02d}") for month, rows in enumerate(tables, start=1)]
        return Snapshot(pipeline="made", training=tuple(spans[:-1]), evaluation=(spans[-1],))

    return make


@pytest.fixture
def profile_of(span_of: MakeSpan, store: Store) -> Callable[[pd.DataFrame], Profile]:
    """A function that profiles a table."""
    return lambda rows: profile_span(span_of(rows), store)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes columns, and a label, as a Parquet file."""

    def run(name: str = "data", **columns: Any) -> Path:
        rows = len(next(iter(columns.values())))
        table = pa.table({**columns, "y": [at % 2 == 0 for at in range(rows)]})
        pq.write_table(table, tmp_path / f"{name}.parquet")
        return tmp_path / f"{name}.parquet"

    return run
