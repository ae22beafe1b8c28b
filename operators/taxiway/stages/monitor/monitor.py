"""Compares what a version predicts in production with its evaluation rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, NoRequestsError, TerminalError
from taxiway.features.signature import ModelColumns
from taxiway.lineage.queries import version_records
from taxiway.records import Anomaly, Evaluation, FeatureSet, Snapshot
from taxiway.records.causes import Causes
from taxiway.records.served import LossChange, Operation, PreviousPerformance, WorseSlice
from taxiway.spec.monitor import default_metric
from taxiway.stages.batch.version import Version, row_model
from taxiway.stages.monitor.windows.checks import findings
from taxiway.stages.monitor.windows.drift import WindowDrift, window_drift
from taxiway.stages.monitor.windows.earlier import DriftSince, EarlierRows, drift_since, earlier_rows, has_new_drift
from taxiway.stages.monitor.windows.input_shares import Estimates, InputShares, input_shares
from taxiway.stages.monitor.windows.inputs import compared_columns, evaluation_inputs, request_schema, validated, window_rows
from taxiway.stages.monitor.windows.label_audits import LabelAudit
from taxiway.stages.monitor.windows.labels_expected import LabelsExpected, labels_expected
from taxiway.stages.monitor.windows.log_windows import Every, last_day, newest_day, oldest_day, read_windows, served_versions
from taxiway.stages.monitor.windows.loss_changes import SeenLosses
from taxiway.stages.monitor.windows.operation import operation
from taxiway.stages.monitor.windows.performance import MIN_ROWS, Reference, WindowPerformance, performance
from taxiway.stages.monitor.windows.reference import reference_of
from taxiway.stages.monitor.windows.regression import error_estimates
from taxiway.store import Store

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    from mlflow import MlflowClient

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
        checks: The paths of functions that look at the rows of each window; see `taxiway.stages.monitor.windows.checks`.
    """

    every: Every = "week"
    metric: str | None = None
    since: date | None = None
    until: date | None = None
    schema: "Schema | None" = None
    checks: tuple[str, ...] = ()
    labels_after: timedelta | None = None


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
    """

    performance: WindowPerformance
    drift: WindowDrift
    anomalies: tuple[Anomaly, ...]
    findings: tuple[str, ...]
    operation: Operation | None
    since: DriftSince | None = None
    labels: LabelsExpected | None = None
    has_new_drift: bool = False


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


def compare_windows(
    client: "MlflowClient",
    version: Version,
    loaded: Any,
    log: Path,
    asked: Asked,
    *,
    store: Store,
    show: Callable[[str], None] = lambda _: None,
) -> ComparedWindows:
    """Compare the performance of a version in the windows of a request log with that on its evaluation rows.

    Args:
        client: The MLflow client.
        version: The version.
        loaded: Its pyfunc model.
        log: The folder of the request log's Parquet files.
        asked: What is to be compared.
        store: Where the evaluation rows are.
        show: Called with what is being done.

    Raises:
        ConfigError: The metric is for another problem, or the log is not a folder.
        NoRequestsError: The version has predicted no rows on these days.
        TerminalError: The version has no records, or its scores are withheld.
    """
    from taxiway.serving.request_files import read_request_log

    today = datetime.now(UTC).date()
    until = min(asked.until or today, today)  # a clock that was wrong for an hour would otherwise make the newest window
    if asked.since is not None and asked.since > until:
        raise ConfigError(f"the first day {asked.since} is after the last one, {until}; give an earlier day")
    about, model = f"{version.model} version {version.version}", row_model(loaded, version)
    evaluated = evaluation_records(client, version, about)
    show(f"scoring the evaluation rows of {about}")
    metric = asked.metric or default_metric(len(model.classes))
    reference = reference_of(model, loaded, evaluated.snapshot, evaluated.label, metric, store)
    show(f"reading the requests of {about}")
    losses = SeenLosses(reference)

    def read(
        connection: "duckdb.DuckDBPyConnection",
    ) -> tuple[list[WindowPerformance], ModelColumns, date | None, dict[date, Operation], str]:
        windows = read_windows(connection, version.model, version.version, reference.classes, asked.every, asked.since, until)
        found = list(performance(reference, losses.passing(windows)))
        columns = compared_columns(connection, version.model, version.version, model.columns)
        newest = newest_day(connection, version.model, version.version, until) if found else None
        answered = operation(connection, version.model, version.version, asked.every, asked.since, until)
        return found, columns, newest, answered, ", ".join(map(str, served_versions(connection, version.model)))

    found, columns, newest, answered, versions = read_request_log(
        log, read, model=version.model, since=asked.since, until=until
    )
    if not found:
        raise NoRequestsError(
            f"{log} has no rows that {about} has predicted on these days; versions with rows: {versions or 'none'}. "
            f"For one of them: taxiway monitor {version.model}/VERSION"
        )
    return ComparedWindows(reference, found, columns, evaluated, newest, until, answered, losses)


def monitor(
    client: "MlflowClient",
    version: Version,
    loaded: Any,
    log: Path,
    asked: Asked,
    *,
    store: Store,
    show: Callable[[str], None] = lambda _: None,
) -> Monitored:
    """Compare the windows of a request log with the evaluation rows of a version: the performance, and the inputs.

    The arguments and errors are those of `compare_windows`.
    """
    compared = compare_windows(client, version, loaded, log, asked, store=store, show=show)
    about, reference, columns = f"{version.model} version {version.version}", compared.reference, compared.columns
    snapshot = compared.evaluated.snapshot
    newest: tuple[WindowPerformance, WindowDrift, pd.DataFrame] | None = None
    before = evaluation_inputs(snapshot, row_model(loaded, version).columns, store)
    made: list[MonitoredWindow] = []
    by, errors = request_schema(asked.schema, columns, snapshot, store), error_estimates(reference, before, columns)
    after, today = asked.labels_after, datetime.now(UTC).date()
    expected = labels_expected(compared.windows, asked.every, after, today) if after is not None else {}
    earlier = earlier_rows(log, version.model, compared.windows[0].first, asked.every, columns, by)
    for each in compared.windows:
        show(f"comparing the inputs from {each.first}")
        with window_rows(
            log,
            version.model,
            version.version,
            each.first,
            asked.every,
            columns,
            with_answers=bool(asked.checks),
            leave_out=each.repeated,
        ) as path:
            drift, rows = window_drift(before, path, columns)
            predicted = errors.of_window(each, path) if errors is not None else each
            ended = last_day(each.first, asked.every) < today
            baseline = earlier.baseline if earlier is not None else None
            of_schema = validated(path, about, by, ended=ended, before=baseline)
            found = findings(asked.checks, path, before)
        since = drift_since(earlier, rows, columns)
        answered = compared.operation.get(each.first)
        is_new = has_new_drift(drift, since, earlier)
        labels = expected.get(each.first)
        made.append(MonitoredWindow(predicted, drift, of_schema.anomalies, found, answered, since, labels, is_new))
        if each.rows >= MIN_ROWS:
            newest = predicted, drift, rows
            earlier = EarlierRows(each.first, rows, of_schema.profile, drift)
    shares = input_shares(Estimates(reference, errors, loaded, before), *newest) if newest is not None else None
    is_silent = compared.newest is not None and compared.newest < oldest_day(compared.until, asked.every, windows=1)
    show("comparing the losses of days")
    return Monitored(
        version,
        reference,
        compared.evaluated,
        made,
        shares,
        silent_since=compared.newest if is_silent else None,
        changes=compared.losses.changes(),
    )


def evaluation_records(client: "MlflowClient", version: Version, about: str) -> EvaluationRecords:
    """What the evaluation rows of a version are.

    Args:
        client: The MLflow client.
        version: The version.
        about: What it is called in errors.

    Raises:
        TerminalError: The version has no records, or its scores are withheld.
    """
    records = version_records(client, version.model, version.version, (Snapshot, FeatureSet, Evaluation))
    if records.snapshot is None or records.features is None or records.evaluation is None:
        raise TerminalError(f"the records of {about} cannot be read: {'; '.join(records.unread) or 'they are missing'}")
    if records.evaluation.withheld:
        raise TerminalError(
            f"the scores of {about} on its evaluation rows are withheld (gate.show), and a comparison with them would show them; to see "
            f"them, which spends the rows: taxiway gate show {version.model}/{version.version}"
        )
    sliced_by = frozenset(each.column for each in records.evaluation.slices)
    return EvaluationRecords(records.snapshot, records.features.label, sliced_by)
