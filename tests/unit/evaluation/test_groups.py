"""Groups of rows: a column of lists has none, which is an error that says so."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from taxiway.errors import DataError
from taxiway.evaluation.groups import require_single_values, row_groups


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
