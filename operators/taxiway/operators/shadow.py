"""Shadow: deploys the challenger beside the champion on mirrored live requests, and compares their answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from taxiway.operators.base import Input, StageOperator
from taxiway.records import ShadowReport, Verdict
from taxiway.triggers.shadow import ShadowTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext
    from taxiway.stages.shadow import Wait


class ShadowDeployOperator(StageOperator[ShadowReport]):
    """Deploy the challenger, defer until it has answered enough requests, remove it, and decide.

    With `shadow.replay`, it first asks the challenger logged requests, which may be enough to decide. With `shadow.labels`, it defers
    again as long as labels do not decide.

    The task fails unless the ShadowReport is PASS or NOT_APPLICABLE.

    Args:
        verdict: The reference of the Verdict on the challenger.
        deployer: Where the challenger runs; None for `shadow.deployer` of the pipeline file.
    """

    template_fields = ("verdict",)

    def __init__(self, *, verdict: Input, deployer: Literal["process", "docker"] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict
        self.deployer = deployer

    @property
    def in_container(self) -> bool:
        """Whether the challenger runs in its own container."""
        shadow = self.pipeline.shadow
        return shadow is not None and (self.deployer or shadow.deployer) == "docker"

    def run(self, stage: "StageContext", context: "Context") -> ShadowReport:
        from taxiway.stages.shadow import begin_shadow

        return self._decided(begin_shadow(stage, self.read(Verdict, self.verdict), in_container=self.in_container))

    def resume(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Compare the answers and remove the challenger, when it has answered enough requests or the wait has ended."""
        from taxiway.stages.shadow import finish_shadow

        self.log.info("the wait for requests ended: %s", event.get("why"))
        with self.reporting(context), self.ending(context):
            verdict, stage = self.read(Verdict, self.verdict), self.open(context)
            until = datetime.fromisoformat(event["until"])
            found = finish_shadow(stage, verdict, until, in_container=self.in_container)
            return self.finish(self._decided(found), stage, context)

    def _decided(self, found: "Wait | ShadowReport") -> ShadowReport:
        """The report; defers if there is something to wait for."""
        if not isinstance(found, ShadowReport):
            self.defer(trigger=ShadowTrigger.of(self.pipeline, found), method_name="resume")
        return found

    def failure_reason(self, stage: "StageContext", record: ShadowReport) -> str | None:
        from taxiway.stages.shadow import failure_reason

        return failure_reason(record)
