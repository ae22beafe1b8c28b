"""Validate model: evaluates candidate and champion on the same rows, and lets the model gate decide."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.exceptions import AirflowSkipException

from taxiway.operators.base import Input, MlflowRunLink, StageOperator
from taxiway.records import Candidate, DataReport, Snapshot, Verdict
from taxiway.tracking import tags

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from taxiway.stages.context import StageContext


class GateReportLink(BaseOperatorLink):
    """The link from `validate_model` to the gate report in MLflow."""

    name = "Gate report"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The URL of the gate report; empty until it is written."""
        return getattr(operator, "gate_report_url", "")


class ValidateModelOperator(StageOperator[Verdict]):
    """Evaluate the candidate against the champion and decide; the task fails unless the verdict is PASS.

    Args:
        candidate: The reference of the Candidate that train returned.
        snapshot: The reference of the Snapshot that ingest returned.
        report: The reference of the DataReport of that snapshot.
    """

    template_fields = ("candidate", "snapshot", "report")
    operator_extra_links = (MlflowRunLink(), GateReportLink())
    gate_report_url: str = ""

    def __init__(self, *, candidate: Input, snapshot: Input, report: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate
        self.snapshot = snapshot
        self.report = report

    def run(self, stage: "StageContext", context: "Context") -> Verdict:
        from taxiway.stages.validate_model import already_champion, validate_model
        from taxiway.stages.validate_model.gate_report import report_url

        candidate = self.read(Candidate, self.candidate)
        snapshot, report = self.read(Snapshot, self.snapshot), self.read(DataReport, self.report)
        verdict = validate_model(stage, candidate, snapshot, report)
        if verdict is None:
            raise AirflowSkipException(already_champion(candidate))
        if stage.recorder.tag(tags.GATE_REPORT):
            self.gate_report_url = report_url(self.mlflow_run_url)
        return verdict

    def failure_reason(self, stage: "StageContext", record: Verdict) -> str | None:
        from taxiway.stages.validate_model import failure_reason

        return failure_reason(record)
