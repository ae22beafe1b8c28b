"""Validate data: checks a snapshot against the pipeline's schema, its history and the team's suite."""

from typing import TYPE_CHECKING, Any

from taxiway.operators.base import Input, StageOperator
from taxiway.records import DataReport, Snapshot

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class ValidateDataOperator(StageOperator[DataReport]):
    """Validate a snapshot; the task fails with every blocking anomaly, unless `on_invalid_data` is `continue`.

    Args:
        snapshot: The reference of the Snapshot that ingest returned.
    """

    template_fields = ("snapshot",)

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot

    def run(self, stage: "StageContext", context: "Context") -> DataReport:
        from taxiway.stages.validate_data import validate_data

        return validate_data(stage, self.read(Snapshot, self.snapshot))

    def failure_reason(self, record: DataReport) -> str | None:
        from taxiway.stages.validate_data import failure_reason

        return failure_reason(record, self.pipeline)
