"""A task's `StageContext`: the DAG run's MLflow run, the installation's store, and its services, by Airflow's connections."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from taxiway.hooks.config import open_store
from taxiway.hooks.gateway import GatewayHook
from taxiway.hooks.mlflow import MlflowHook
from taxiway.hooks.sources import airflow_engine, data_folder
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.serving.api import Remote
    from taxiway.stages.context import Services, StageContext
    from taxiway.tracking.run import MlflowRun


class AirflowContainers:
    """Challengers in containers, as Airflow's `[taxiway]` section describes them."""

    def __init__(self, mlflow_conn_id: str) -> None:
        self.mlflow_conn_id = mlflow_conn_id

    def start(self, *, model: str, version: int, run: str, lease: timedelta) -> "Remote":
        """Serve a version in a container of the DAG run `run`; see `taxiway.serving.deployers.docker.start`."""
        from taxiway.hooks.containers import start_challenger

        uri = MlflowHook(self.mlflow_conn_id).tracking_uri()
        return start_challenger(model=model, version=version, tracking_uri=uri, run=run, lease_s=lease.total_seconds())

    def remove(self, run: str) -> int:
        """Remove the containers of a DAG run; returns how many there were."""
        from taxiway.hooks.containers import remove_challengers

        return remove_challengers(run)


def stage_context(pipeline: Pipeline, context: "Context", mlflow_conn_id: str) -> "StageContext":
    """What the stages of this DAG run work with; its MLflow run is found, or made."""
    from taxiway.tracking.run import MlflowRun

    client = MlflowHook(mlflow_conn_id).get_conn()
    run = MlflowRun.find_or_make(client, pipeline.experiment, dag_run_of(context), _tags(pipeline, context))
    return _context(pipeline, run, context, mlflow_conn_id)


def find_stage_context(pipeline: Pipeline, context: "Context", mlflow_conn_id: str) -> "StageContext | None":
    """As `stage_context`; None if no task of this DAG run has made an MLflow run."""
    from taxiway.tracking.run import MlflowRun

    run = MlflowRun.find(MlflowHook(mlflow_conn_id).get_conn(), pipeline.experiment, dag_run_of(context))
    return None if run is None else _context(pipeline, run, context, mlflow_conn_id)


def services(pipeline: Pipeline, mlflow_conn_id: str) -> "Services":
    """What this installation offers to the stages of a pipeline."""
    from taxiway.stages.context import Services

    gateway = pipeline.gateway
    return Services(
        data=data_folder(pipeline),
        connect=airflow_engine,
        gateway=None if gateway is None else lambda: GatewayHook(gateway).get_conn(),
        containers=AirflowContainers(mlflow_conn_id),
    )


def dag_run_of(context: "Context") -> str:
    """The DAG run as everything outside of Airflow knows it: `DAG/RUN`."""
    ti: Any = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"


def airflow_url(context: "Context") -> str:
    """The address of the DAG run's page in Airflow."""
    ti: Any = context["ti"]
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{ti.dag_id}/runs/{ti.run_id}"


def _context(pipeline: Pipeline, run: "MlflowRun", context: "Context", mlflow_conn_id: str) -> "StageContext":
    from taxiway.stages.context import StageContext

    return StageContext(
        pipeline=pipeline,
        store=open_store(),
        recorder=run,
        registry=run.client,
        run=dag_run_of(context),
        services=services(pipeline, mlflow_conn_id),
        log=logging.getLogger(f"airflow.task.{__name__}"),
    )


def _tags(pipeline: Pipeline, context: "Context") -> dict[str, str]:
    from taxiway.tracking import tags

    ti: Any = context["ti"]
    return {
        tags.AIRFLOW_DAG: ti.dag_id,
        tags.AIRFLOW_RUN: ti.run_id,
        tags.AIRFLOW_URL: airflow_url(context),
        tags.PIPELINE: pipeline.name,
    }
