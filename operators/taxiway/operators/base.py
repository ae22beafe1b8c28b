"""What the operators of all stages share: the store, the MLflow run, links, and how an error ends a task."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator, BaseOperatorLink, XComArg, conf
from airflow.sdk.exceptions import AirflowFailException

from taxiway.errors import ConfigError, TerminalError
from taxiway.hooks.mlflow import MlflowHook
from taxiway.hooks.settings import open_store
from taxiway.pipeline import Pipeline
from taxiway.records import Record
from taxiway.store import Store

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from taxiway.data.schema import Schema
    from taxiway.lineage.run import MlflowRun

R = TypeVar("R", bound=Record)
# The reference of a record: as it arrives in a task, or as the output of another task while the DAG is written.
Input = Mapping[str, str] | XComArg


class MlflowRunLink(BaseOperatorLink):
    """The button that leads from a task to the MLflow run of its DAG run."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: "TaskInstanceKey") -> str:
        """The run's address; empty until the task has opened it."""
        return getattr(operator, "mlflow_run_url", "")


class StageOperator(BaseOperator):
    """One stage of a pipeline's way: opens the DAG run's MLflow run, does its work in `run`, hands on a record's reference.

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

    def execute(self, context: "Context") -> dict[str, str]:
        """Run the stage; a TerminalError fails the task without further tries."""
        try:
            return self._hand_on(context, self.run(self.open_run(context), context))
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error

    def run(self, run: "MlflowRun", context: "Context") -> Record:
        """The stage's work; returns the record that it hands on."""
        raise NotImplementedError(f"{type(self).__name__} has no stage; define run()")

    def refusal(self, record: Record) -> str:
        """Why the way ends with this record; empty where it goes on."""
        return ""

    def open_run(self, context: "Context") -> "MlflowRun":
        """The DAG run's MLflow run, found or made; its address is the first line of the task's log."""
        from taxiway.lineage.run import MlflowRun

        ti: Any = context["ti"]
        base = conf.get("api", "base_url", fallback="").rstrip("/")
        tags = {
            "airflow.dag_id": ti.dag_id,
            "airflow.run_id": ti.run_id,
            "airflow.url": f"{base}/dags/{ti.dag_id}/runs/{ti.run_id}",
            "taxiway.pipeline": self.pipeline.name,
        }
        run = MlflowRun.find_or_make(self.mlflow(), self.pipeline.experiment, dag_run_of(context), tags)
        self.show(run)
        return run

    def show(self, run: "MlflowRun") -> None:
        """Lead people to the run: by the task's link, and in its log."""
        self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).public_url(run.url)
        self.log.info("MLflow run: %s", self.mlflow_run_url)

    def mlflow(self) -> Any:
        """A client of the MLflow server."""
        return MlflowHook(self.mlflow_conn_id).get_conn()

    @property
    def store(self) -> Store:
        """The installation's store."""
        return open_store()

    def schema(self) -> "Schema":
        """The pipeline's schema. Raises ConfigError where it guards another label than the pipeline learns."""
        from taxiway.data.schema import label_words, load_schema

        schema, label = load_schema(Path(self.pipeline.schema_file)), self.pipeline.source.label
        if schema.label != label:
            raise ConfigError(
                f'the pipeline\'s source.label is "{label}", the schema {label_words(schema)}; make them the same'
            )
        return schema

    def read(self, kind: type[R], ref: Input | None) -> R:
        """The record that an earlier task handed on."""
        if not isinstance(ref, Mapping) or ref.get("record") != kind.__name__:
            raise ConfigError(f"{self.task_id} needs a {kind.__name__} and got {ref!r}; connect it to the task that makes one")
        return self.store.get(kind, ref["digest"])

    def _hand_on(self, context: "Context", record: Record) -> dict[str, str]:
        ref: dict[str, str] = self.store.put(record).model_dump()
        refusal = self.refusal(record)
        if refusal:
            # Pushed by hand: a task that fails has no return value, and the next reader wants the reasons.
            ti: Any = context["ti"]
            ti.xcom_push("return_value", ref)
            raise AirflowFailException(refusal)
        return ref


def dag_run_of(context: "Context") -> str:
    """The DAG run as everything outside of Airflow knows it: `DAG/RUN`."""
    ti: Any = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"


def parse_params(value: Mapping[str, Any] | str) -> dict[str, Any]:
    """Model parameters as a mapping, or as the JSON text that a template makes of one."""
    found = json.loads(value or "{}") if isinstance(value, str) else dict(value)
    if not isinstance(found, dict):
        raise ConfigError(f"model_params is {value!r}; allowed: a mapping of parameter names to values")
    return found


def sentences(reasons: Sequence[str]) -> str:
    """Several reasons, a line each, for a log."""
    return "\n".join(f"  - {reason}" for reason in reasons)
