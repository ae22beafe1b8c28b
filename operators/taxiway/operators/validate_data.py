"""Validate data: the snapshot against the pipeline's schema, its history and the team's suite."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.operators.base import Input, StageOperator, sentences
from taxiway.records import DataReport, Record, Severity, Snapshot, Status

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun


class ValidateDataOperator(StageOperator):
    """Validate a snapshot; the task fails where the report blocks, with every reason in words.

    :param snapshot: the reference of the Snapshot that ingest made
    """

    template_fields = ("snapshot",)

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot

    def run(self, run: "MlflowRun", context: "Context") -> DataReport:
        from datetime import UTC, datetime

        from taxiway.data.past import past_profiles, remember_spans
        from taxiway.data.validate import validate_snapshot
        from taxiway.features.transform import choose_columns

        snapshot, schema, label = self.read(Snapshot, self.snapshot), self.schema(), self.pipeline.source.label
        report = validate_snapshot(
            snapshot,
            schema,
            store=self.store,
            today=datetime.now(UTC).date(),
            suite=Path(self.pipeline.suite) if self.pipeline.suite else None,
            used=[name for side in choose_columns(schema, self.pipeline.features, label) for name in side],
            history=past_profiles(snapshot, self.store, self.pipeline.source.deny),
        )
        if report.status is Status.PASS:  # what failed is no measure for what comes
            remember_spans(snapshot, label, self.store)
        run.record(report)
        run.metrics(
            {"data.checks": report.checks, "data.anomalies": len(report.anomalies), "data.blocking": len(report.blocking)}
        )
        warnings = [a.sentence for a in report.anomalies if a.severity is Severity.WARNING]
        self.log.info("%s: %d checks, %d warnings\n%s", report.status, report.checks, len(warnings), sentences(warnings))
        return report

    def refusal(self, record: Record) -> str:
        assert isinstance(record, DataReport)
        if record.status is Status.PASS:
            return ""
        why = sentences([anomaly.sentence for anomaly in record.blocking])
        if self.pipeline.bad_data == "go_on":
            self.log.warning("the data did not pass, and bad_data is go_on: the model gate will fail the model\n%s", why)
            return ""
        return f"the data did not pass; no model is trained:\n{why}"
