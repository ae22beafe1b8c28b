"""Dates become the parts that can recur, the same from a file, a frame and a request."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import DataError
from taxiway.features import raw_frame
from taxiway.features.transformers.dates import DateParts

HOUR = 3600
PANDAS = {"year": "year", "month": "month", "day": "day", "weekday": "day_of_week", "hour": "hour"}


def seconds_of(values: Any, kind: str = "datetime") -> list[float]:
    return raw_frame({"at": values}, ("at",), (), {"at": kind})["at"].tolist()


def parts_of(learned: list[datetime], rows: list[datetime | None]) -> dict[str, list[float]]:
    fitted = DateParts().fit(np.array([[seconds] for seconds in seconds_of(learned)]))
    found = fitted.transform(np.array([[seconds] for seconds in seconds_of(rows)]))
    return dict(zip(fitted.get_feature_names_out(["at"]), found.T.tolist(), strict=True))


EVERY_PART = [datetime(1990 + at, 1 + at % 12, 1 + at % 28, at % 24, 30) for at in range(60)]


@examples(200)
@given(st.lists(st.datetimes(datetime(1600, 1, 1), datetime(2600, 1, 1)), min_size=1, max_size=20))
def test_the_parts_are_those_of_pandas(moments: list[datetime]) -> None:
    found = parts_of(EVERY_PART, moments)
    oracle = pd.Series(moments, dtype="datetime64[us]").dt
    assert found == {f"at.{part}": getattr(oracle, name).astype(float).tolist() for part, name in PANDAS.items()}


def test_only_parts_that_recur_are_used() -> None:
    start = datetime(2013, 3, 1)
    quarter = [start + timedelta(hours=hour) for hour in range(24 * 90)]
    assert [*parts_of(quarter, [start])] == ["at.day", "at.weekday", "at.hour"]
    assert [*parts_of([start + timedelta(days=day) for day in range(365)], [start])] == ["at.month", "at.day", "at.weekday"]
    assert [*parts_of([start + timedelta(weeks=week) for week in range(3)], [start])] == []
    births = [datetime(1950 + at, 1, 1) for at in range(30)]
    assert [*parts_of(births, [start])] == ["at.year", "at.weekday"]


def test_a_missing_date_has_missing_parts() -> None:
    found = parts_of(EVERY_PART, [None, datetime(2013, 6, 1, 5)])
    assert all(math.isnan(values[0]) and not math.isnan(values[1]) for values in found.values())


def test_a_date_is_the_same_number_in_a_frame_a_file_and_a_request() -> None:
    moment = datetime(2013, 6, 1, 12, 0, 0, 250_000)
    expected = [(moment - datetime(1970, 1, 1)).total_seconds(), math.nan]
    east = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=2)))
    for values in (
        [moment, None],
        [pd.Timestamp(moment), pd.NaT],
        ["2013-06-01T12:00:00.250", None],
        ["2013-06-01 14:00:00.250+02:00", None],
        [east, None],
        pd.Series([moment, None], dtype="datetime64[ns]"),
        pd.Series([moment, None], dtype="datetime64[us]"),
        pd.Series([moment, None], dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    ):
        np.testing.assert_array_equal(seconds_of(values), expected, str(values))
    for values in (["1969-12-31"], [date(1969, 12, 31)], pd.Series([datetime(1969, 12, 31)])):
        assert seconds_of(values, "date") == [-24 * HOUR]


@pytest.mark.parametrize("cell", ["yesterday", "2013-13-01", 1_370_044_800, True, "", [1]])
def test_what_is_no_date_is_refused_with_what_is_allowed(cell: Any) -> None:
    with pytest.raises(DataError, match=r"row 1: column at is .*; allowed: a date and time in ISO 8601, .*, or null"):
        seconds_of([None, cell])


def test_a_date_with_a_time_of_day_is_refused_in_a_table_as_in_a_request() -> None:
    for values in (pd.Series([datetime(2024, 1, 3, 10)]), ["2024-01-03 10:00"], [datetime(2024, 1, 3, 10)]):
        with pytest.raises(DataError, match="a date without a time of day"):
            seconds_of(values, "date")


def test_a_date_that_is_none_is_missing_where_unfit_values_are_accepted() -> None:
    frame = raw_frame({"at": ["soon", "2024-01-03"]}, ("at",), (), {"at": "date"}, lenient=True)
    assert math.isnan(frame["at"][0])
    assert frame["at"][1] == 1_704_240_000
