"""Validate data: checks a snapshot against the pipeline's schema, its history and the team's suite."""

import os
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.messages import counted
from taxiway.records import Anomaly, DataReport, Severity, Snapshot, Status
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext, bullets, schema_of
from taxiway.stages.request_skew import logged_requests
from taxiway.store import Store

if TYPE_CHECKING:
    from taxiway.data.schema.model import Schema


def validate_data(context: StageContext, snapshot: Snapshot) -> DataReport:
    """Validate the rows of a snapshot; the profiles of rows that pass are kept as history.

    Raises:
        DataError: A span cannot be read.
        ConfigError: The schema, the suite or a rule cannot be used.
    """
    from taxiway.data.validation.profile_history import record_profiles

    label = context.pipeline.source.label
    report = report_on(context, snapshot)
    if report.status is Status.PASS:  # data that failed must not become the baseline of later spans
        record_profiles(snapshot, label, context.store)
    metrics = {"data.checks": report.checks, "data.anomalies": len(report.anomalies), "data.blocking": len(report.blocking)}
    context.recorder.record(report, metrics=metrics)
    warnings = [a.message for a in report.anomalies if a.severity is Severity.WARNING]
    counts = f"{counted(len(report.blocking), 'error')}, {counted(len(warnings), 'warning')}"
    context.log.info("%s: %s, %s\n%s", report.status, counted(report.checks, "check"), counts, bullets(warnings))
    if report.status is not Status.PASS and failure_reason(context, report) is None:
        _log_why_it_continues(context, report)
    return report


def report_on(context: StageContext, snapshot: Snapshot, columns: Collection[str] | None = None) -> DataReport:
    """The report on the rows of a snapshot under the present schema and suite; see `validate_data`. It is not recorded.

    Args:
        context: The run.
        snapshot: The snapshot.
        columns: The columns of the model; None for those of the pipeline file.
    """
    with logged_requests(context, snapshot) as requests:
        return report_under(context.pipeline, context.store, context.clock().date(), snapshot, columns, requests)


def report_under(
    pipeline: Pipeline,
    store: Store,
    today: date,
    snapshot: Snapshot,
    columns: Collection[str] | None = None,
    requests: Path | None = None,
) -> DataReport:
    """The report on the rows of a snapshot under the schema and the suite of a pipeline.

    Args:
        pipeline: The pipeline.
        store: The store with the rows.
        today: The day on which waivers of the schema must be valid.
        snapshot: The snapshot.
        columns: The columns of the model; None for those of the pipeline file.
        requests: A file with the inputs of logged requests, for skew; None for no comparison.
    """
    suite, schema = Path(pipeline.suite) if pipeline.suite else None, schema_of(pipeline)
    former = _former_names(pipeline, snapshot, store)
    if former:
        schema = schema.with_former_names(former)
        columns = columns and [former.get(name, name) for name in columns]
    return check_rows(pipeline, schema, snapshot, store, today, suite=suite, columns=columns, requests=requests)


def _former_names(pipeline: Pipeline, snapshot: Snapshot, store: Store) -> dict[str, str]:
    """The former name of each column that stored rows have by that name, because the source has renamed it since."""
    import pyarrow.parquet as pq

    if not pipeline.source.rename:
        return {}
    with store.local_file(snapshot.spans[0].content) as path:
        stored = set(pq.read_schema(path).names)
    return {new: old for old, new in pipeline.source.rename.items() if old in stored and new not in stored}


def check_rows(
    pipeline: Pipeline,
    schema: "Schema",
    snapshot: Snapshot,
    store: Store,
    today: date,
    *,
    suite: Path | None = None,
    columns: Collection[str] | None = None,
    requests: Path | None = None,
) -> DataReport:
    """Check the rows of a snapshot against a schema, the earlier spans of a pipeline and a suite.

    Args:
        pipeline: The pipeline.
        schema: The schema.
        snapshot: The snapshot.
        store: Where the rows and the profiles of earlier spans are.
        today: The day on which waivers must be valid.
        suite: The file of a Great Expectations suite; None for none.
        columns: The columns of the model; None for those of the pipeline file.
        requests: A file with the inputs of logged requests, for skew; None for no comparison.
    """
    from taxiway.data.validation.profile_history import load_profile_history
    from taxiway.data.validation.snapshot import validate_snapshot
    from taxiway.features.columns import choose_columns

    if columns is None:
        columns = choose_columns(schema, pipeline.used_features, pipeline.source.label).names
    return validate_snapshot(
        snapshot,
        schema,
        store=store,
        today=today,
        suite=suite,
        used_features=columns,
        history=load_profile_history(snapshot, schema, store, pipeline.source.exclude),
        requests=requests,
    )


def _log_why_it_continues(context: StageContext, report: DataReport) -> None:
    if blocking := _blocking(context, report):
        context.log.warning(
            "the data did not pass validation; on_invalid_data is continue, but the model gate will fail the model\n%s",
            _messages(blocking),
        )
    else:
        context.log.warning("what blocks is waived by a decision:\n%s", _messages(report.blocking))


def _blocking(context: StageContext, report: DataReport) -> tuple[Anomaly, ...]:
    """The anomalies that block and that no decision of a person waives today."""
    from taxiway.gates.data_report import still_blocking
    from taxiway.ledger.decisions import decisions

    if not report.blocking:
        return ()
    return still_blocking(report, decisions(context.ledger, about=report.digest), context.clock().date())


_OF_THE_LABEL = ("label_missing", "label_constant")
"""Anomalies that no change of the schema makes acceptable."""


def failure_reason(context: StageContext, report: DataReport) -> str | None:
    """Why the pipeline stops at this report; None if it continues."""
    pipeline = context.pipeline
    if report.status is Status.PASS or pipeline.on_invalid_data == "continue":
        return None
    blocking = _blocking(context, report)
    if report.blocking and not blocking:
        return None
    schema = (
        os.path.relpath(pipeline.schema_file) if Path(pipeline.schema_file).is_relative_to(Path.cwd()) else pipeline.schema_file
    )
    change = f"If it is right: taxiway schema update {schema} --from DATA shows and makes the changes of the schema. "
    if all(anomaly.kind in _OF_THE_LABEL for anomaly in blocking):
        change = ""
    return (
        f"the data did not pass validation; no model is trained:\n{_messages(blocking)}\n"
        f"If the data is wrong, correct it at the source. {change}If it is to be accepted this once: taxiway waive {report.digest} "
        f"--anomaly {_first_anomaly(blocking)} --until DATE --reason WHY. Then decide the span again with the run parameter span, or --span in a "
        "local run"
    )


def _messages(anomalies: Sequence[Anomaly]) -> str:
    return bullets([anomaly.message for anomaly in anomalies])


def _first_anomaly(blocking: Sequence[Anomaly]) -> str:
    """The first anomaly as `taxiway waive` takes it."""
    if not blocking:
        return "KIND[:COLUMN]"
    return f"{blocking[0].kind}:{blocking[0].column}" if blocking[0].column else blocking[0].kind
