"""What the operators of all stages share: the context, records by reference, links, and how an error ends a task."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow.sdk import BaseOperator, BaseOperatorLink, XComArg
from airflow.sdk.exceptions import AirflowFailException

from taxiway.errors import ConfigError, TerminalError
from taxiway.hooks.config import open_store
from taxiway.hooks.context import stage_context
from taxiway.hooks.mlflow import MlflowHook
from taxiway.records import Record
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from taxiway.stages.context import StageContext

R = TypeVar("R", bound=Record)
K = TypeVar("K", bound=Record)
# The reference of a record: as it arrives in a task, or as the output of another task while the DAG is written.
Input = Mapping[str, str] | XComArg


class MlflowRunLink(BaseOperatorLink):
    """The button that leads from a task to the MLflow run of its DAG run."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The run's address; empty until the task has opened it."""
        return getattr(operator, "mlflow_run_url", "")


class StageOperator(BaseOperator, Generic[R]):
    """One stage of a pipeline: calls the stage's function in `run`, and returns the reference of its record.

    :param pipeline: the pipeline that this task is a stage of
    :param mlflow_conn_id: the Airflow connection of the MLflow server
    """

    operator_extra_links = (MlflowRunLink(),)
    ui_color = "#e8f1f8"
    mlflow_run_url: str = ""

    def __init__(self, *, pipeline: Pipeline, mlflow_conn_id: str = MlflowHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: "Context") -> Any:
        """Run the stage; a TerminalError fails the task without further tries."""
        try:
            return self.finish(self.run(self.open(context), context), context)
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error

    def run(self, stage: "StageContext", context: "Context") -> R:
        """The stage's work; returns its record."""
        raise NotImplementedError(f"{type(self).__name__} has no stage; define run()")

    def failure_reason(self, record: R) -> str | None:
        """Why the task fails although its stage is done; None if the pipeline goes on."""
        return None

    def open(self, context: "Context") -> "StageContext":
        """The stage's context; the address of its MLflow run is the first line of the task's log."""
        return self.show(stage_context(self.pipeline, context, self.mlflow_conn_id))

    def show(self, stage: "StageContext") -> "StageContext":
        """Lead people to the MLflow run: by the task's link, and in its log."""
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).public_url(stage.recorder.url)
        self.log.info("MLflow run: %s", self.mlflow_run_url)
        return stage

    def read(self, kind: type[K], ref: Input | None) -> K:
        """The record that an earlier task returned."""
        if not isinstance(ref, Mapping) or ref.get("record") != kind.__name__:
            raise ConfigError(f"{self.task_id} needs a {kind.__name__} and got {ref!r}; connect it to the task that makes one")
        return open_store().get(kind, ref["digest"])

    def finish(self, record: R, context: "Context") -> Any:
        """Store the record; returns its reference, or fails the task with the reason why the pipeline stops."""
        ref: dict[str, str] = open_store().put(record).model_dump()
        reason = self.failure_reason(record)
        if reason is not None:
            # Pushed by hand: a task that fails has no return value, and the next reader wants the reasons.
            ti: Any = context["ti"]
            ti.xcom_push("return_value", ref)
            raise AirflowFailException(reason)
        return ref


def parse_params(value: Mapping[str, Any] | str) -> dict[str, Any]:
    """Model parameters as a mapping, or as the JSON text that a template makes of one."""
    found = json.loads(value or "{}") if isinstance(value, str) else dict(value)
    if not isinstance(found, dict):
        raise ConfigError(
            f"model_params is {value!r}; allowed: a mapping of parameter names to values", key="model_params", got=value
        )
    return found
