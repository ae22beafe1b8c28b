"""Joins two tables, as a run joins the rows of a span."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxiway.data.ingest.join import JoinedTable
from taxiway.data.ingest.materialize import RowRules, materialize_rows
from taxiway.data.sources.join_inputs import JoinTable
from taxiway.records import JoinMatch
from taxiway.spec.source.join import Join

Rows = list[dict[str, Any]]


def join(**keys: Any) -> Join:
    return Join.model_validate({"file": "there", "on": {"k": "s"}, "columns": ["v"], "min_match_rate": 0.5, **keys})


def joined(folder: Path, left: pa.Table, right: pa.Table, **keys: Any) -> tuple[Rows, JoinMatch]:
    """The rows of `left` with the columns of `right`, and how many found a partner."""
    pq.write_table(left, folder / "left.parquet")
    pq.write_table(right, folder / "right.parquet")
    tables = [JoinedTable(JoinTable("w", join(**keys), {}), folder / "right.parquet", "there", "0" * 32)]
    made = materialize_rows(folder / "left.parquet", RowRules(tables), folder, label="span 2013-01")
    (part,), (match,) = made.files, made.matches
    return pq.read_table(part.path).to_pylist(), match
