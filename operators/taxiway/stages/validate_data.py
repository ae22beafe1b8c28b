"""Validate data: the snapshot against the pipeline's schema, its history and the team's suite."""

from pathlib import Path

from taxiway.records import DataReport, Severity, Snapshot, Status
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext, bullets


def validate_data(context: StageContext, snapshot: Snapshot) -> DataReport:
    """The verdict on a snapshot's rows; the profiles of rows that passed are kept as history.

    Raises:
        DataError: A span cannot be read.
        ConfigError: The schema, the suite or a rule cannot be used.
    """
    from taxiway.data.validation.profile_history import load_profile_history, record_profiles
    from taxiway.data.validation.validate import validate_snapshot
    from taxiway.features.transform import choose_columns

    pipeline, schema, label = context.pipeline, context.schema(), context.pipeline.source.label
    report = validate_snapshot(
        snapshot,
        schema,
        store=context.store,
        today=context.clock().date(),
        suite=Path(pipeline.suite) if pipeline.suite else None,
        used=[name for side in choose_columns(schema, pipeline.features, label) for name in side],
        history=load_profile_history(snapshot, schema, context.store, pipeline.source.exclude),
    )
    if report.status is Status.PASS:  # what failed is no measure for what comes
        record_profiles(snapshot, label, context.store)
    context.recorder.record(report)
    context.recorder.metrics(
        {"data.checks": report.checks, "data.anomalies": len(report.anomalies), "data.blocking": len(report.blocking)}
    )
    warnings = [a.message for a in report.anomalies if a.severity is Severity.WARNING]
    context.log.info("%s: %d checks, %d warnings\n%s", report.status, report.checks, len(warnings), bullets(warnings))
    if report.status is not Status.PASS and failure_reason(report, pipeline) is None:
        context.log.warning(
            "the data did not pass, and on_invalid_data is continue: the model gate will fail the model\n%s", _why(report)
        )
    return report


def failure_reason(report: DataReport, pipeline: Pipeline) -> str | None:
    """Why the pipeline stops at this report; None if it goes on."""
    if report.status is Status.PASS or pipeline.on_invalid_data == "continue":
        return None
    return f"the data did not pass; no model is trained:\n{_why(report)}"


def _why(report: DataReport) -> str:
    return bullets([anomaly.message for anomaly in report.blocking])
