"""Periods in UTC (hours, days, weeks, months, quarters, years), with names that sort by time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

Every = Literal["hour", "day", "week", "month", "quarter", "year"]
# An example and the form of the names. Weeks are ISO 8601 weeks, which begin on Monday.
NAMES: dict[Every, tuple[str, re.Pattern[str]]] = {
    "hour": ("2013-04-01T05", re.compile(r"\d{4}-\d\d-\d\dT\d\d")),
    "day": ("2013-04-01", re.compile(r"\d{4}-\d\d-\d\d")),
    "week": ("2013-W14", re.compile(r"\d{4}-W\d\d")),
    "month": ("2013-04", re.compile(r"\d{4}-\d\d")),
    "quarter": ("2013-Q2", re.compile(r"\d{4}-Q[1-4]")),
    "year": ("2013", re.compile(r"\d{4}")),
}


@dataclass(frozen=True)
class Period:
    """A period from `begins` (inclusive) to `ends` (exclusive)."""

    name: str
    begins: datetime
    ends: datetime


def period_of(name: str, every: Every) -> Period:
    """The period of this name.

    Raises:
        ValueError: The name does not have the form of the periods `every`, or there is no such period.
    """
    example, expression = NAMES[every]
    if not expression.fullmatch(name):
        raise ValueError(f'"{name}" is not the name of a period of one {every}; allowed: a name such as {example}')
    try:
        begins = _begin(name, every)
        return Period(name, begins, _after(begins, every))
    except (ValueError, OverflowError) as error:
        raise ValueError(f'"{name}" is not the name of a period of one {every}: {error}') from None


def ended_periods(first: str, every: Every, until: datetime) -> Iterator[Period]:
    """The periods from the one named `first` on that had ended by `until`, oldest first."""
    period = period_of(first, every)
    while period.ends <= until:
        yield period
        period = Period(_name(period.ends, every), period.ends, _after(period.ends, every))


def period_at(moment: datetime, every: Every) -> Period:
    """The period that a moment is in."""
    return period_of(_name(moment.astimezone(UTC), every), every)


def newest_ended(every: Every, until: datetime) -> str:
    """The name of the period that ended last by `until`."""
    # The period of `until` begins when the one before it ends.
    begins = _begin(_name(until.astimezone(UTC), every), every)
    return _name(begins - timedelta(microseconds=1), every)


def _begin(name: str, every: Every) -> datetime:
    numbers = [int(number) for number in re.findall(r"\d+", name)]
    if every == "week":
        day = date.fromisocalendar(numbers[0], numbers[1], 1)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    if every == "quarter":
        return datetime(numbers[0], 3 * numbers[1] - 2, 1, tzinfo=UTC)
    year, month, day_of_month, hour = (*numbers, *(1, 1, 1, 0)[len(numbers) :])
    return datetime(year, month, day_of_month, hour, tzinfo=UTC)


def _after(begins: datetime, every: Every) -> datetime:
    if every == "year":
        return begins.replace(year=begins.year + 1)
    if every == "month":
        return (begins + timedelta(days=31)).replace(day=1)
    if every == "quarter":
        return (begins + timedelta(days=92)).replace(day=1)
    return begins + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[every]


def _name(begins: datetime, every: Every) -> str:
    if every == "week":
        year, week, _ = begins.isocalendar()
        return f"{year:04}-W{week:02}"
    if every == "quarter":
        return f"{begins.year:04}-Q{(begins.month + 2) // 3}"
    lengths = {"hour": 13, "day": 10, "month": 7, "year": 4}
    return begins.isoformat()[: lengths[every]]
