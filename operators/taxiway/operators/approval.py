"""Approval: Airflow's human-in-the-loop operator asks whether a version may be pushed; the answer is a record of the ledger."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

from taxiway.hooks.context import airflow_url
from taxiway.operators.base import Input, StageOperator
from taxiway.operators.notify import Told, notify
from taxiway.records import Decision, ShadowReport, Verdict
from taxiway.spec.team import Notification
from taxiway.tracking import tags

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.spec.approval import Approval
    from taxiway.stages.context import StageContext

APPROVE, REJECT = "Approve", "Reject"
_NO_REASON = "no reason given"


class ApprovalOperator(StageOperator[Decision], HITLOperator):
    """Ask a person whether a version that passed its gates may be pushed; the task waits in no worker and fails on a rejection.

    Args:
        verdict: The reference of the Verdict.
        shadow: The reference of the ShadowReport.
        notification: The team file's notifier, which is called when the question is asked; None for no notification.
    """

    template_fields = ("verdict", "shadow")

    def __init__(self, *, verdict: Input, shadow: Input, notification: Notification | None = None, **kwargs: Any) -> None:
        rules: Approval = kwargs["pipeline"].approval
        on_timeout = {"approve": APPROVE, "reject": REJECT}[rules.on_timeout]
        # Airflow passes the DAG's parameters too, which are no part of the question.
        kwargs["params"] = {"reason": Param("", type="string", title="Reason", description="Kept in the ledger for ever.")}
        super().__init__(
            subject="Push a new version?",
            options=[APPROVE, REJECT],
            defaults=on_timeout if rules.timeout is not None else None,
            assigned_users=[{"id": user, "name": user} for user in rules.approvers] or None,
            response_timeout=rules.timeout,
            **kwargs,
        )
        self.verdict = verdict
        self.shadow = shadow
        self.notification = notification

    def execute(self, context: "Context") -> Any:
        """Ask, unless the question is answered already."""
        from taxiway.stages.approval import accept, body, known_answer, subject

        with self.reporting(context), self.ending(context):
            stage = self.open(context)
            verdict, shadow = self.read(Verdict, self.verdict), self.read(ShadowReport, self.shadow)
            answered = known_answer(stage, verdict)
            if answered is not None:
                return self.finish(accept(stage, answered), stage, context)
            links = [("the run in MLflow", self.mlflow_run_url), ("the run in Airflow", airflow_url(context))]
            self.subject, self.body = subject(verdict), body(verdict, shadow, links)
            notify(self.notification, self._told(stage, verdict, context), context)
            return HITLOperator.execute(self, context)

    def execute_complete(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Record the answer, or what silence means."""
        from taxiway.stages.approval import record_answer

        with self.reporting(context), self.ending(context):
            stage, verdict = self.open(context), self.read(Verdict, self.verdict)
            made = HITLOperator.execute_complete(self, context, dict(event))
            user, silent = made["responded_by_user"], bool(event.get("timedout"))
            by = "nobody (no answer in time)" if silent or not user else str(user["name"] or user["id"])
            reason = str((made["params_input"] or {}).get("reason") or "").strip()
            answered = record_answer(
                stage,
                verdict,
                approved=made["chosen_options"] == [APPROVE],
                by=by,
                reason=reason or (self._silence() if silent else _NO_REASON),
                at=made["responded_at"] or datetime.now(UTC),
                via="airflow",
            )
            return self.finish(answered, stage, context)

    def failure_reason(self, stage: "StageContext", record: Decision) -> str | None:
        from taxiway.stages.approval import failure_reason

        return failure_reason(record)

    def _told(self, stage: "StageContext", verdict: Verdict, context: "Context") -> Told:
        return Told(
            pipeline=self.pipeline.name,
            span=stage.recorder.tag(tags.SPAN),
            event="APPROVAL",
            reasons=[self.subject, *(reason.message for reason in verdict.reasons)],
            version=verdict.version,
            airflow_url=airflow_url(context),
            mlflow_url=self.mlflow_run_url,
        )

    def _silence(self) -> str:
        return (
            f"no answer within {self.response_timeout}, which means {self.pipeline.approval.on_timeout} (approval.on_timeout)"  # type: ignore[union-attr]
        )
