"""The source of the second team: hourly bike rentals in Washington, one Parquet file per month.

The rows are an extract of the Bike Sharing data set (Fanaee-T 2013, CC BY 4.0); see `data/README.md` beside this module.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.demo.flights import write_span

if TYPE_CHECKING:
    import pandas as pd

_RENTALS = Path(__file__).parent / "data" / "bike_rentals.csv.gz"


def rentals_by_month() -> "dict[str, pd.DataFrame]":
    """All hours with their weather and number of rentals, by month (`2011-08` to `2012-06`), in order of time."""
    import pandas as pd

    rows = pd.read_csv(_RENTALS)
    months = rows["dteday"].str[:7]
    rows["dteday"] = pd.to_datetime(rows["dteday"]).dt.date
    return {str(month): rows[months == month].reset_index(drop=True) for month in months.unique()}


def lay_out_rentals(folder: Path) -> None:
    """Write every missing month into a folder."""
    for month, rows in rentals_by_month().items():
        if not (folder / f"{month}.parquet").exists():
            write_span(rows, folder, month)
