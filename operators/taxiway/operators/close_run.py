"""Close run: the task that ends the MLflow run, records the outcome, and calls the notifier of the team file."""

from typing import TYPE_CHECKING, Any

from taxiway.errors import TaxiwayError
from taxiway.hooks.context import airflow_url, find_stage_context
from taxiway.hooks.notify import Told, notify
from taxiway.operators.base import BROKEN, StageOperator, states_of_others, uses_containers
from taxiway.records import RunSummary
from taxiway.spec.team import Notification

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext
    from taxiway.stages.review import News

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
            notify(self.notification, _told(summary, self.pipeline.name, self.mlflow_run_url, context), context)
        if stage is not None:
            _notify_news(self.notification, stage, context)
        return self.finish(summary, stage, context) if summary and stage else {}


def _notify_news(notification: Notification | None, stage: "StageContext", context: "Context") -> None:
    """Notify of re-opened verdicts, waivers that end and replaced champions upstream; a problem with that does not fail the task."""
    if notification is None or not {*notification.events} & {"REOPENED", "WAIVER", "UPSTREAM"}:
        return
    from taxiway.stages.review import news

    try:
        with news(stage) as found:
            for one in found:
                stage.log.warning("%s", "; ".join(one.messages))
                notify(notification, _told_of(one, stage.pipeline.name, context), context)
    except TaxiwayError as error:
        stage.log.warning("earlier verdicts and sources could not be reviewed: %s", error)


def _told_of(one: "News", pipeline: str, context: "Context") -> Told:
    """What a notification about an earlier verdict, a waiver or a source says."""
    return Told(
        pipeline=pipeline,
        span="",
        event=one.event,
        reasons=list(one.messages),
        version=one.version or "",
        airflow_url=airflow_url(context),
        mlflow_url="",
    )


def _told(summary: RunSummary | None, pipeline: str, mlflow_url: str, context: "Context") -> Told:
    """What a notification about the end of a run says."""
    return Told(
        pipeline=pipeline,
        span=summary.span.label if summary else "",
        event=str(summary.outcome if summary else ERROR),
        reasons=list(summary.reasons) if summary else ["a task failed before anything was decided; see its log"],
        version=(summary and summary.version) or "",
        airflow_url=airflow_url(context),
        mlflow_url=mlflow_url,
    )
