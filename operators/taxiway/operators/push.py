"""Push: the alias `champion` moves, once, and the gateway answers with the new version."""

from typing import TYPE_CHECKING, Any

from taxiway.operators.base import Input, StageOperator
from taxiway.records import Promotion, ShadowReport, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class PushOperator(StageOperator[Promotion]):
    """Make the version champion, on a passed Verdict and ShadowReport; ends when the gateway serves it.

    :param verdict: the reference of the Verdict
    :param shadow: the reference of the ShadowReport
    """

    template_fields = ("verdict", "shadow")

    def __init__(self, *, verdict: Input, shadow: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict
        self.shadow = shadow

    def run(self, stage: "StageContext", context: "Context") -> Promotion:
        from taxiway.stages.push import push

        return push(stage, self.read(Verdict, self.verdict), self.read(ShadowReport, self.shadow))
