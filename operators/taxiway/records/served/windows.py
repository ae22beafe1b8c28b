"""Windows of requests: how a champion has predicted in each, and how its requests were answered."""

from datetime import date

from taxiway.messages import counted, percent
from taxiway.records.base import Record
from taxiway.records.evaluation import Interval, Version
from taxiway.records.served.outliers import WindowOutliers


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
        outliers: The rows that are unlike the evaluation rows; None if the pipeline file does not ask for them, or with too few rows.
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
    outliers: WindowOutliers | None = None


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
