"""Rows with columns of every type, as different readers give them."""

import io
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

SCHEMA = pa.schema(
    {
        "distance": pa.float64(),
        "seats": pa.int64(),
        "stops": pa.int8(),
        "price": pa.decimal128(10, 2),
        "rain": pa.bool_(),
        "carrier": pa.string(),
        "plan": pa.dictionary(pa.int32(), pa.string()),
        "wet": pa.bool_(),
        "gate": pa.int32(),
        "fare": pa.float64(),
        "day": pa.date32(),
        "seen_at": pa.timestamp("us"),
        "id": pa.int64(),
    }
)
NUMERIC, CATEGORICAL = (
    ("distance", "seats", "stops", "price", "rain"),
    ("carrier", "plan", "wet", "gate", "fare", "day", "seen_at"),
)
REQUIRED = ("distance", "carrier")
WHOLE = (*REQUIRED, "id")
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "distance": st.floats(-1e6, 1e6, allow_subnormal=False),
    "seats": st.integers(-(2**53), 2**53),
    "stops": st.integers(-128, 127),
    "price": st.decimals(-1000, 1000, places=2),
    "rain": st.booleans(),
    "carrier": st.sampled_from(["AA", "UA", "never seen", "Zürich, Main St"]),
    "plan": st.sampled_from(["basic", "family", "never seen"]),
    "wet": st.booleans(),
    "gate": st.integers(1, 4),
    "fare": st.sampled_from([1.0, 1.5, 2.25]),
    "day": st.sampled_from([date(2013, 6, 1), date(2013, 12, 24), date(1899, 1, 1)]),
    "seen_at": st.sampled_from([datetime(2013, 6, 1, 12), datetime(2013, 6, 1, 12, 0, 0, 5)]),
    "id": st.integers(0, 9),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: cells if name in REQUIRED else st.none() | cells for name, cells in CELLS.items()}),
    min_size=1,
    max_size=20,
)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def learned(count: int = 400) -> pa.Table:
    """Rows with every category, and gaps where a value may be missing."""
    chance = np.random.default_rng(3)
    values: dict[str, list[Any]] = {
        "distance": chance.normal(0, 1e3, count).tolist(),
        "seats": chance.integers(0, 400, count).tolist(),
        "stops": chance.integers(0, 3, count).tolist(),
        "price": [Decimal(int(cents)) / 100 for cents in chance.integers(0, 10_000, count)],
        "rain": (chance.random(count) < 0.3).tolist(),
        "carrier": chance.choice(["AA", "UA", "Zürich, Main St"], count).tolist(),
        "plan": chance.choice(["basic", "family"], count).tolist(),
        "wet": (chance.random(count) < 0.5).tolist(),
        "gate": chance.integers(1, 4, count).tolist(),
        "fare": chance.choice([1.0, 1.5], count).tolist(),
        "day": [[date(2013, 6, 1), date(2013, 12, 24)][at] for at in chance.integers(0, 2, count)],
        "seen_at": [[datetime(2013, 6, 1, 12), datetime(2013, 6, 1, 12, 0, 0, 5)][at] for at in chance.integers(0, 2, count)],
        "id": list(range(count)),
    }
    gaps = {name: chance.random(count) < (0 if name in WHOLE else 0.1) for name in values}
    return table_of([{name: None if gaps[name][at] else cells[at] for name, cells in values.items()} for at in range(count)])


def as_source_file(table: pa.Table) -> io.BytesIO:
    written = io.BytesIO()
    pq.write_table(table, written)
    written.seek(0)
    return written


def by_csv(table: pa.Table, **options: Any) -> pd.DataFrame:
    text = io.StringIO()
    pd.read_parquet(as_source_file(table)).to_csv(text, index=False)
    text.seek(0)
    return pd.read_csv(text, float_precision="round_trip", **options)


READERS: dict[str, Callable[[pa.Table], Any]] = {
    "parquet": lambda table: pd.read_parquet(as_source_file(table)),
    "parquet, nullable types": lambda table: pd.read_parquet(as_source_file(table), dtype_backend="numpy_nullable"),
    "parquet, Arrow types": lambda table: pd.read_parquet(as_source_file(table), dtype_backend="pyarrow"),
    "csv": by_csv,
    "csv, dates": lambda table: by_csv(table, parse_dates=["day", "seen_at"]),
    "csv, categories": lambda table: by_csv(table, dtype=dict.fromkeys(("carrier", "plan"), "category")),
    "records": lambda table: table.to_pylist(),
    "columns": lambda table: table.to_pydict(),
}
