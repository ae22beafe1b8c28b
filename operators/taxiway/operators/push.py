"""Push: moves the alias `champion` to the new version, and waits until the gateway serves it."""

from typing import TYPE_CHECKING, Any

from taxiway.hooks.retraining import CHAMPION, asset_of, promotion_evidence
from taxiway.operators.base import Input, StageOperator
from taxiway.records import Decision, Promotion, ShadowReport, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class PushOperator(StageOperator[Promotion]):
    """Promote a version that passed both gates to champion, and wait until the gateway serves it; the asset `TEAM.PIPELINE.champion` is
    updated then.

    Args:
        verdict: The reference of the Verdict.
        shadow: The reference of the ShadowReport.
        approval: The reference of the Decision of the person who approved it; None if nobody has to.
    """

    template_fields = ("verdict", "shadow", "approval")

    def __init__(self, *, verdict: Input, shadow: Input, approval: Input | None = None, **kwargs: Any) -> None:
        self.champion = asset_of(kwargs["pipeline"], CHAMPION)
        super().__init__(**{**kwargs, "outlets": [self.champion, *kwargs.get("outlets", ())]})
        self.verdict = verdict
        self.shadow = shadow
        self.approval = approval

    def run(self, stage: "StageContext", context: "Context") -> Promotion:
        from taxiway.stages.approval import needs_approval
        from taxiway.stages.push import push

        verdict = self.read(Verdict, self.verdict)
        approval = self.read(Decision, self.approval) if needs_approval(self.pipeline, verdict) else None
        promotion = push(stage, verdict, self.read(ShadowReport, self.shadow), approval)
        context["outlet_events"][self.champion].extra = promotion_evidence(promotion)
        return promotion
