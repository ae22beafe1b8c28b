"""Close run: the one task that ends the MLflow run, records the outcome, and notifies whom the team file names."""

import logging
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from taxiway.hooks.context import airflow_url, find_stage_context
from taxiway.operators.base import StageOperator
from taxiway.operators.shadow import ShadowDeployOperator
from taxiway.records import RunSummary
from taxiway.spec.team import Notification

if TYPE_CHECKING:
    from airflow.sdk import Context

ERROR = "ERROR"
_BROKEN = ("failed", "upstream_failed")


class CloseRunOperator(StageOperator[RunSummary]):
    """End the DAG run's MLflow run, FAILED if a task failed, and record the outcome on the span if a decision was reached.

    Made a teardown by the template, so that it runs however the others ended, and does not turn a failed DAG run green.

    :param notification: whom to tell how the run ended
    """

    def __init__(self, *, notification: Notification | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notification = notification

    def execute(self, context: "Context") -> Any:
        """Do nothing if ingest found nothing to do."""
        from taxiway.stages.close import close

        states = states_of_others(context)
        broken = [task for task, state in states.items() if state in _BROKEN]
        stage = None
        if any(state != "skipped" for state in states.values()):
            stage = find_stage_context(self.pipeline, context, self.mlflow_conn_id)
        if stage is None and not broken:
            self.log.info("this run did nothing, so there is nothing to close")
            return {}
        containers = any(isinstance(task, ShadowDeployOperator) and task.in_container for task in self.dag.tasks)
        summary = close(self.show(stage), failed=bool(broken), containers=containers) if stage else None
        if summary is None and broken:
            failed = [task for task, state in states.items() if state == "failed"] or broken
            self.log.error("ERROR at %s: nothing was decided, and the span stays due; see its log", ", ".join(failed))
        if summary is not None or broken:
            notify(self.notification, summary, self.pipeline.name, self.mlflow_run_url, context)
        return self.finish(summary, context) if summary else {}


def states_of_others(context: "Context") -> dict[str, str | None]:
    """The state of each other task of the DAG run."""
    ti: Any = context["ti"]
    states: Mapping[str, Any] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return {task: state for task, state in states.items() if task != ti.task_id}


def notify(
    notification: Notification | None, summary: RunSummary | None, pipeline: str, mlflow_url: str, context: "Context"
) -> None:
    """Call the notifier of the team file, last of all; a message that cannot be sent changes nothing about the run."""
    event = summary.outcome if summary else ERROR
    if notification is None or event not in notification.events:
        return
    log = logging.getLogger(f"airflow.task.{__name__}")
    told = {  # texts for messages, in which what is absent is empty
        "pipeline": pipeline,
        "span": summary.span.label if summary else "",
        "event": str(event),
        "reasons": list(summary.reasons) if summary else ["a task failed before anything was decided; see its log"],
        "version": (summary and summary.version) or "",
        "airflow_url": airflow_url(context),
        "mlflow_url": mlflow_url,
    }
    try:
        notifier = resolve_name(notification.notifier)(**notification.params)
        notifier({**context, "taxiway": told})
    except Exception:
        log.exception("notification by %s failed", notification.notifier)
    else:
        log.info("notified by %s of %s", notification.notifier, event)
