"""What is to be compared with the evaluation rows of a version, and what the comparison has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from taxiway.features.signature import ModelColumns
from taxiway.monitoring.outliers.detectors import Method
from taxiway.records import Anomaly, Snapshot
from taxiway.records.served import LossChange, Operation, PreviousPerformance, WorseSlice
from taxiway.records.served.causes import Causes
from taxiway.stages.batch.version import Version
from taxiway.stages.monitor.outliers.found import FoundOutliers
from taxiway.stages.monitor.windows.drift import WindowDrift
from taxiway.stages.monitor.windows.earlier import DriftSince
from taxiway.stages.monitor.windows.input_shares import InputShares
from taxiway.stages.monitor.windows.labels.audits import LabelAudit
from taxiway.stages.monitor.windows.labels.expected import LabelsExpected
from taxiway.stages.monitor.windows.log_windows import Every
from taxiway.stages.monitor.windows.loss_changes import SeenLosses
from taxiway.stages.monitor.windows.performance import MIN_ROWS, Reference, WindowPerformance

if TYPE_CHECKING:
    from taxiway.data.schema.model import Schema


@dataclass(frozen=True)
class Asked:
    """What is to be compared.

    Attributes:
        every: How long a window is.
        metric: The metric; None for `roc_auc` of two classes, `accuracy` of more, and `mae` of a regression.
        since: The first day of the requests, in UTC; None for all.
        until: The last day; None for today. Requests that are dated later are not looked at.
        schema: The schema of the inputs, by which requests are validated in the environment SERVING; None for no validation.
        labels_after: How long labels take, from the end of a window on; None if that is not known.
        outliers: How the rows of each window are scored by how unlike the evaluation rows they are; None if they are not.
        checks: The paths of functions that look at the rows of each window; see `taxiway.stages.monitor.windows.checks`.
    """

    every: Every = "week"
    metric: str | None = None
    since: date | None = None
    until: date | None = None
    schema: "Schema | None" = None
    checks: tuple[str, ...] = ()
    labels_after: timedelta | None = None
    outliers: Method | None = None


@dataclass(frozen=True)
class EvaluationRecords:
    """What the evaluation rows of a version are.

    Attributes:
        snapshot: What the version was trained and evaluated on.
        label: The column of the label.
        sliced_by: The columns by which it was compared with its champion.
    """

    snapshot: Snapshot
    label: str
    sliced_by: frozenset[str]


@dataclass(frozen=True)
class MonitoredWindow:
    """A window.

    Attributes:
        performance: How well the version has predicted.
        drift: Which inputs have drifted.
        anomalies: The anomalies of its inputs that would block a training, by the schema.
        findings: What the team's own checks found.
        operation: How its requests were answered; None if the log does not have their first rows.
        since: What has drifted since the window before; None if there is none, or too few rows.
        labels: When its labels are expected; None if that is not known.
        has_new_drift: Whether inputs have drifted that had not in the window before.
        outliers: Which of its rows are unlike the evaluation rows; None if they were not scored.
    """

    performance: WindowPerformance
    drift: WindowDrift
    anomalies: tuple[Anomaly, ...]
    findings: tuple[str, ...]
    operation: Operation | None
    since: DriftSince | None = None
    labels: LabelsExpected | None = None
    has_new_drift: bool = False
    outliers: FoundOutliers | None = None


@dataclass(frozen=True)
class Monitored:
    """A version in production.

    Attributes:
        version: The version.
        reference: How well it predicts its evaluation rows.
        evaluated: What these rows are.
        windows: The windows, oldest first.
        shares: How much of the estimate of the newest window with enough rows each drifted input explains, if it is worse and inputs have
            drifted; None if not.
        causes: Why a window is worse, see `taxiway.stages.monitor.causes`; None if none is, or if that was not asked.
        audit: When labels are needed next; None if that was not asked.
        slices: The slices that are worse in the newest window whose realised performance is known, see `taxiway.stages.monitor.slices`.
        previous: How the version before predicts the same rows, see `taxiway.stages.monitor.previous`; None if it was not compared.
        silent_since: The last day with requests, if the window before the present one has none; None if it has.
        record: The digest of the stored record of it; None if it is not stored.
        changes: When the losses of the version have changed, oldest first.
    """

    version: Version
    reference: Reference
    evaluated: EvaluationRecords
    windows: Sequence[MonitoredWindow]
    shares: InputShares | None
    causes: Causes | None = None
    audit: LabelAudit | None = None
    slices: tuple[WorseSlice, ...] = ()
    previous: PreviousPerformance | None = None
    silent_since: date | None = None
    record: str | None = None
    changes: tuple[LossChange, ...] = ()

    @property
    def newest(self) -> MonitoredWindow | None:
        """The newest window with enough rows; None if there is none."""
        return next((each for each in reversed(self.windows) if each.performance.rows >= MIN_ROWS), None)

    @property
    def newest_labelled(self) -> MonitoredWindow | None:
        """The newest window whose realised performance is known: labels may come a window late."""
        return next((each for each in reversed(self.windows) if each.performance.realised is not None), None)

    @property
    def alert(self) -> str:
        """Whether the newest window with enough rows is worse, or the newest one whose realised performance is known; empty if not."""
        found = (each.performance.alert for each in (self.newest, self.newest_labelled) if each is not None)
        return next(filter(None, found), "")

    def summary(self) -> dict[str, Any]:
        """The version, the newest window with enough rows, empty if there is none, the alert, and the digest of the record."""
        window = str(self.newest.performance.first) if self.newest is not None else ""
        return {"version": self.version.version, "window": window, "alert": self.alert, "record": self.record}


@dataclass(frozen=True)
class ComparedWindows:
    """How well a version has predicted, without its inputs.

    Attributes:
        reference: How well it predicts its evaluation rows.
        windows: The performance in each window, oldest first; at least one.
        columns: The columns of the version that the requests have.
        evaluated: What the evaluation rows are.
        newest: The last day with requests.
        until: The last day that was looked at.
        operation: How the requests were answered, by the first days of the windows.
        losses: The losses of the rows with a label in all windows.
    """

    reference: Reference
    windows: Sequence[WindowPerformance]
    columns: ModelColumns
    evaluated: EvaluationRecords
    newest: date | None
    until: date
    operation: Mapping[date, Operation]
    losses: SeenLosses
