"""Hashes of rows: the same in every release, and for equal values of whatever type; else a set of rows is not found again."""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.data.engine.read_rows import rows_of_table
from taxiway.evaluation.evaluation_set import evaluation_set
from taxiway.evaluation.row_hashes import row_hashes
from taxiway.gates.evaluation_sets import shared_rows

DAY = datetime(2024, 1, 1)
BEYOND_FLOATS = 2**53 + 1


def hashes(values: Any, kind: pa.DataType | None = None) -> list[int]:
    """The hashes of a column `c` as it is read from a file, or of a Series as it is."""
    rows = (
        pd.DataFrame({"c": values}) if isinstance(values, pd.Series) else rows_of_table(pa.table({"c": pa.array(values, kind)}))
    )
    return [int(each) for each in row_hashes(rows)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, -(2**53), 2**53]), [12661327259134146671, 16436274097335307722, 175075121541646865]),
        (pa.array([1, None, 3]), [12661327259134146671, 13385771186852415104, 7976813944726496770]),
        (
            pa.array([0.1, -0.0, math.inf, None]),
            [12219342115019535540, 12481114964420152025, 4944917548610102633, 13385771186852415104],
        ),
        (pa.array([0.1, 1], pa.float32()), [1444389913657247152, 12661327259134146671]),
        (pa.array([True, False]), [12661327259134146671, 12481114964420152025]),
        (
            pa.array(["a", "", "é\u2028", None, "1"]),
            [13625828334133017193, 10966218080503486415, 1449235912554140570, 10966218080503486415, 5899348195751474959],
        ),
        (pa.array(["a", None]).dictionary_encode(), [13625828334133017193, 10966218080503486415]),
        (
            pa.array([0, 1, -1, None], pa.timestamp("us")),
            [12481114964420152025, 8363705702392596356, 7563061416331327450, 10389047448863310411],
        ),
        (
            pa.array([123456789, None, 2**63 - 1], pa.timestamp("ns")),
            [16657390003526843385, 10389047448863310411, 9935081711302745986],
        ),
        (pa.array([1_700_000_000, None], pa.timestamp("s")), [18366445978415323431, 10389047448863310411]),
        (pa.array([0, -1], pa.timestamp("us", "Europe/Berlin")), [12481114964420152025, 7563061416331327450]),
        (pa.array([1, None], pa.duration("us")), [15822130272969057759, 10966218080503486415]),
        (pa.array([1, None], pa.time64("us")), [6103004259520366414, 10966218080503486415]),
        (pa.array([b"a", None]), [3230467422292501644, 10966218080503486415]),
        (pa.nulls(1), [10966218080503486415]),
        (pa.array([None], pa.float64()), [13385771186852415104]),
        (pa.array([None], pa.string()), [10966218080503486415]),
    ],
)
def test_hashes_in_ledgers_stay_as_they_are(values: pa.Array, expected: list[int]) -> None:
    assert hashes(values) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pd.Series([True, False]), pd.Series([True, False, None], dtype="object")),
        (pd.Series([2**60 + 1, 5]), pd.Series([2**60 + 1, 5, None], dtype="object")),
        (pd.Series([2**64 - 1, 5], dtype="uint64"), pd.Series([2**64 - 1, 5, None], dtype="object")),
        (pd.Series([2**60 + 1, 5]), pd.Series([2**60 + 1, 5, None], dtype="Int64")),
        (pd.Series([-BEYOND_FLOATS, 5]), pd.Series([Decimal(-BEYOND_FLOATS), Decimal("5.00"), None])),
        (pd.Series([0.1, 1e22]), pd.Series([Decimal("0.10"), Decimal(10**22), None])),
        (pd.Series([date(2024, 1, 1), date(9999, 12, 31)]), pd.Series(np.array(["2024-01-01", "9999-12-31"], "datetime64[s]"))),
        (
            pd.Series(np.array(["2024-01-01", "2262-04-11"], "datetime64[ns]")),
            pd.Series([DAY, date(2262, 4, 11), None], dtype="object"),
        ),
        (
            pd.Series(pd.to_datetime(["2024-01-01T05:00Z", "2024-01-01T06:00Z"])),
            pd.Series([pd.Timestamp("2024-01-01T06:00+01:00"), datetime(2024, 1, 1, 6, tzinfo=UTC), None], dtype="object"),
        ),
        (pd.Series(["a", "1"]), pd.Series(["a", "1", None], dtype="category")),
        (pd.Series([7, 8]), pd.Series([7, 8, None], dtype="category")),
        (pd.Series([[1, 2], []]), pd.Series([np.array([1.0, 2.0]), np.array([]), None])),
        (pd.Series([[DAY], [None]]), pd.Series([np.array([DAY], "datetime64[us]"), np.array(["NaT"], "datetime64[ns]")])),
        (pd.Series([{"a": 1, "b": None}]), pd.Series([{"b": np.nan, "a": True}])),
    ],
)
def test_equal_values_of_other_types_have_equal_hashes(first: pd.Series, second: pd.Series) -> None:
    assert hashes(first) == hashes(second)[: len(first)]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([2**60, 2**60 + 1, 2**60 + 2**32, -(2**60) - 1, 1 - 2**60]),
        pd.Series([2**63 - 1, 2**63, 2**64 - 1, 2**64 - 2], dtype="uint64"),
        pd.Series([10**40, 10**40 + 1, 10**400, Decimal("0.1"), Decimal("0.1000000000000000000001")], dtype="object"),
        pd.Series([np.arange(2000.0), np.where(np.arange(2000) == 1000, -1, np.arange(2000.0))]),
        pd.Series([["1", "2"], ["1, 2"], ["1"], [1], [[1]], [], [None]]),
        pd.Series(np.array([0, 1, 2**62, 2**62 + 1, -(2**62)], "datetime64[us]")),
        pd.Series([1, "1", True and 2, "true", date(1970, 1, 1)], dtype="object"),
    ],
)
def test_other_values_have_other_hashes(values: pd.Series) -> None:
    assert len(set(hashes(values))) == len(values)


def test_a_row_with_a_missing_value_does_not_hide_the_others() -> None:
    rows = pd.DataFrame({"id": range(100), "flag": [True, False] * 50, "on": [date(2024, 1, 1)] * 100})
    more = pd.DataFrame({"id": [100], "flag": pd.Series([None], dtype="object"), "on": [pd.Timestamp(DAY)]})
    known, new = evaluation_set(rows, ()), evaluation_set(pd.concat([rows, more], ignore_index=True), ())
    assert shared_rows(new, known) == pytest.approx(100 / 101)


def test_a_time_that_nanoseconds_cannot_hold_has_a_hash() -> None:
    first = hashes([DAY, datetime(9999, 12, 31)], pa.timestamp("us"))
    assert first == hashes([DAY, datetime(9999, 12, 31), None], pa.timestamp("s"))[:2]
    assert first[:1] == hashes([DAY], pa.timestamp("ns"))


@given(st.lists(st.one_of(st.none(), st.integers(-(2**64), 2**65), st.booleans()), min_size=1))
def test_integers_have_the_hash_of_the_same_decimals(values: list[int | None]) -> None:
    decimals = pd.Series([None if value is None else Decimal(value) for value in values], dtype="object")
    assert hashes(pd.Series(values, dtype="object")) == hashes(decimals)
    fitting = [value for value in values if value is not None and -(2**63) <= value < 2**63]
    assert hashes(pd.Series(fitting, dtype="int64")) == hashes(pd.Series(fitting, dtype="object"))


@given(st.lists(st.one_of(st.none(), st.datetimes(datetime(1678, 1, 1), datetime(2262, 1, 1))), min_size=1))
def test_moments_have_the_same_hash_in_every_unit_and_zone(values: list[datetime | None]) -> None:
    first = hashes(values, pa.timestamp("us"))
    assert first == hashes(values, pa.timestamp("ns"))
    zoned = pa.array(
        [None if value is None else value.replace(tzinfo=UTC) for value in values], pa.timestamp("us", "Asia/Tokyo")
    )
    assert first == hashes(zoned)
    if any(value is not None for value in values):
        assert first == hashes(pd.Series(values, dtype="object"))
        assert first == hashes(pd.Series([value and value - timedelta(0) for value in values], dtype="category"))
