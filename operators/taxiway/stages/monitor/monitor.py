"""Compares what a version predicts in production with its evaluation rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, NoRequestsError, TerminalError
from taxiway.features.signature import ModelColumns
from taxiway.lineage.queries import version_records
from taxiway.monitoring.outliers.scores import OutlierScores
from taxiway.records import Evaluation, FeatureSet, Snapshot
from taxiway.records.served import Operation
from taxiway.spec.monitor import default_metric
from taxiway.stages.batch.version import Version, row_model
from taxiway.stages.monitor.monitored import Asked, ComparedWindows, EvaluationRecords, Monitored, MonitoredWindow
from taxiway.stages.monitor.outliers.found import found_outliers, outlier_scores
from taxiway.stages.monitor.windows.checks import findings
from taxiway.stages.monitor.windows.drift import WindowDrift, window_drift
from taxiway.stages.monitor.windows.earlier import EarlierRows, drift_since, earlier_rows, has_new_drift
from taxiway.stages.monitor.windows.input_shares import Estimates, input_shares
from taxiway.stages.monitor.windows.inputs import (
    RequestSchema,
    compared_columns,
    evaluation_inputs,
    request_schema,
    validated,
    window_rows,
)
from taxiway.stages.monitor.windows.labels.expected import labels_expected
from taxiway.stages.monitor.windows.log_windows import last_day, newest_day, oldest_day, read_windows, served_versions
from taxiway.stages.monitor.windows.loss_changes import SeenLosses
from taxiway.stages.monitor.windows.operation import operation
from taxiway.stages.monitor.windows.performance import MIN_ROWS, WindowPerformance, performance
from taxiway.stages.monitor.windows.reference import reference_of
from taxiway.stages.monitor.windows.regression import ErrorEstimates, error_estimates
from taxiway.store import Store

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    from mlflow import MlflowClient


@dataclass(frozen=True)
class _Inputs:
    """What the inputs of every window are compared with.

    Attributes:
        log: The folder of the request log's Parquet files.
        store: Where the drift of several columns together is kept.
        version: The version.
        asked: What is to be compared.
        columns: The columns of the version that the requests have.
        before: The inputs of the evaluation rows.
        by: What requests are validated by; None for no validation.
        errors: Estimates the errors of a regression; None for other models.
        outliers: Scores the rows; None if they are not to be scored, or with too few evaluation rows.
        today: The day, in UTC.
    """

    log: Path
    store: Store
    version: Version
    asked: Asked
    columns: ModelColumns
    before: "pd.DataFrame"
    by: RequestSchema | None
    errors: ErrorEstimates | None
    outliers: OutlierScores | None
    today: date


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
    from taxiway.serving.request_log.files import read_request_log

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
    columns, snapshot = compared.columns, compared.evaluated.snapshot
    before = evaluation_inputs(snapshot, row_model(loaded, version).columns, store)
    inputs = _Inputs(
        log,
        store,
        version,
        asked,
        columns,
        before,
        request_schema(asked.schema, columns, snapshot, store),
        error_estimates(compared.reference, before, columns),
        outlier_scores(before, columns, asked.outliers),
        datetime.now(UTC).date(),
    )
    made, newest = _monitored_windows(inputs, compared, show)
    estimates = Estimates(compared.reference, inputs.errors, loaded, before)
    shares = input_shares(estimates, *newest) if newest is not None else None
    is_silent = compared.newest is not None and compared.newest < oldest_day(compared.until, asked.every, windows=1)
    show("comparing the losses of days")
    return Monitored(
        version,
        compared.reference,
        compared.evaluated,
        made,
        shares,
        silent_since=compared.newest if is_silent else None,
        changes=compared.losses.changes(),
    )


def _monitored_windows(
    inputs: _Inputs, compared: ComparedWindows, show: Callable[[str], None]
) -> "tuple[list[MonitoredWindow], tuple[WindowPerformance, WindowDrift, pd.DataFrame] | None]":
    """All windows, and the performance, the drift and the inputs of the newest one with enough rows, if there is one."""
    asked = inputs.asked
    after = asked.labels_after
    expected = labels_expected(compared.windows, asked.every, after, inputs.today) if after is not None else {}
    made, newest = [], None
    earlier = earlier_rows(inputs.log, inputs.version.model, compared.windows[0].first, asked.every, inputs.columns, inputs.by)
    for each in compared.windows:
        show(f"comparing the inputs from {each.first}")
        window, compared_rows = _monitored(inputs, each, earlier)
        answered, labels = compared.operation.get(each.first), expected.get(each.first)
        made.append(replace(window, operation=answered, labels=labels))
        if each.rows >= MIN_ROWS:
            newest = window.performance, window.drift, compared_rows.rows
            earlier = compared_rows
    return made, newest


def _monitored(inputs: _Inputs, each: WindowPerformance, earlier: EarlierRows | None) -> tuple[MonitoredWindow, EarlierRows]:
    """What the inputs of a window show, and what the next one is compared with."""
    version, asked, columns = inputs.version, inputs.asked, inputs.columns
    with window_rows(
        inputs.log,
        version.model,
        version.version,
        each.first,
        asked.every,
        columns,
        with_answers=bool(asked.checks),
        with_ids=inputs.outliers is not None,
        leave_out=each.repeated,
    ) as path:
        drift, rows = window_drift(inputs.before, path, columns, inputs.store)
        predicted = inputs.errors.of_window(each, path) if inputs.errors is not None else each
        ended = last_day(each.first, asked.every) < inputs.today
        baseline = earlier.baseline if earlier is not None else None
        of_schema = validated(path, f"{version.model} version {version.version}", inputs.by, ended=ended, before=baseline)
        found = findings(asked.checks, path, inputs.before)
        outliers = found_outliers(inputs.outliers, inputs.before, path, columns) if each.rows >= MIN_ROWS else None
    since = drift_since(earlier, rows, columns, inputs.store)
    is_new = has_new_drift(drift, since, earlier)
    window = MonitoredWindow(
        predicted, drift, of_schema.anomalies, found, operation=None, since=since, has_new_drift=is_new, outliers=outliers
    )
    return window, EarlierRows(each.first, rows, of_schema.profile, drift)


def evaluation_records(client: "MlflowClient", version: Version, about: str) -> EvaluationRecords:
    """What the evaluation rows of a version are.

    Args:
        client: The MLflow client.
        version: The version.
        about: What it is called in errors.

    Raises:
        TerminalError: The version has no records, or its scores are withheld.
    """
    kinds = (Snapshot, FeatureSet, Evaluation)
    records = version_records(client, version.model, version.version, kinds, version.training_run)
    if records.snapshot is None or records.features is None or records.evaluation is None:
        raise TerminalError(f"the records of {about} cannot be read: {'; '.join(records.unread) or 'they are missing'}")
    if records.evaluation.withheld:
        raise TerminalError(
            f"the scores of {about} on its evaluation rows are withheld (gate.show), and a comparison with them would show them; to see "
            f"them, which spends the rows: taxiway gate show {version.model}/{version.version}"
        )
    sliced_by = frozenset(each.column for each in records.evaluation.slices)
    return EvaluationRecords(records.snapshot, records.features.label, sliced_by)
