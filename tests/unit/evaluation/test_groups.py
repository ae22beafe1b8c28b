"""Groups of rows: a column of lists has none, which is an error that says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.errors import DataError
from taxiway.evaluation.groups import check_group_columns, require_single_values, row_groups
from taxiway.records import Span
from taxiway.spec.gate import Gate
from taxiway.store import Store


def test_rows_with_equal_values_are_a_group() -> None:
    rows = pd.DataFrame({"c": pd.Series(["a", None, "a", 1], dtype="object")})
    assert row_groups(rows, "c").tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("value", [[1], {"a": 1}, np.array([1])])
def test_lists_and_structs_are_no_groups(value: Any) -> None:
    rows = pd.DataFrame({"c": pd.Series([value, None], dtype="object")})
    with pytest.raises(DataError, match=r'gate\.group_by has the column "c", whose values are lists or structs; allowed:'):
        row_groups(rows, "c")
    with pytest.raises(DataError, match=r"gate\.slices\.by"):
        require_single_values(rows, "c", "gate.slices.by")


def test_lists_are_found_in_the_files_before_a_training(tmp_path: Path) -> None:
    store, path = Store(str(tmp_path / "store")), tmp_path / "span.parquet"
    pq.write_table(pa.table({"tags": [[1], None], "place": [{"x": 1}, None], "carrier": ["a", "b"]}), path)
    spans = (Span.model_construct(content=store.put_file(path)),)
    gate = {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc"}, "min_rows": 100}
    check_group_columns(Gate.model_validate({**gate, "group_by": "carrier"}), spans, store)
    with pytest.raises(DataError, match=r'gate\.group_by has the column "tags"'):
        check_group_columns(Gate.model_validate({**gate, "group_by": "tags"}), spans, store)
    slices = {"by": ["carrier", "place"], "max_drop": 0.05, "min_rows": 30}
    with pytest.raises(DataError, match=r'gate\.slices\.by has the column "place"'):
        check_group_columns(Gate.model_validate({**gate, "slices": slices}), spans, store)
