"""Which inputs of a window are distributed otherwise than the evaluation rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.features.signature import ModelColumns
from taxiway.records import Snapshot
from taxiway.stages.monitor.windows import Every
from taxiway.store import Store, temp_folder

if TYPE_CHECKING:
    import pandas as pd

    from taxiway.data.profiling.profile import ColumnProfile, Profile
    from taxiway.data.validation.checks.drift import MeasuredDistance


@dataclass(frozen=True)
class ColumnDrift:
    """A column whose distribution differs by more than samples of the same distribution do.

    Attributes:
        column: The column.
        distance: From 0 to 1: the Jensen-Shannon divergence of numbers and dates, or the L-infinity distance of categories.
        message: What changed, for people.
    """

    column: str
    distance: float
    message: str


def evaluation_profile(snapshot: Snapshot, columns: Sequence[str], store: Store) -> "Profile":
    """The profile of the columns in the evaluation rows."""
    from taxiway.data.engine.read_rows import read_rows

    return _profile(read_rows(snapshot.evaluation, store, list(columns)))


def window_profile(log: Path, model: str, first: date, every: Every, columns: ModelColumns) -> "Profile":
    """The profile of the inputs of a window, of all versions."""
    from taxiway.data.profiling.compute import profile
    from taxiway.serving.request_rows import export_rows

    with temp_folder("window") as folder:
        export_rows(log, model, folder / "rows.parquet", since=first, until=last_day(first, every), types=columns.types)
        return profile(folder / "rows.parquet")


def last_day(first: date, every: Every) -> date:
    """The last day of a window."""
    if every == "month":
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first + timedelta(days=6 if every == "week" else 0)


def drifted(reference: "Profile", window: "Profile", columns: ModelColumns) -> list[ColumnDrift]:
    """The columns that have drifted, those with the largest distance first.

    The distance of each exceeds its critical value, which samples of the same distribution exceed with a probability of about 0.001
    (`taxiway.data.profiling.distance`). Of 15 columns and 100 windows without a change, one or two are expected here.
    """
    before, after = ({column.name: column for column in profile.columns} for profile in (reference, window))
    found = []
    for name in columns.names:
        if name in before and name in after and before[name].present and after[name].present:
            measured = _measured(before[name], after[name], columns)
            if measured.value > measured.critical_value:
                found.append(ColumnDrift(name, measured.value, measured.message))
    return sorted(found, key=lambda drift: -drift.distance)


def _measured(before: "ColumnProfile", after: "ColumnProfile", columns: ModelColumns) -> "MeasuredDistance":
    from taxiway.data.schema.constraints import Drift
    from taxiway.data.schema.model import Feature
    from taxiway.data.validation.checks.drift import measure

    usual = "number" if before.name in columns.numeric else "string"
    feature = Feature(name=before.name, type=columns.types.get(before.name, usual))
    return measure(before, after, feature, Drift(limit=1.0), "the evaluation rows", "the window")


def _profile(rows: "pd.DataFrame") -> "Profile":
    from taxiway.data.profiling.compute import profile

    with temp_folder("evaluation") as folder:
        rows.to_parquet(folder / "rows.parquet")
        return profile(folder / "rows.parquet")
