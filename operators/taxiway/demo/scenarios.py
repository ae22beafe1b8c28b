"""The scenarios of the demonstration: which month of flights arrives, how it is corrupted, and what the pipeline must decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.demo.flights import Corruption, corrupt, write_span
from taxiway.records import Outcome

if TYPE_CHECKING:
    import pandas as pd

PIPELINE = "flights.late_arrivals"
UNGUARDED = "flights.unguarded_arrivals"


@dataclass(frozen=True)
class Scenario:
    """A month of flights that arrives.

    Attributes:
        month: The month.
        title: What the terminal shows.
        expected: The outcome that the run must have.
        pipeline: The pipeline that runs.
        corruptions: How the month's file is corrupted; if the source is poisoned, also the files before it.
    """

    month: str
    title: str
    expected: Outcome
    pipeline: str = PIPELINE
    corruptions: tuple[Corruption, ...] = ()

    @property
    def poisoned(self) -> bool:
        """Whether training and evaluation data have the same fault, so that no metric shows it."""
        return self.pipeline == UNGUARDED


SCENARIOS = (
    Scenario("2013-04", "April arrives: train on January to March, evaluate on April", Outcome.FIRST_CHAMPION),
    Scenario("2013-05", "May arrives: a challenger, trained on February to April", Outcome.PROMOTED),
    Scenario(
        "2013-06",
        "June arrives corrupted: wrong wind unit, missing carrier, shifted columns",
        Outcome.BLOCKED,
        corruptions=("wind_unit", "carrier_missing", "shifted_column"),
    ),
    Scenario(
        "2013-04",
        "April again: a broken wind sensor in all months, and on_invalid_data: continue",
        Outcome.REJECTED,
        pipeline=UNGUARDED,
        corruptions=("wind_dead",),
    ),
)
FIRST_MONTHS = ("2013-01", "2013-02", "2013-03")
TRAFFIC_MONTH = "2013-06"


def write_source(data: Path, scenario: Scenario, months: "Mapping[str, pd.DataFrame]") -> None:
    """Write the missing months of the scenario to the source of its pipeline.

    Args:
        data: The folder of all sources.
        scenario: The scenario.
        months: The flights of each month.
    """
    source = data / ("flights_poisoned" if scenario.poisoned else "flights")
    for month in (*FIRST_MONTHS, scenario.month):
        if (source / f"{month}.parquet").exists():
            continue
        rows = months[month]
        for kind in scenario.corruptions if scenario.poisoned or month == scenario.month else ():
            rows = corrupt(rows, kind)
        write_span(rows, source, month)
