"""Ingest: copies the next span to decide, and the window before it, into the store."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from taxiway.errors import ConfigError, allowed_values
from taxiway.hooks.config import open_store
from taxiway.hooks.context import airflow_url, find_stage_context
from taxiway.hooks.notify import Told, notify
from taxiway.hooks.retraining import action_of, note_trigger, started_by
from taxiway.hooks.sources import airflow_engine, source_of
from taxiway.operators.base import StageOperator
from taxiway.records import Snapshot
from taxiway.spec.base import RETRAIN
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.team import Notification
from taxiway.tracking.tags import SPAN_NAME, STARTED_BY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext
    from taxiway.stages.ingest import IngestPlan

_log = logging.getLogger(f"airflow.task.{__name__}")
BACKFILL = "backfill"
_POLL_SECONDS = 2.0
_LONGEST_WAIT = timedelta(hours=12)


class IngestOperator(StageOperator[Snapshot]):
    """Ingest the oldest span without a decision and the window before it; skip the run if there is none. With the schedule `retrain`,
    it is the newest span.

    A backfill run ingests the newest span that had ended by its date instead. A run with a date defers until no run with an earlier
    date is running, because Airflow starts the runs of a backfill in parallel.

    Args:
        span: The name of the span to decide, instead of the oldest one without a decision.
        notification: The team file's notifier, which is called when a span waits for its labels; None for no notification.
    """

    template_fields = ("span",)

    def __init__(self, *, span: str = "", notification: Notification | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.span, self.notification = span, notification

    def execute(self, context: "Context") -> Any:
        """Ingest; if there is nothing to do, the run is skipped before an MLflow run is created."""
        with self.reporting(context):
            check_conf(context["dag_run"].conf or {}, context["dag"].params)
            defer_to_earlier_run(self, context)
            requested = self.span or _span_of_first_pass(self, context)
            self._plan = plan_run(self.pipeline, context, requested, self.notification)
        return super().execute(context)

    def resume(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Try again when the run with an earlier date has ended; there may be another one."""
        return self.execute(context)

    def run(self, stage: "StageContext", context: "Context") -> Snapshot:
        from taxiway.stages.ingest import ingest

        stage.recorder.tags({STARTED_BY: started_by(context)})
        note_trigger(stage, context)
        return ingest(stage, self._plan)


def plan_run(
    pipeline: Pipeline, context: "Context", requested: str | None, notification: Notification | None = None
) -> "IngestPlan":
    """Choose the spans that the DAG run reads, and validate the data of those that wait for their labels.

    Args:
        pipeline: The pipeline.
        context: Airflow's context of the task.
        requested: The name of the span to decide; None or empty for the next one.
        notification: The notifier for spans that wait for their labels; None for no notification.

    Raises:
        AirflowSkipException: There is nothing to do.
        ConfigError: The requested span does not exist, or cannot be decided.
    """
    from taxiway.stages.context import schema_of
    from taxiway.stages.ingest import plan_ingest

    source, as_of = source_of(pipeline), _end_of_backfill_run(context["dag_run"])
    plan = plan_ingest(
        source,
        pipeline.name,
        open_store(),
        airflow_engine,
        now=datetime.now(UTC),
        requested=requested or None,
        newest=RETRAIN in pipeline.schedule,
        as_of=as_of,
        previous_run_end=_end_of_previous_backfill_run(context) if as_of is not None and not requested else None,
        types=lambda: schema_of(pipeline).types,
        action=action_of(pipeline, context),
    )
    if as_of is None and not requested:
        _validate_waiting(pipeline, plan, notification, context)
    if not plan.window.spans:
        raise AirflowSkipException(plan.nothing_to_do("trigger the DAG with the parameter span"))
    return plan


def _validate_waiting(pipeline: Pipeline, plan: "IngestPlan", notification: Notification | None, context: "Context") -> None:
    """Validate the spans that wait for their labels, and notify of each once."""
    from taxiway.stages.waiting import messages_of, validate_waiting

    store = open_store()
    with validate_waiting(pipeline, source_of(pipeline), plan, store, airflow_engine, now=datetime.now(UTC)) as news:
        for waiting in news:
            messages = messages_of(waiting, store)
            _log.log(logging.INFO if waiting.passed else logging.WARNING, "%s", "\n".join(messages))
            if notification is not None:
                told = Told(
                    pipeline=pipeline.name,
                    span=waiting.label,
                    event="LABELS",
                    reasons=list(messages),
                    version="",
                    airflow_url=airflow_url(context),
                    mlflow_url="",
                )
                notify(notification, told, context)


def defer_to_earlier_run(operator: IngestOperator, context: "Context") -> None:
    """Defer the task while a run with an earlier date is running; return if there is none."""
    ti: Any = context["ti"]
    earlier = ti.get_previous_dagrun(state="running")
    if earlier is None:
        return
    from airflow.providers.standard.triggers.external_task import DagStateTrigger

    operator.log.info("waiting for the earlier run %s: the runs of a pipeline are not parallel", earlier.run_id)
    final: Any = ["success", "failed"]
    trigger = DagStateTrigger(ti.dag_id, states=final, run_ids=[earlier.run_id], poll_interval=_POLL_SECONDS)
    # A deleted run never ends: a task whose wait times out is retried, and looks for earlier runs again.
    operator.defer(trigger=trigger, method_name="resume", timeout=_LONGEST_WAIT)


def _span_of_first_pass(operator: IngestOperator, context: "Context") -> str | None:
    """The span that this DAG run decided before it was cleared: a cleared run keeps its span."""
    ti: Any = context["ti"]
    if ti.try_number == 1:
        return None  # saves a request to MLflow for runs with nothing to do
    found = find_stage_context(operator.pipeline, context, operator.mlflow_conn_id)
    return found.recorder.tag(SPAN_NAME) if found else None


def _end_of_backfill_run(run: Any) -> datetime | None:
    """The end of the data interval of a backfill run, which reads nothing that ended later; None for another run."""
    return (run.data_interval_end or run.logical_date) if run.run_type == BACKFILL else None


def _end_of_previous_backfill_run(context: "Context") -> datetime | None:
    """The end of the data interval of the previous run, if it belongs to a backfill: a scheduled run processes another span."""
    ti: Any = context["ti"]
    previous = ti.get_previous_dagrun()
    return None if previous is None else _end_of_backfill_run(previous)


def check_conf(conf: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Check that a run was started only with parameters of its DAG.

    Args:
        conf: The conf of the DAG run.
        params: The parameters of the DAG.

    Raises:
        ConfigError: The conf has another key, which nothing would use.
    """
    for key in conf:
        if key not in params:
            raise ConfigError(
                f'the conf of this run has "{key}", which is not a parameter of the DAG\n    {allowed_values(key, params)}',
                key=key,
                allowed=params,
            )
