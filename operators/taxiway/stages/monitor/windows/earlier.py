"""The window before one: whether its inputs differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.features.signature import ModelColumns
from taxiway.monitoring.domain_classifier import FEWEST_ROWS
from taxiway.stages.monitor.windows.drift import WindowDrift, sample_drift, sampled_rows
from taxiway.stages.monitor.windows.inputs import RequestSchema, window_profile, window_rows
from taxiway.stages.monitor.windows.log_windows import Every, first_day
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from taxiway.data.profiling.profile import Profile
    from taxiway.data.validation.inputs import Baseline


_MAX_LOOKED_AT = 8
"""So many windows with requests before the first one are looked at, because each is read."""


@dataclass(frozen=True)
class EarlierRows:
    """The window before, of which only a part is kept.

    Attributes:
        first: Its first day.
        rows: A random part of its rows.
        profile: The profile of all of them; None if the schema has no limits of drift.
        drift: What differed from the evaluation rows; None if it was not compared with them.
    """

    first: date
    rows: "pd.DataFrame"
    profile: "Profile | None"
    drift: WindowDrift | None = None

    @property
    def baseline(self) -> "Baseline | None":
        """The same for the limits of drift of a schema."""
        from taxiway.data.validation.inputs import Baseline

        return Baseline(self.profile, self.name) if self.profile is not None else None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"the window from {self.first}"


@dataclass(frozen=True)
class DriftSince:
    """What has drifted since the window before.

    Attributes:
        first: The first day of that window.
        drift: What has drifted.
    """

    first: date
    drift: WindowDrift

    @property
    def messages(self) -> Sequence[str]:
        """What changed, a sentence each."""
        joint = [self.drift.joint.message] if self.drift.joint is not None else []
        return [*(each.message for each in self.drift.columns), *joint]


def drift_since(earlier: EarlierRows | None, rows: "pd.DataFrame", columns: ModelColumns, store: Store) -> DriftSince | None:
    """What has drifted since the window before; None if there is none, or if the window has too few rows.

    Args:
        earlier: The window before.
        rows: A random part of the rows of the window.
        columns: The columns that are compared.
        store: See `window_drift`.
    """
    if earlier is None or len(rows) < FEWEST_ROWS:
        return None
    return DriftSince(earlier.first, sample_drift(earlier.rows, rows, columns, earlier.name, store))


def has_new_drift(drift: WindowDrift, since: DriftSince | None, earlier: EarlierRows | None) -> bool:
    """Whether inputs of a window have drifted that had not before.

    Args:
        drift: What differs from the evaluation rows.
        since: What differs from the window before; None if there is none.
        earlier: That window.
    """
    before = earlier.drift if earlier is not None else None
    if since is None:
        return bool(drift.columns) or drift.joint is not None
    if since.messages:
        return True
    # A slow change is never seen from one window to the next.
    known = {each.column for each in before.columns} if before is not None else set()
    return before is not None and not known.issuperset(each.column for each in drift.columns)


def earlier_rows(
    log: Path, model: str, first: date, every: Every, columns: ModelColumns, by: RequestSchema | None
) -> EarlierRows | None:
    """The rows of the newest window before a day that has enough of them, of all versions that were champion in it.

    Args:
        log: The folder of the request log.
        model: The registered model.
        first: The first day of the window after it.
        every: How long a window is.
        columns: The columns that are compared.
        by: What requests are validated by; None for no validation.

    Returns:
        None if none of the newest windows with requests before the day has enough rows.
    """
    from taxiway.serving.request_log.files import newest_request_day

    for _ in range(_MAX_LOOKED_AT):
        newest = newest_request_day(log, model, first - timedelta(days=1))
        if newest is None:
            return None
        first = first_day(newest, every)
        with window_rows(log, model, None, first, every, columns, leave_out=None) as path:
            rows = sampled_rows(path, columns)
            if len(rows) >= FEWEST_ROWS:
                return EarlierRows(first, rows, window_profile(path, by))
    return None
