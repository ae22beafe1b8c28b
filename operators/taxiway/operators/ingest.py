"""Ingest: the next span to decide on, and the spans before it, into the store."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from taxiway.errors import ConfigError, TerminalError, allowed_values
from taxiway.hooks.config import open_store
from taxiway.hooks.context import find_stage_context
from taxiway.hooks.sources import airflow_engine, source_of
from taxiway.operators.base import StageOperator
from taxiway.records import Snapshot
from taxiway.spec.pipeline import Pipeline
from taxiway.tracking.tags import SPAN_NAME

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext
    from taxiway.stages.ingest import IngestPlan

BACKFILL = "backfill"
_POLL_SECONDS = 2.0
_LONGEST_WAIT = timedelta(hours=12)


class IngestOperator(StageOperator[Snapshot]):
    """Take the oldest span that is not processed yet, with the window before it; skip the run if there is none.

    A run of a backfill takes the newest span that had ended by its date instead. A run with a date waits, without a worker slot,
    until no run of an earlier date is under way: Airflow runs the runs of a backfill side by side.

    :param span: the name of the span to evaluate on, instead of the oldest unprocessed one
    """

    template_fields = ("span",)

    def __init__(self, *, span: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.span = span

    def execute(self, context: "Context") -> Any:
        """Skip, before an MLflow run is made, if there is nothing to do."""
        try:
            check_conf(context["dag_run"].conf or {}, context["dag"].params)
            defer_to_earlier_run(self, context)
            self._plan = plan_run(self.pipeline, context, self.span or _span_of_first_pass(self, context))
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error
        return super().execute(context)

    def resume(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Called when the run of an earlier date is over: there may be one more."""
        return self.execute(context)

    def run(self, stage: "StageContext", context: "Context") -> Snapshot:
        from taxiway.stages.ingest import ingest

        return ingest(stage, self._plan)


def plan_run(pipeline: Pipeline, context: "Context", requested: str | None) -> "IngestPlan":
    """What the DAG run reads. Raises AirflowSkipException if there is nothing to do."""
    from taxiway.stages.ingest import plan_ingest

    ti: Any = context["ti"]
    source, moment = source_of(pipeline), _moment_of_backfill(context)
    earlier = ti.get_previous_dagrun() if moment is not None and not requested else None
    planned = plan_ingest(
        source,
        pipeline.name,
        open_store(),
        airflow_engine,
        now=datetime.now(UTC),
        requested=requested or None,
        moment=moment,
        before=(earlier.data_interval_end or earlier.logical_date) if earlier else None,
    )
    if not planned.plan.spans:
        raise AirflowSkipException(f"nothing to do at {source.text}: {planned.plan.reason}")
    return planned


def defer_to_earlier_run(operator: IngestOperator, context: "Context") -> None:
    """Wait in the triggerer while a run of an earlier date is under way; returns if there is none."""
    ti: Any = context["ti"]
    earlier = ti.get_previous_dagrun(state="running")
    if earlier is None:
        return
    from airflow.providers.standard.triggers.external_task import DagStateTrigger

    operator.log.info("waits for the run of the earlier date, %s: runs of a pipeline go one after another", earlier.run_id)
    over: Any = ["success", "failed"]
    trigger = DagStateTrigger(ti.dag_id, states=over, run_ids=[earlier.run_id], poll_interval=_POLL_SECONDS)
    # A run that was deleted is never over: a task whose wait times out is tried again, and looks anew.
    operator.defer(trigger=trigger, method_name="resume", timeout=_LONGEST_WAIT)


def _span_of_first_pass(operator: IngestOperator, context: "Context") -> str | None:
    """The span that this DAG run took when it ran before it was cleared: a run keeps its span."""
    ti: Any = context["ti"]
    if ti.try_number == 1:
        return None  # MLflow is not asked by a run that may have nothing to do
    found = find_stage_context(operator.pipeline, context, operator.mlflow_conn_id)
    return found.recorder.tag(SPAN_NAME) if found else None


def _moment_of_backfill(context: "Context") -> datetime | None:
    """Up to when the run of a backfill sees data: the end of its data interval. None for every other run."""
    run = context["dag_run"]
    return (run.data_interval_end or run.logical_date) if run.run_type == BACKFILL else None


def check_conf(conf: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Raise ConfigError if a run was started with a key that is no parameter of its DAG: nothing would obey it."""
    for key in conf:
        if key not in params:
            raise ConfigError(
                f'the run was started with "{key}" in its conf, which is no parameter of this DAG\n    {allowed_values(key, params)}',
                key=key,
                allowed=params,
            )
