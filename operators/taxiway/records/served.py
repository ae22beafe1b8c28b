"""How a champion has predicted in production, by windows of its requests."""

from datetime import date
from enum import StrEnum

from pydantic import AwareDatetime

from taxiway.records.base import Record
from taxiway.records.evaluation import Interval, Version


class ServedWindow(Record):
    """A window of requests.

    Attributes:
        first: Its first day, in UTC.
        rows: How many rows were predicted.
        labelled: How many of them have a label.
        estimated: The metric of all rows, estimated without labels; None if it cannot be estimated.
        realised: The metric of the rows with a label; None with too few of them.
        worse: `realised` or `estimated` if this is worse than on the evaluation rows; empty if it is not.
        drifted: The inputs that have drifted.
        messages: What is known about its inputs: anomalies by the schema, and drift.
        anomalies: How many of these messages are anomalies that would block a training.
        band: Where the metric can be by the last audit; None before it, or if that is not known.
    """

    first: date
    rows: int
    labelled: int
    estimated: Interval | None = None
    realised: Interval | None = None
    worse: str = ""
    drifted: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    anomalies: int = 0
    band: Interval | None = None


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


class AlertKind(StrEnum):
    """What an alert of monitoring is about, the most urgent first.

    Attributes:
        REALISED: The realised performance is worse than on the evaluation rows.
        ESTIMATED: The estimated performance is worse.
        DATA: Inputs have anomalies by the schema.
        AUDIT: Labels are needed.
    """

    REALISED = "realised"
    ESTIMATED = "estimated"
    DATA = "data"
    AUDIT = "audit"


class ServedAlert(Record):
    """An alert of monitoring. Every run that finds it finds the same record, so a person can acknowledge it by its digest.

    Attributes:
        model: The registered model.
        version: The champion.
        first: The first day of the window; of an audit, the day of the last one.
        kind: What it is about.
    """

    model: str
    version: Version
    first: date
    kind: AlertKind

    def describe(self, metric: str) -> str:
        """The alert in a sentence; `metric` is the name of the monitored one."""
        if self.kind is AlertKind.AUDIT:
            return f"labels are needed for the {metric} of version {self.version}; the last audit was on {self.first}"
        if self.kind is AlertKind.DATA:
            return f"inputs of version {self.version} have anomalies in the window from {self.first}"
        return (
            f"the {self.kind} {metric} of version {self.version} is worse in the window from {self.first} than on the "
            "evaluation rows"
        )


class ServedPerformance(Record):
    """What a run of monitoring has found.

    Attributes:
        model: The registered model.
        version: The champion.
        metric: The metric.
        evaluation: Its value on the evaluation rows of the version.
        windows: The windows, oldest first.
        cause: Which inputs the newest estimate comes from; empty if that is not known, or if it is not worse.
        audit: When labels are needed next; None if the pipeline file does not ask.
        alerts: The alerts that stand, the most urgent first: those of the newest window with enough rows, and of the newest one whose
            realised performance is known.
        silent_since: The last day with requests, if the window before the present one has none; None if it has.
        at: When it was found.
    """

    model: str
    version: int
    metric: str
    evaluation: Interval
    windows: tuple[ServedWindow, ...]
    cause: str = ""
    audit: ServedAudit | None = None
    alerts: tuple[ServedAlert, ...] = ()
    silent_since: date | None = None
    at: AwareDatetime
