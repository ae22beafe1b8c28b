"""Shadow: the challenger beside the champion on live requests, and the paired comparison."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.exceptions import AirflowFailException

from taxiway.errors import ConfigError, TaxiwayError, TerminalError
from taxiway.hooks.gateway import GatewayHook
from taxiway.hooks.mlflow import MlflowHook
from taxiway.operators.base import Input, StageOperator, dag_run_of, sentences
from taxiway.pipeline import Shadow
from taxiway.records import Record, ShadowReport, Status, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun
    from taxiway.serving.wire import ChallengerStatus, Remote

# The gateway takes a challenger down by itself this long after the wait should have ended.
LEASE_SLACK = timedelta(minutes=10)


class ShadowDeployOperator(StageOperator):
    """Deploy the challenger in the shadow, wait without a worker slot, take it down, decide; fails unless it may go on.

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

    def run(self, run: "MlflowRun", context: "Context") -> ShadowReport:
        from taxiway.serving.shadow import not_applicable

        verdict = self.read(Verdict, self.verdict)
        if verdict.status is not Status.PASS:
            raise TerminalError(f"{verdict.model} version {verdict.version} is not shadowed: its verdict is {verdict.status}")
        shadow = self.pipeline.shadow
        if shadow is None:
            return self._record(run, not_applicable(verdict.model, verdict.version, "the pipeline file asks for no shadow"))
        if verdict.champion == 0:
            return self._record(run, not_applicable(verdict.model, verdict.version, "there is no champion to run beside"))
        self._deploy(run, verdict, shadow, context)
        raise AssertionError("defer() does not return")

    def resume(self, context: "Context", event: Mapping[str, Any]) -> dict[str, str]:
        """Called when there are requests enough, or no time left: compare, and take the challenger down."""
        self.log.info("waited for requests: %s", event.get("why"))
        try:
            run, verdict = self.open_run(context), self.read(Verdict, self.verdict)
            owner = _owner(context, verdict)
            try:
                report = self._compare(verdict, owner)
            finally:
                self._take_down(run, verdict, context)
            return self._hand_on(context, self._record(run, report))
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error

    def refusal(self, record: Record) -> str:
        assert isinstance(record, ShadowReport)
        if record.status in (Status.PASS, Status.NOT_APPLICABLE):
            return ""
        grounds = [r.sentence for r in record.reasons if r.status is record.status]
        return f"{record.model} version {record.version} is not pushed, its shadow is {record.status}:\n{sentences(grounds)}"

    def _deploy(self, run: "MlflowRun", verdict: Verdict, shadow: Shadow, context: "Context") -> None:
        from taxiway.registry.aliases import CHALLENGER, point
        from taxiway.triggers.shadow import ShadowTrigger

        now, owner = datetime.now(UTC), _owner(context, verdict)
        with self._gateway() as gateway:
            gateway.refresh(verdict.model)
            until = wait_until(gateway.challenger(verdict.model), verdict.version, owner, now + shadow.max_wait)
            lease = until + LEASE_SLACK - now
            remote = None
            if self.in_container:
                # An earlier try's container goes with this: what is mirrored to it meanwhile would count as unanswered.
                gateway.delete_challenger(verdict.model, owner)
                remote = self._start_container(verdict, context, lease)
            gateway.put_challenger(verdict.model, verdict.version, owner, lease.total_seconds(), remote)
        point(run.client, verdict.model, CHALLENGER, verdict.version)
        self.log.info("version %d answers in the shadow of version %d", verdict.version, verdict.champion)
        self.defer(
            trigger=ShadowTrigger(
                gateway_conn_id=self._gateway_conn_id(),
                model=verdict.model,
                owner=owner,
                min_requests=shadow.min_requests,
                until=until.isoformat(),
            ),
            method_name="resume",
        )

    def _compare(self, verdict: Verdict, owner: str) -> ShadowReport:
        from taxiway.serving.shadow import compare

        assert self.pipeline.shadow is not None
        with self._gateway() as gateway:
            pairs = gateway.pairs(verdict.model, verdict.version, owner)
        return compare(
            pairs,
            model=verdict.model,
            version=verdict.version,
            champion=verdict.champion,
            limits=self.pipeline.shadow,
            reliability=self.pipeline.gate.reliability,
        )

    def _start_container(self, verdict: Verdict, context: "Context", lease: timedelta) -> "Remote":
        from taxiway.hooks.containers import start_challenger

        return start_challenger(
            model=verdict.model,
            version=verdict.version,
            tracking_uri=MlflowHook(self.mlflow_conn_id).tracking_uri(),
            run=dag_run_of(context),
            lease_s=lease.total_seconds(),
        )

    def _take_down(self, run: "MlflowRun", verdict: Verdict, context: "Context") -> None:
        from taxiway.hooks.containers import remove_challengers
        from taxiway.registry.aliases import CHALLENGER, point

        assert self.pipeline.shadow is not None
        try:
            with self._gateway() as gateway:
                gateway.delete_challenger(verdict.model, _owner(context, verdict))
            if self.in_container:
                remove_challengers(dag_run_of(context))
        except TaxiwayError as error:
            # Its lease ends too, and the end of the run tries again: the comparison's own result must not be lost over it.
            self.log.warning("the challenger could not be taken down now: %s", error)
        point(run.client, verdict.model, CHALLENGER, 0)

    def _record(self, run: "MlflowRun", report: ShadowReport) -> ShadowReport:
        run.record(report)
        run.metrics({"shadow.requests": report.requests})
        self.log.info("%s\n%s", report.status, sentences([f"{r.status}: {r.sentence}" for r in report.reasons]))
        return report

    def _gateway(self) -> Any:
        return GatewayHook(self._gateway_conn_id()).get_conn()

    def _gateway_conn_id(self) -> str:
        if self.pipeline.gateway is None:
            raise ConfigError("shadow needs gateway in the pipeline file: the Airflow connection of the model gateway")
        return self.pipeline.gateway


def wait_until(held: "ChallengerStatus | None", version: int, owner: str, latest: datetime) -> datetime:
    """When to stop waiting: `latest`, or sooner where an earlier try of this task has put the challenger up, and begun to wait."""
    if held is None or (held.version, held.owner) != (version, owner):
        return latest
    return min(latest, held.expires_at - LEASE_SLACK)


def _owner(context: "Context", verdict: Verdict) -> str:
    """Whose challenger it is: a run's, against one champion, so that a run that is cleared does not meet its own old pairs."""
    return f"{dag_run_of(context)}@{verdict.champion}"
