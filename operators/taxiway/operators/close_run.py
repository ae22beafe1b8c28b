"""Close run: the one task that ends the MLflow run, says what the DAG run came to, and clears away what a killed task left."""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import conf

from taxiway.operators.base import StageOperator, dag_run_of
from taxiway.operators.shadow import ShadowDeployOperator
from taxiway.records import DataReport, Outcome, Promotion, Record, RunSummary, ShadowReport, Snapshot, Verdict
from taxiway.team import Notification

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun

R = TypeVar("R", bound=Record)
BROKEN = "BROKEN"
_BROKEN = ("failed", "upstream_failed")


class CloseRunOperator(StageOperator):
    """End the DAG run's MLflow run, FAILED where a task failed, and mark the span as decided where a decision was reached.

    Made a teardown by the template, so that it runs however the others ended, and does not turn a failed DAG run green.

    :param notification: whom to tell how the run ended
    """

    def __init__(self, *, notification: Notification | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notification = notification

    def execute(self, context: "Context") -> dict[str, str]:
        """Nothing to close where ingest found nothing to do."""
        from taxiway.lineage.run import MlflowRun

        ti: Any = context["ti"]
        states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
        if all(state == "skipped" for task, state in states.items() if task != ti.task_id):
            self.log.info("every task was skipped, so there is nothing to close")
            return {}
        run = MlflowRun.find(self.mlflow(), self.pipeline.experiment, dag_run_of(context))
        broken = [task for task, state in states.items() if state in _BROKEN]
        summary = self._close(run, context, broken) if run else None
        if run is None:
            self.log.info("this run did nothing, so there is nothing to close")
        if broken and summary is None:
            stages = [task for task, state in states.items() if state == "failed"]
            self.log.error(
                "BROKEN at %s: nothing was decided, and the span stays due; see its log", ", ".join(stages) or broken[0]
            )
        if summary is not None or broken:
            self._notify(context, summary)
        return self.store.put(summary).model_dump() if summary else {}

    def _close(self, run: "MlflowRun", context: "Context", broken: list[str]) -> RunSummary | None:
        self.show(run)
        try:
            # What was decided is written before anything is cleared away: that may fail, and the decision must not be lost over it.
            summary = self._summarize(run, context["dag_run"].run_id)
            if summary is not None:
                self._write(run, summary)
            self._remove_challenger(run, f"{dag_run_of(context)}@")
            self._remove_containers(dag_run_of(context))
            if self.pipeline.sweep is not None:
                run.end_nested("FAILED")
        finally:
            run.end("FAILED" if broken else "FINISHED")
        return summary

    def _notify(self, context: "Context", summary: RunSummary | None) -> None:
        """Tell whom the team file names, last of all; a message that cannot be sent changes nothing about the run."""
        event = summary.outcome if summary else BROKEN
        if self.notification is None or event not in self.notification.events:
            return
        ti: Any = context["ti"]
        told = {
            "pipeline": self.pipeline.name,
            "span": summary.span.label if summary else "",
            "event": str(event),
            "reasons": list(summary.reasons) if summary else ["a task failed before anything was decided; see its log"],
            "version": summary.version if summary else 0,
            "airflow_url": f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{ti.dag_id}/runs/{ti.run_id}",
            "mlflow_url": self.mlflow_run_url,
        }
        try:
            notifier = resolve_name(self.notification.notifier)(**self.notification.params)
            notifier({**context, "taxiway": told})
        except Exception:
            self.log.exception("nobody could be notified by %s", self.notification.notifier)
        else:
            self.log.info("notified by %s of %s", self.notification.notifier, event)

    def _write(self, run: "MlflowRun", summary: RunSummary) -> None:
        from taxiway.lineage.outcomes import decide_span

        if not self._is_said(summary):
            decide_span(self.store, summary)
        run.record(summary)
        run.tags({"taxiway.outcome": summary.outcome, "mlflow.note.content": "\n\n".join(summary.reasons)})
        self.log.info("%s %s: %s", summary.span.label, summary.outcome, "; ".join(summary.reasons))

    def _is_said(self, summary: RunSummary) -> bool:
        """Whether an earlier run has said in full how this version became champion: a repeated run knows less."""
        from taxiway.lineage.outcomes import summaries

        promoted = {
            (s.span, s.version)
            for s in summaries(self.store, self.pipeline.name)
            if s.outcome in (Outcome.PROMOTED, Outcome.FIRST_CHAMPION)
        }
        return (summary.span, summary.version) in promoted

    def _summarize(self, run: "MlflowRun", run_id: str) -> RunSummary | None:
        from taxiway.lineage.outcomes import summarize

        tags = run.client.get_run(run.run_id).data.tags

        def recorded(kind: type[R]) -> R | None:
            digest = tags.get(f"taxiway.record.{kind.__name__}")
            return self.store.get(kind, digest) if digest else None

        snapshot = recorded(Snapshot)
        if snapshot is None:
            return None
        return summarize(
            snapshot,
            recorded(DataReport),
            recorded(Verdict),
            recorded(ShadowReport),
            recorded(Promotion),
            run=run_id,
            mlflow_run=run.run_id,
        )

    def _remove_challenger(self, run: "MlflowRun", owner: str) -> None:
        """Take down the challenger whose owner begins with `owner`, where a killed shadow task left one."""
        from taxiway.errors import TaxiwayError
        from taxiway.hooks.gateway import GatewayHook
        from taxiway.registry.aliases import CHALLENGER, point

        if self.pipeline.gateway is None or self.pipeline.shadow is None:
            return
        try:
            with GatewayHook(self.pipeline.gateway).get_conn() as gateway:
                challenger = gateway.challenger(self.pipeline.name)
                if challenger is None or not challenger.owner.startswith(owner):
                    return
                gateway.delete_challenger(self.pipeline.name, owner=challenger.owner)
            point(run.client, self.pipeline.name, CHALLENGER, 0)
        except TaxiwayError as error:
            # The gateway takes it down itself when the lease ends; the run's end must not hang on this.
            self.log.warning("the challenger could not be taken down now, its lease will: %s", error)

    def _remove_containers(self, run: str) -> None:
        """Remove what a killed shadow task left on the engine."""
        from taxiway.errors import TaxiwayError
        from taxiway.hooks.containers import remove_challengers

        if not any(isinstance(task, ShadowDeployOperator) and task.in_container for task in self.dag.tasks):
            return
        try:
            left = remove_challengers(run)
        except TaxiwayError as error:
            self.log.warning("the challenger's container ends by itself with its lease: %s", error)
            return
        if left:
            self.log.info("removed %d container(s) that a killed task left", left)
