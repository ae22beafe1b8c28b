"""Validate data: checks a snapshot against the pipeline's schema, its history and the team's suite."""

import os
from pathlib import Path

from taxiway.messages import counted
from taxiway.records import DataReport, Severity, Snapshot, Status
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext, bullets


def validate_data(context: StageContext, snapshot: Snapshot) -> DataReport:
    """Validate the rows of a snapshot; the profiles of rows that pass are kept as history.

    Raises:
        DataError: A span cannot be read.
        ConfigError: The schema, the suite or a rule cannot be used.
    """
    from taxiway.data.validation.profile_history import load_profile_history, record_profiles
    from taxiway.data.validation.validate import validate_snapshot
    from taxiway.features.columns import choose_columns

    pipeline, schema, label = context.pipeline, context.schema(), context.pipeline.source.label
    report = validate_snapshot(
        snapshot,
        schema,
        store=context.store,
        today=context.clock().date(),
        suite=Path(pipeline.suite) if pipeline.suite else None,
        used_features=choose_columns(schema, pipeline.used_features, label).names,
        history=load_profile_history(snapshot, schema, context.store, pipeline.source.exclude),
    )
    if report.status is Status.PASS:  # data that failed must not become the baseline of later spans
        record_profiles(snapshot, label, context.store)
    counts = {"data.checks": report.checks, "data.anomalies": len(report.anomalies), "data.blocking": len(report.blocking)}
    context.recorder.record(report, metrics=counts)
    warnings = [a.message for a in report.anomalies if a.severity is Severity.WARNING]
    found = f"{counted(len(report.blocking), 'error')}, {counted(len(warnings), 'warning')}"
    context.log.info("%s: %s, %s\n%s", report.status, counted(report.checks, "check"), found, bullets(warnings))
    if report.status is not Status.PASS and failure_reason(report, pipeline) is None:
        context.log.warning(
            "the data did not pass validation; on_invalid_data is continue, but the model gate will fail the model\n%s",
            _why(report),
        )
    return report


_OF_THE_LABEL = ("label_missing", "label_constant")
"""Anomalies that no change of the schema makes acceptable."""


def failure_reason(report: DataReport, pipeline: Pipeline) -> str | None:
    """Why the pipeline stops at this report; None if it continues."""
    if report.status is Status.PASS or pipeline.on_invalid_data == "continue":
        return None
    schema = (
        os.path.relpath(pipeline.schema_file) if Path(pipeline.schema_file).is_relative_to(Path.cwd()) else pipeline.schema_file
    )
    change = f"If it is right: taxiway schema update {schema} --from DATA shows and makes the changes of the schema. "
    if all(anomaly.kind in _OF_THE_LABEL for anomaly in report.blocking):
        change = ""
    return (
        f"the data did not pass validation; no model is trained:\n{_why(report)}\n"
        f"If the data is wrong, correct it at the source. {change}Then decide the span again with the run parameter span, or --span in a "
        "local run"
    )


def _why(report: DataReport) -> str:
    return bullets([anomaly.message for anomaly in report.blocking])
