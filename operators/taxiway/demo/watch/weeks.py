"""The flights by week: as they are scheduled, which is what is predicted, and as their source delivers them a week later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from taxiway.demo.flights import all_flights, corrupt, day_texts

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "flight_id",
    "carrier",
    "origin",
    "distance",
    "weekday",
    "hour",
    "minute",
    "sched_arr_time",
    "temp",
    "humid",
    "wind_speed",
    "precip",
    "visib",
)
LABEL = "late"


@dataclass(frozen=True)
class Fault:
    """What goes wrong for some weeks.

    Attributes:
        first: The first week, such as `2013-W30`.
        last: The last week.
        title: What goes wrong, for people.
    """

    first: str
    last: str
    title: str

    def has(self, week: str) -> bool:
        """Whether a week is one of them."""
        return self.first <= week <= self.last


WIND_UNIT = Fault("2013-W30", "2013-W30", "wind arrives in another unit")
WRONG_LABELS = Fault("2013-W40", "2013-W44", "the source marks every flight of JetBlue as late")
FAULTS = (WIND_UNIT, WRONG_LABELS)
_CARRIER = "B6"


@dataclass(frozen=True)
class Week:
    """The flights of a week.

    Attributes:
        name: The week, such as `2013-W23`.
        monday: Its first day.
        flights: What is known when they are scheduled, in order of their departure, with the day in the column `day`.
        late: Whether each was late.
        delivered: The rows that the source delivers when the labels are known.
    """

    name: str
    monday: date
    flights: "pd.DataFrame"
    late: "pd.Series[bool]"
    delivered: "pd.DataFrame"


def weeks() -> Mapping[str, Week]:
    """The whole weeks of 2013, in order, with what goes wrong in them."""
    import pandas as pd

    rows = all_flights()
    day = pd.to_datetime(rows[["year", "month", "day"]])
    rows = rows.assign(day=day.dt.date, week=day_texts(day, "%G-W%V"))
    return {
        str(name): _week(str(name), of_week.reset_index(drop=True))
        for name, of_week in rows.groupby("week")
        if of_week["day"].nunique() == 7
    }


def _week(name: str, rows: "pd.DataFrame") -> Week:
    if WIND_UNIT.has(name):
        rows = corrupt(rows, "wind_unit")
    delivered = rows[[*COLUMNS, LABEL]]
    if WRONG_LABELS.has(name):
        delivered = delivered.assign(late=delivered[LABEL] | (delivered["carrier"] == _CARRIER))
    return Week(name, date.fromisoformat(f"{name}-1"), rows[[*COLUMNS, "day"]], rows[LABEL], delivered)
