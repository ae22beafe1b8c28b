"""Approval: Airflow's human-in-the-loop operator asks whether a version may be pushed; the answer is a record of the ledger."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

from taxiway.hooks.context import airflow_url
from taxiway.hooks.notify import Told, notify
from taxiway.hooks.outages import outlast_outages
from taxiway.operators.base import Input, StageOperator
from taxiway.records import Decision, ShadowReport, Verdict
from taxiway.spec.approval import APPROVE, REJECT, Approval
from taxiway.spec.team import Notification

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.approval import Answer
    from taxiway.stages.context import StageContext


class ApprovalOperator(StageOperator[Decision], HITLOperator):
    """Ask a person whether a version that passed its gates may be pushed; the task waits in no worker and fails on a rejection.

    Args:
        verdict: The reference of the Verdict.
        shadow: The reference of the ShadowReport.
        notification: The team file's notifier, which is called when the approval is requested; None for no notification.
    """

    template_fields = ("verdict", "shadow")

    def __init__(self, *, verdict: Input, shadow: Input, notification: Notification | None = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, **_settings(kwargs["pipeline"].approval or Approval())})
        self.verdict, self.shadow, self.notification = verdict, shadow, notification

    def execute(self, context: "Context") -> Any:
        """Ask, unless the question is answered already, or this version needs no approval."""
        from taxiway.stages.approval import accept, body, known_answer, needs_approval, subject

        with self.reporting(context), self.ending(context):
            stage = self.open(context)
            verdict, shadow = self.read(Verdict, self.verdict), self.read(ShadowReport, self.shadow)
            if not needs_approval(self.pipeline, verdict):
                self.log.info("no approval is needed: the champion could be scored")
                return None
            answered = known_answer(stage, verdict)
            if answered is not None:
                return self.finish(accept(stage, answered), stage, context)
            links = {"the run in MLflow": self.mlflow_run_url, "the run in Airflow": airflow_url(context)}
            self.subject, self.body = subject(verdict), body(verdict, shadow, links)
            notify(self.notification, _told(self.subject, verdict, stage, links), context)
            return HITLOperator.execute(self, context)

    def execute_complete(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Record the answer, or what silence means."""
        with self.reporting(context), self.ending(context):
            given = _answer(HITLOperator.execute_complete(self, context, dict(event)), silent=bool(event.get("timedout")))
            again = "If the task ends first, a retry requests the approval again"
            done = outlast_outages(lambda: _record(self, given, context), f"the answer of {given.by}", again)
            return self.finish(*done, context)

    def failure_reason(self, stage: "StageContext", record: Decision) -> str | None:
        from taxiway.stages.approval import failure_reason

        return failure_reason(record)


def _record(task: ApprovalOperator, given: "Answer", context: "Context") -> "tuple[Decision, StageContext]":
    from taxiway.stages.approval import record_answer

    stage = task.open(context)
    return record_answer(stage, task.read(Verdict, task.verdict), given), stage


def _settings(rules: Approval) -> dict[str, Any]:
    """The arguments of Airflow's operator; the DAG's own parameters are not part of the question."""
    return {
        "subject": "Push a new version?",
        "options": [APPROVE, REJECT],
        "defaults": {"approve": APPROVE, "reject": REJECT}[rules.on_timeout] if rules.timeout is not None else None,
        "params": {"reason": Param("", type="string", title="Reason", description="Kept in the ledger for ever.")},
        "assigned_users": [{"id": user, "name": user} for user in rules.approvers] or None,
        "response_timeout": rules.timeout,
    }


def _answer(given: Mapping[str, Any], *, silent: bool) -> "Answer":
    """What Airflow's operator returns about the answer of a person, or about silence."""
    from taxiway.stages.approval import Answer

    user, reason = given["responded_by_user"], str((given["params_input"] or {}).get("reason") or "").strip()
    if silent or not user:
        by, reason = "nobody (no answer in time)", "no answer within approval.timeout; approval.on_timeout decides"
    else:
        by = str(user["name"] or user["id"])
    return Answer(
        approved=given["chosen_options"] == [APPROVE],
        by=by,
        reason=reason or "no reason given",
        at=given["responded_at"] or datetime.now(UTC),
        via="airflow",
    )


def _told(question: str, verdict: Verdict, stage: "StageContext", links: Mapping[str, str]) -> Told:
    """What the notification about a question says."""
    from taxiway.tracking import tags

    mlflow_url, airflow_page = links.values()
    return Told(
        pipeline=verdict.model,
        span=stage.recorder.tag(tags.SPAN),
        event="APPROVAL",
        reasons=[question, *(reason.message for reason in verdict.reasons)],
        version=verdict.version,
        airflow_url=airflow_page,
        mlflow_url=mlflow_url,
    )
