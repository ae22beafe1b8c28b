"""Periods: none is left out, none twice, and each is named so that it sorts and is found by its name."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.records import span_order
from taxiway.spec.source.periods import NAMES, Every, ended_periods, period_of

FIRSTS: dict[Every, str] = {
    "hour": "2019-12-31T22",
    "day": "2019-12-30",
    "week": "2019-W51",
    "month": "2019-11",
    "quarter": "2019-Q3",
    "year": "2018",
}


@pytest.mark.parametrize(
    ("every", "until", "names"),
    [
        ("hour", datetime(2020, 1, 1, 1, 59, 59), ["2019-12-31T22", "2019-12-31T23", "2020-01-01T00"]),
        ("day", datetime(2020, 1, 1), ["2019-12-30", "2019-12-31"]),
        ("week", datetime(2020, 1, 6), ["2019-W51", "2019-W52", "2020-W01"]),
        ("month", datetime(2020, 1, 31), ["2019-11", "2019-12"]),
        ("quarter", datetime(2020, 1, 1), ["2019-Q3", "2019-Q4"]),
        ("year", datetime(2020, 1, 1), ["2018", "2019"]),
        ("year", datetime(2018, 12, 31), []),
    ],
)
def test_a_period_is_there_once_it_has_ended(every: Every, until: datetime, names: list[str]) -> None:
    assert [period.name for period in ended_periods(FIRSTS[every], every, until.replace(tzinfo=UTC))] == names


@given(every=st.sampled_from(get_args(Every)), start=st.datetimes(datetime(1600, 1, 1), datetime(2400, 1, 1)))
def test_periods_follow_each_other_without_a_gap_and_sort_by_their_names(every: Every, start: datetime) -> None:
    names = {
        "hour": f"{start:%Y-%m-%dT%H}",
        "day": f"{start:%Y-%m-%d}",
        "week": f"{start.isocalendar().year}-W{start.isocalendar().week:02}",
        "month": f"{start:%Y-%m}",
        "quarter": f"{start.year}-Q{(start.month + 2) // 3}",
        "year": f"{start:%Y}",
    }
    found = list(islice(ended_periods(names[every], every, datetime(9000, 1, 1, tzinfo=UTC)), 60))
    assert found[0].name == names[every]
    assert found[0].begins <= start.replace(tzinfo=UTC) < found[0].ends
    for one, next_ in pairwise(found):
        assert one.ends == next_.begins
        assert one.name < next_.name
        assert span_order(one.name) < span_order(next_.name)
    for period in found:
        assert period_of(period.name, every) == period
        assert NAMES[every][1].fullmatch(period.name)
        assert period.ends - period.begins <= timedelta(days=366)


@pytest.mark.parametrize(
    ("every", "name"),
    [
        ("month", "2013"),
        ("month", "2013-13"),
        ("day", "2013-02-30"),
        ("hour", "2013-02-01T24"),
        ("week", "2013-W53"),
        ("quarter", "2013-Q5"),
        ("week", "2013-04"),
        ("year", "0000"),
        ("day", "2013-1-1"),
    ],
)
def test_a_name_of_no_period_is_refused(every: Every, name: str) -> None:
    with pytest.raises(ValueError, match=f'"{name}" is not the name of a period of one {every}'):
        period_of(name, every)
