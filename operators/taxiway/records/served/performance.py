"""What a run of monitoring has found about a champion."""

from datetime import date

from pydantic import AwareDatetime

from taxiway.records.base import Record
from taxiway.records.evaluation import Interval
from taxiway.records.served.alerts import ServedAlert
from taxiway.records.served.causes import Causes
from taxiway.records.served.comparisons import LossChange, PreviousPerformance, WorseSlice
from taxiway.records.served.windows import EarlierWindow, ServedWindow

MAX_EARLIER = 52
"""How many windows of earlier runs a record keeps."""


class ServedAudit(Record):
    """When labels are needed next.

    Attributes:
        target: The value that the metric is to reach.
        tolerance: How far the metric may be on the other side of the target than the answer says.
        max_change: The largest change of the metric per day; None if it is not known yet.
        last: The value of the last audit.
        last_at: Its day, in UTC.
        band: Where the metric was when it was compared; None without `max_change`.
        answer: `reached`, `missed` or `unknown`.
        due: The day from which the next audit is due.
        labels: How many labels it needs.
        messages: The same for people, a sentence each.
    """

    target: float
    tolerance: float
    max_change: float | None = None
    last: Interval
    last_at: date
    band: Interval | None = None
    answer: str
    due: date
    labels: int
    messages: tuple[str, ...]


class ServedPerformance(Record):
    """What a run of monitoring has found.

    Attributes:
        model: The registered model.
        version: The champion.
        metric: The metric.
        evaluation: Its value on the evaluation rows of the version.
        windows: The windows, oldest first.
        cause: Why a window is worse, in a sentence; empty if none is.
        causes: The same with all that may be a cause; None if no window is worse, and in records of earlier versions of Taxiway.
        audit: When labels are needed next; None if the pipeline file does not ask.
        slices: The slices that are worse in the newest window whose realised performance is known, the largest loss first.
        previous: How the version before predicts the same rows; None if it was not asked for.
        alerts: The alerts that stand, the most urgent first: those of the newest window with enough rows, and of the newest one whose
            realised performance is known.
        earlier: Windows of earlier runs, oldest first, which this one has not compared; at most `MAX_EARLIER`.
        silent_since: The last day with requests, if the window before the present one has none; None if it has.
        at: When it was found.
        changes: When the losses of the version have changed within these windows, oldest first.
    """

    model: str
    version: int
    metric: str
    evaluation: Interval
    windows: tuple[ServedWindow, ...]
    cause: str = ""
    causes: Causes | None = None
    audit: ServedAudit | None = None
    slices: tuple[WorseSlice, ...] = ()
    previous: PreviousPerformance | None = None
    alerts: tuple[ServedAlert, ...] = ()
    earlier: tuple[EarlierWindow, ...] = ()
    silent_since: date | None = None
    at: AwareDatetime
    changes: tuple[LossChange, ...] = ()
