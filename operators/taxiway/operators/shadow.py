"""Shadow: the challenger beside the champion on live requests, and the paired comparison."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.exceptions import AirflowFailException

from taxiway.errors import TerminalError
from taxiway.operators.base import Input, StageOperator
from taxiway.records import ShadowReport, Verdict
from taxiway.triggers.shadow import ShadowTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class ShadowDeployOperator(StageOperator[ShadowReport]):
    """Deploy the challenger in the shadow, wait without a worker slot, take it down, decide; fails unless it passed.

    :param verdict: the reference of the Verdict on the challenger
    :param deployer: `process` or `docker`, where the challenger runs; without it the pipeline file's `shadow.deployer`
    """

    template_fields = ("verdict",)

    def __init__(self, *, verdict: Input, deployer: Literal["process", "docker"] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict
        self.deployer = deployer

    @property
    def in_container(self) -> bool:
        """Whether the challenger runs in a container of its own."""
        shadow = self.pipeline.shadow
        return shadow is not None and (self.deployer or shadow.deployer) == "docker"

    def run(self, stage: "StageContext", context: "Context") -> ShadowReport:
        from taxiway.stages.shadow import begin_shadow

        begun = begin_shadow(stage, self.read(Verdict, self.verdict), in_container=self.in_container)
        if not isinstance(begun, ShadowReport):
            self.defer(trigger=ShadowTrigger.of(self.pipeline, begun.owner, begun.until), method_name="resume")
        return begun

    def resume(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Called when there are enough requests, or no time left: compare, and take the challenger down."""
        from taxiway.stages.shadow import finish_shadow

        self.log.info("waited for requests: %s", event.get("why"))
        try:
            verdict = self.read(Verdict, self.verdict)
            return self.finish(finish_shadow(self.open(context), verdict, in_container=self.in_container), context)
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error

    def failure_reason(self, record: ShadowReport) -> str | None:
        from taxiway.stages.shadow import failure_reason

        return failure_reason(record)
