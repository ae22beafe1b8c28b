"""Push: moves the alias `champion` to the new version, and waits until the gateway serves it."""

from typing import TYPE_CHECKING, Any

from taxiway.operators.base import Input, StageOperator
from taxiway.records import Decision, Promotion, ShadowReport, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class PushOperator(StageOperator[Promotion]):
    """Promote a version that passed both gates to champion, and wait until the gateway serves it.

    Args:
        verdict: The reference of the Verdict.
        shadow: The reference of the ShadowReport.
        approval: The reference of the Decision of the person who approved it; None if nobody has to.
    """

    template_fields = ("verdict", "shadow", "approval")

    def __init__(self, *, verdict: Input, shadow: Input, approval: Input | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict
        self.shadow = shadow
        self.approval = approval

    def run(self, stage: "StageContext", context: "Context") -> Promotion:
        from taxiway.stages.approval import needs_approval
        from taxiway.stages.push import push

        verdict = self.read(Verdict, self.verdict)
        approval = self.read(Decision, self.approval) if needs_approval(self.pipeline, verdict) else None
        return push(stage, verdict, self.read(ShadowReport, self.shadow), approval)
