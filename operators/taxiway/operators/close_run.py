"""Close run: the task that ends the MLflow run, records the outcome, and calls the notifier of the team file."""

import logging
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from taxiway.hooks.context import airflow_url, find_stage_context
from taxiway.operators.base import BROKEN, StageOperator, states_of_others, uses_containers
from taxiway.records import RunSummary
from taxiway.spec.team import Notification

if TYPE_CHECKING:
    from airflow.sdk import Context

ERROR = "ERROR"


class CloseRunOperator(StageOperator[RunSummary]):
    """End the DAG run's MLflow run, and record the outcome of its span if there is a decision.

    The template makes this task a teardown: it runs whether the other tasks succeeded or not, and its success does not turn a
    failed DAG run into a successful one.

    Args:
        notification: The team file's notifier, and the outcomes that it is called for; None for no notification.
    """

    def __init__(self, *, notification: Notification | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notification = notification

    def execute(self, context: "Context") -> Any:
        """Close the run; a run in which ingest had nothing to do is left alone."""
        from taxiway.stages.close import close

        states = states_of_others(context)
        broken = [task for task, state in states.items() if state in BROKEN]
        stage = None
        if any(state != "skipped" for state in states.values()):
            stage = find_stage_context(self.pipeline, context, self.mlflow_conn_id)
        if stage is None and not broken:
            self.log.info("nothing to close: all tasks of this run were skipped")
            return {}
        summary = close(self.show(stage), failed=bool(broken), containers=uses_containers(self.dag)) if stage else None
        if summary is None and broken:
            failed = [task for task, state in states.items() if state == "failed"] or broken
            self.log.error(
                "ERROR: %s failed before a decision, so the span stays due; see the logs of these tasks", ", ".join(failed)
            )
        if summary is not None or broken:
            notify(self.notification, summary, self.pipeline.name, self.mlflow_run_url, context)
        return self.finish(summary, stage, context) if summary and stage else {}


def notify(
    notification: Notification | None, summary: RunSummary | None, pipeline: str, mlflow_url: str, context: "Context"
) -> None:
    """Call the notifier of the team file. A notifier that fails does not fail the task.

    Args:
        notification: The notifier, and the outcomes that it is called for; None for no notification.
        summary: The outcome of the run; None if a task failed before a decision.
        pipeline: The pipeline's name.
        mlflow_url: The URL of the MLflow run.
        context: Airflow's context of the task.
    """
    event = summary.outcome if summary else ERROR
    if notification is None or event not in notification.events:
        return
    log = logging.getLogger(f"airflow.task.{__name__}")
    payload = {  # missing values are empty texts, because templates of messages print them
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
        notifier({**context, "taxiway": payload})
    except Exception:
        log.exception("the notifier %s failed", notification.notifier)
    else:
        log.info("called the notifier %s with the event %s", notification.notifier, event)
