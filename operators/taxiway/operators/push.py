"""Push: the alias `champion` moves, once, and the gateway answers with the new version."""

from typing import TYPE_CHECKING, Any

from taxiway.errors import TransientError
from taxiway.hooks.gateway import GatewayHook
from taxiway.operators.base import Input, StageOperator
from taxiway.records import Promotion, ShadowReport, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun


class PushOperator(StageOperator):
    """Make the version champion, on a passed Verdict and ShadowReport; ends when the gateway serves it.

    :param verdict: the reference of the Verdict
    :param shadow: the reference of the ShadowReport
    """

    template_fields = ("verdict", "shadow")

    def __init__(self, *, verdict: Input, shadow: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict
        self.shadow = shadow

    def run(self, run: "MlflowRun", context: "Context") -> Promotion:
        from taxiway.registry.promote import push

        ti: Any = context["ti"]
        promotion = push(
            run.client, self.read(Verdict, self.verdict), self.read(ShadowReport, self.shadow), by=f"{ti.dag_id}/{ti.run_id}"
        )
        run.record(promotion)
        self.log.info("champion of %s: version %d (was %d)", promotion.model, promotion.to_version, promotion.from_version)
        self._read_back(run, promotion)
        return promotion

    def _read_back(self, run: "MlflowRun", promotion: Promotion) -> None:
        """Wait until the gateway serves the champion; a version that was rolled back meanwhile is not waited for."""
        from taxiway.registry.aliases import CHAMPION, version_at

        if self.pipeline.gateway is None:
            self.log.info("the pipeline names no gateway: nobody was asked to serve the new version")
            return
        with GatewayHook(self.pipeline.gateway).get_conn() as gateway:
            status = gateway.refresh(promotion.model)
        wanted = version_at(run.client, promotion.model, CHAMPION)
        if status.champion != wanted:
            raise TransientError(f"the gateway serves version {status.champion}, the champion is {wanted}: {status.problem}")
        self.log.info("the gateway answers with version %d", status.champion)
