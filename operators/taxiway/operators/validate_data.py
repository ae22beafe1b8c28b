"""Validate data: checks a snapshot against the pipeline's schema, its history and the team's suite."""

from typing import TYPE_CHECKING

from taxiway.operators.base import SnapshotOperator
from taxiway.records import DataReport, Snapshot

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class ValidateDataOperator(SnapshotOperator[DataReport]):
    """Validate a snapshot; the task fails with every blocking anomaly, unless `on_invalid_data` is `continue`.

    Args:
        snapshot: The reference of the Snapshot that ingest returned.
    """

    def run(self, stage: "StageContext", context: "Context") -> DataReport:
        from taxiway.stages.validate_data import validate_data

        return validate_data(stage, self.read(Snapshot, self.snapshot))

    def failure_reason(self, stage: "StageContext", record: DataReport) -> str | None:
        from taxiway.stages.validate_data import failure_reason

        return failure_reason(stage, record)
