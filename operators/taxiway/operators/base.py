"""The base class of all stage operators: the stage's context, records by reference, links, and errors."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow.sdk import BaseOperator, BaseOperatorLink, XComArg
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException

from taxiway.credentials import without_credentials
from taxiway.errors import ConfigError, TerminalError
from taxiway.hooks.config import open_store
from taxiway.hooks.context import find_stage_context, stage_context
from taxiway.hooks.mlflow import MlflowHook
from taxiway.messages import quoted
from taxiway.records import Record
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.python_refs import never_exiting

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context
    from airflow.sdk.types import TaskInstanceKey

    from taxiway.stages.context import StageContext

R = TypeVar("R", bound=Record)
K = TypeVar("K", bound=Record)
REASON_KEY = "taxiway_reason"
"""The key of the XCom with the reason of a task that failed or was skipped."""
_LONGEST_REASON = 4000
BROKEN = ("failed", "upstream_failed")
_ENDED = ("success", "skipped", "removed", *BROKEN)
# The reference of a record: a mapping when the task runs, an XComArg while the DAG is defined.
Input = Mapping[str, str] | XComArg


class MlflowRunLink(BaseOperatorLink):
    """The link from a task to the MLflow run of its DAG run."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The URL of the MLflow run; empty until the task has opened the run."""
        return getattr(operator, "mlflow_run_url", "")


class ReportingOperator(BaseOperator):
    """The base class of operators that link to an MLflow run and say why they fail.

    Args:
        mlflow_conn_id: The Airflow connection of the MLflow server.
    """

    operator_extra_links: tuple[BaseOperatorLink, ...] = (MlflowRunLink(),)
    ui_color = "#e8f1f8"
    mlflow_run_url: str = ""

    def __init__(self, *, mlflow_conn_id: str = MlflowHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mlflow_conn_id = mlflow_conn_id

    @contextmanager
    def reporting(self, context: "Context") -> Iterator[None]:
        """Say why the block skips the run or fails, in the log and on the run's page; do not retry what a retry cannot fix.

        Raises:
            AirflowFailException: The block raised a TerminalError, or an Airflow connection is missing.
        """
        try:
            with never_exiting():  # Airflow takes a process that ends with code 0 for a success
                yield
        except AirflowSkipException as skipped:
            self.log.info("Skipped: %s", skipped)
            _publish(context, str(skipped))
            raise
        except AirflowFailException as failed:  # by a record, which the page shows
            _log_lines(self.log, str(failed))
            raise
        except (TerminalError, AirflowNotFoundException) as error:
            missing = isinstance(error, AirflowNotFoundException)
            message = f"{error}{'; add it in Airflow under Admin, Connections' if missing else ''}"
            _log_lines(self.log, message)
            _publish(context, message)
            raise AirflowFailException(message) from error
        except Exception as error:
            _publish(context, f"{type(error).__name__}: {error}")
            raise


class StageOperator(ReportingOperator, Generic[R]):
    """The base class of operators for one stage of a pipeline: `run` calls the stage's function and returns its record.

    Args:
        pipeline: The pipeline that this task belongs to.
    """

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    @property
    def in_container(self) -> bool:
        """Whether the task starts a container."""
        return False

    def execute(self, context: "Context") -> Any:
        """Run the stage and return the reference of its record.

        Raises:
            AirflowFailException: The stage raised a TerminalError, or its record stops the pipeline. The task is not retried.
        """
        with self.reporting(context), self.ending(context):
            stage = self.open(context)
            return self.finish(self.run(stage, context), stage, context)

    @contextmanager
    def ending(self, context: "Context") -> Iterator[None]:
        """Within this block the stage runs: a run that has been closed already is closed again."""
        try:
            yield
        except AirflowSkipException:
            close_again(self, context, failed=False)
            raise
        except (Exception, SystemExit):
            close_again(self, context, failed=True)
            raise
        else:
            close_again(self, context, failed=False)

    def run(self, stage: "StageContext", context: "Context") -> R:
        """Call the stage's function; subclasses override this.

        Args:
            stage: The stage's context.
            context: Airflow's context of the task.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define run()")

    def failure_reason(self, stage: "StageContext", record: R) -> str | None:
        """Why the task fails although its stage returned a record; None if the pipeline continues.

        Args:
            stage: The stage's context.
            record: The record.
        """
        return None

    def open(self, context: "Context") -> "StageContext":
        """Open the stage's context, and log the URL of its MLflow run."""
        return self.show(stage_context(self.pipeline, context, self.mlflow_conn_id))

    def show(self, stage: "StageContext") -> "StageContext":
        """Log the URL of the MLflow run, and set the task's link to it."""
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).public_url(stage.recorder.url)
        self.log.info("MLflow run: %s", self.mlflow_run_url)
        return stage

    def read(self, kind: type[K], ref: Input | None) -> K:
        """Read the record that an earlier task returned.

        Raises:
            ConfigError: The reference is missing, or refers to another kind of record.
        """
        if not isinstance(ref, Mapping) or ref.get("record") != kind.__name__:
            raise ConfigError(
                f"{self.task_id} needs a {kind.__name__}, but got {ref!r}; connect it to the task that returns one. If it is connected, the "
                "process of that task was ended by what it runs"
            )
        return open_store().get(kind, ref["digest"])

    def finish(self, record: R, stage: "StageContext", context: "Context") -> Any:
        """Store the record and return its reference.

        Args:
            record: The record.
            stage: The stage's context.
            context: Airflow's context of the task.

        Raises:
            AirflowFailException: The record stops the pipeline.
        """
        ref: dict[str, str] = open_store().put(record).model_dump()
        reason = self.failure_reason(stage, record)
        if reason is not None:
            # A failed task has no return value, but close_run and the UI need the record.
            ti: Any = context["ti"]
            ti.xcom_push("return_value", ref)
            raise AirflowFailException(reason)
        return ref


class SnapshotOperator(StageOperator[R]):
    """An operator whose stage reads only a snapshot.

    Args:
        snapshot: The reference of the Snapshot that ingest returned.
    """

    template_fields = ("snapshot",)

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot


def _publish(context: "Context", message: str) -> None:
    """Publish why the task ends, for the run's page. Airflow deletes it when the task runs again."""
    ti: Any = context["ti"]
    with contextlib.suppress(Exception):  # what ends the task matters more
        ti.xcom_push(REASON_KEY, without_credentials(message)[:_LONGEST_REASON])


def _log_lines(log: Any, message: str) -> None:
    for line in message.splitlines():
        log.error("%s", line)


def states_of_others(context: "Context") -> dict[str, str | None]:
    """The states of the other tasks of the DAG run, by task id."""
    ti: Any = context["ti"]
    states: Mapping[str, Any] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return {task: state for task, state in states.items() if task != ti.task_id}


def uses_containers(dag: "DAG") -> bool:
    """Whether a task of the DAG starts challengers in containers."""
    return any(isinstance(task, StageOperator) and task.in_container for task in dag.tasks)


def close_again(operator: StageOperator[Any], context: "Context", *, failed: bool) -> None:
    """Close the run after a task that runs again when `close_run` is over: opening it has set the MLflow run to RUNNING.

    Airflow does not run a teardown again if another task is cleared alone.

    Args:
        operator: The task.
        context: Airflow's context of the task.
        failed: Whether the task failed.
    """
    ti: Any = context["ti"]
    if ti.try_number == 1:  # saves a request: this task cannot be later than the teardown
        return
    states = states_of_others(context)
    teardowns = [task.task_id for task in operator.dag.teardowns if isinstance(task, StageOperator)]
    stage = None
    if teardowns and operator.task_id not in teardowns and all(states.get(task) in _ENDED for task in teardowns):
        stage = find_stage_context(operator.pipeline, context, operator.mlflow_conn_id)
    if stage is not None:
        from taxiway.stages.close import close

        failed = failed or any(state in BROKEN for state in states.values())
        close(stage, failed=failed, containers=uses_containers(operator.dag))


def parse_params(value: Mapping[str, Any] | str) -> dict[str, Any]:
    """Parse model parameters, given as a mapping or as the JSON text that a template renders.

    Raises:
        ConfigError: The text is not JSON, or not an object.
    """
    try:
        params = json.loads(value or "{}") if isinstance(value, str) else dict(value)
    except (ValueError, RecursionError):
        params = None
    if not isinstance(params, dict):
        raise ConfigError(
            f"model_params is {quoted(value)}; allowed: a mapping of parameter names to values, such as "
            '{"learning_rate": 0.05}',
            key="model_params",
            got=value,
        )
    return params
