"""How a champion has predicted in production, by windows of its requests."""

from datetime import UTC, date
from enum import StrEnum

from pydantic import AwareDatetime

from taxiway.messages import counted, decimal_texts, percent
from taxiway.records.base import Record
from taxiway.records.causes import Causes
from taxiway.records.evaluation import Interval, Version

MOST_EARLIER = 52
"""How many windows of earlier runs a record keeps."""


class Operation(Record):
    """How the requests of a window were answered.

    Attributes:
        requests: How many requests there were.
        errors: How many of them the version failed for (status 500 to 599).
        rejected: How many of them were not as the version takes them (status 400 to 499), which is the caller's mistake.
        p50_ms: The median of the time from the reception of a request to the end of its predict call, in milliseconds; None if the log
            does not have it.
        p99_ms: The 99th percentile of the same.
    """

    requests: int
    errors: int
    rejected: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None

    def describe(self) -> str:
        """`1,204 requests, 0.2% with an error, 1.1% rejected, 3.1 ms (p99 12 ms)`."""
        times = "" if self.p50_ms is None or self.p99_ms is None else f", {self.p50_ms:.3g} ms (p99 {self.p99_ms:.3g} ms)"
        rejected = f", {percent(self.rejected / self.requests)} rejected" if self.rejected else ""
        return f"{counted(self.requests, 'request')}, {percent(self.errors / self.requests)} with an error{rejected}{times}"


class CalibrationCheck(Record):
    """How often a class was expected by the probabilities that the estimate is made of, and how often it is the label.

    Attributes:
        label: The class.
        assumed: Its expected share of the rows with a label.
        observed: Its share of their labels.
        error: The calibration error of the probabilities on these rows, see `taxiway.monitoring.calibration.calibration_error`.
    """

    label: str
    assumed: float
    observed: Interval
    error: float

    @property
    def holds(self) -> bool:
        """Whether the expected share is in the interval of the observed one."""
        return self.observed.low <= self.assumed <= self.observed.high

    def describe(self) -> str:
        """`the estimate assumed 18.2% True, 23.9% (22.1% to 25.8%) of 11,002 labels are; calibration error 0.057`."""
        value, low, high = map(percent, (self.observed.value, self.observed.low, self.observed.high))
        return (
            f"the estimate assumed {percent(self.assumed)} {self.label}, {value} ({low} to {high}) of {counted(self.observed.rows, 'label')} "
            f"are; calibration error {self.error:.3f}"
        )


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
        distances: How much each of them has drifted, from 0 to 1; empty in records of earlier versions of Taxiway.
        messages: What is known about its inputs: anomalies by the schema, and drift.
        anomalies: How many of these messages are anomalies that would block a training.
        findings: How many of them are findings of checks of the team's own.
        band: Where the metric can be by the last audit; None before it, or if that is not known.
        operation: How its requests were answered; None in records of earlier versions of Taxiway.
        repeated: How many requests repeat an earlier one; their rows do not count.
        alike: How many rows are the same, if nearly all are; 0 if not. Then the performance is not known.
        before: The first day of the window before, with which the inputs were compared; None if they were not.
        drifted_since: The inputs that have drifted since the window before.
        calibration: Whether the probabilities hold that the estimate is made of; None for a regression, and without `realised`.
        concept_drift: The evidence that the relation of inputs and label has changed; empty without.
        labels_due: The day on which its labels should be there; None if the pipeline file does not say how long they take.
        labels_late: That they are not, in a sentence; empty if they are, or before that day.
    """

    first: date
    rows: int
    labelled: int
    estimated: Interval | None = None
    realised: Interval | None = None
    worse: str = ""
    drifted: tuple[str, ...] = ()
    distances: tuple[float, ...] = ()
    messages: tuple[str, ...] = ()
    anomalies: int = 0
    findings: int = 0
    band: Interval | None = None
    operation: Operation | None = None
    repeated: int = 0
    alike: int = 0
    before: date | None = None
    drifted_since: tuple[str, ...] = ()
    calibration: CalibrationCheck | None = None
    concept_drift: str = ""
    labels_due: date | None = None
    labels_late: str = ""


class EarlierWindow(Record):
    """A window that an earlier run of monitoring has compared, as it was then.

    Attributes:
        version: The champion of that run.
        evaluation: The metric on the evaluation rows of this version.
        window: The window.
    """

    version: Version
    evaluation: Interval
    window: ServedWindow


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


class PreviousPerformance(Record):
    """How the version before the champion predicts the champion's rows that have a label.

    Attributes:
        version: The version before; None if there is none.
        since: When the champion was promoted; rows before do not count. None if it was not.
        rows: How many rows were compared.
        served: The metric of the champion; None if nothing was compared.
        previous: The metric of the version before on the same rows.
        difference: Champion minus the version before, with its paired interval.
        log_evidence: The logarithm of the evidence that the champion's rows have larger losses, see `taxiway.monitoring.row_losses`; None if
            the metric has no loss of single rows.
        not_compared: Why nothing was compared; empty if it was.
    """

    version: Version | None = None
    since: AwareDatetime | None = None
    rows: int = 0
    served: Interval | None = None
    previous: Interval | None = None
    difference: Interval | None = None
    log_evidence: float | None = None
    not_compared: str = ""

    def describe(self, metric: str, champion: int) -> str:
        """What was found, in a sentence; `metric` is its name, and `champion` the version that was served."""
        if self.served is None or self.previous is None or self.difference is None or self.since is None:
            return f"not compared with the version before: {self.not_compared}"
        served, previous, difference = _texts(self.served, self.previous, self.difference)
        return (
            f"{metric} of {self.rows:,} rows with a label since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {served} of version "
            f"{champion}, {previous} of version {self.version} for the same rows, difference {difference}"
        )


class WorseSlice(Record):
    """The rows of a window in which an input has a value, whose realised performance is worse than that of such evaluation rows.

    Attributes:
        column: The input.
        value: The value, as text.
        realised: The metric of the rows with a label.
        evaluation: The metric of the evaluation rows with this value.
    """

    column: str
    value: str
    realised: Interval
    evaluation: Interval

    def describe(self, metric: str) -> str:
        """`carrier = "UA": accuracy 0.612 (0.552 to 0.672) of 1,204 rows; 0.790 (0.760 to 0.820) of the evaluation rows`."""
        now, then = _texts(self.realised, self.evaluation)
        return f"{self.column} = {self.value}: {metric} {now} of {self.realised.rows:,} rows; {then} of the evaluation rows"


class LossChange(Record):
    """A change of the mean loss of the rows with a label, see `taxiway.monitoring.changes`.

    Attributes:
        loss: The loss of a row, such as `error rate`.
        day: The first day after the change, in UTC.
        earliest: The lower end of the 99% interval of this day.
        latest: The upper end.
        before: The mean loss before it, since the change before or the first window.
        after: The mean loss after it, until the next change or the newest label.
        rows_before: The rows of `before`.
        rows_after: The rows of `after`.
    """

    loss: str
    day: date
    earliest: date
    latest: date
    before: float
    after: float
    rows_before: int
    rows_after: int

    def describe(self, version: int) -> str:
        """`the error rate of version 2 rose from 18.0% to 27.0% at about 2013-06-03 (2013-06-02 to 2013-06-05; 5,600 rows with ...)`."""
        is_share = self.loss == "error rate"
        before, after = map(percent, (self.before, self.after)) if is_share else decimal_texts(self.before, self.after)
        way = "rose" if self.after > self.before else "fell"
        return (
            f"the {self.loss} of version {version} {way} from {before} to {after} at about {self.day} ({self.earliest} to {self.latest}; "
            f"{self.rows_before:,} rows with a label before, {self.rows_after:,} after)"
        )


class AlertKind(StrEnum):
    """What an alert of monitoring is about, the most urgent first.

    Attributes:
        REALISED: The realised performance is worse than on the evaluation rows.
        TARGET: The labels of the last audit show that the metric misses its target.
        ESTIMATED: The estimated performance is worse.
        DATA: Inputs have anomalies by the schema.
        CHECK: A check of the team's own has found something.
        LABELS: Labels are late.
        AUDIT: Labels are needed.
        DRIFT: Inputs have drifted that had not in the window before.
    """

    REALISED = "realised"
    TARGET = "target"
    ESTIMATED = "estimated"
    DATA = "data"
    CHECK = "check"
    LABELS = "labels"
    AUDIT = "audit"
    DRIFT = "drift"


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
        if self.kind is AlertKind.TARGET:
            return f"the {metric} of version {self.version} misses its target by the audit on {self.first}"
        if self.kind is AlertKind.DATA:
            return f"inputs of version {self.version} have anomalies in the window from {self.first}"
        if self.kind is AlertKind.LABELS:
            return f"labels of version {self.version} are late for the window from {self.first}"
        if self.kind is AlertKind.DRIFT:
            return f"inputs of version {self.version} have drifted in the window from {self.first}"
        if self.kind is AlertKind.CHECK:
            return f"a check of the team's own has found something in the window of version {self.version} from {self.first}"
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
        cause: Why a window is worse, in a sentence; empty if none is.
        causes: The same with all that may be a cause; None if no window is worse, and in records of earlier versions of Taxiway.
        audit: When labels are needed next; None if the pipeline file does not ask.
        slices: The slices that are worse in the newest window whose realised performance is known, the largest loss first.
        previous: How the version before predicts the same rows; None if it was not asked for.
        alerts: The alerts that stand, the most urgent first: those of the newest window with enough rows, and of the newest one whose
            realised performance is known.
        earlier: Windows of earlier runs, oldest first, which this one has not compared; at most `MOST_EARLIER`.
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


def _texts(*intervals: Interval) -> list[str]:
    """Values with their intervals, all with as many decimals."""
    texts = iter(decimal_texts(*(number for each in intervals for number in (each.value, each.low, each.high))))
    return [f"{value} ({low} to {high})" for value, low, high in zip(texts, texts, texts, strict=True)]
