"""The `StageContext` of an Airflow task, from Airflow's connections and settings."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowSkipException

from taxiway.errors import NoRequestsError
from taxiway.hooks.config import ledger_keys, open_store
from taxiway.hooks.gateway import GatewayHook
from taxiway.hooks.mlflow import MlflowHook
from taxiway.hooks.retraining import action_of
from taxiway.hooks.sources import airflow_engine, data_folder
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.serving.api import Remote
    from taxiway.stages.context import Services, StageContext
    from taxiway.tracking.run import MlflowRun


class AirflowContainers:
    """Runs challengers in containers, with the settings of Airflow's `[taxiway]` section.

    Args:
        mlflow_conn_id: The Airflow connection of the MLflow server.
    """

    def __init__(self, mlflow_conn_id: str) -> None:
        self.mlflow_conn_id = mlflow_conn_id

    def start(self, *, model: str, version: int, run: str, lease: timedelta) -> "Remote":
        """Serve a model version in a container of the DAG run `run` until the lease ends; returns its address."""
        from taxiway.hooks.containers import start_challenger

        uri = MlflowHook(self.mlflow_conn_id).tracking_uri()
        return start_challenger(model=model, version=version, tracking_uri=uri, run=run, lease_s=lease.total_seconds())

    def remove(self, run: str) -> int:
        """Remove the containers of a DAG run; returns how many there were."""
        from taxiway.hooks.containers import remove_challengers

        return remove_challengers(run)


def stage_context(pipeline: Pipeline, context: "Context", mlflow_conn_id: str) -> "StageContext":
    """The stage context of this DAG run; its MLflow run is created if it does not exist."""
    from taxiway.tracking.run import MlflowRun

    client = MlflowHook(mlflow_conn_id).get_conn()
    run = MlflowRun.find_or_make(client, pipeline.experiment, dag_run_of(context), _tags(pipeline, context))
    return _context(pipeline, run, context, mlflow_conn_id)


@contextmanager
def monitoring_context(pipeline: Pipeline, context: "Context", mlflow_conn_id: str) -> "Iterator[StageContext]":
    """The context of a run of the monitoring DAG of a pipeline; its MLflow run ends with the block.

    Raises:
        AirflowSkipException: The block found no requests; the MLflow run is deleted if no earlier try has recorded anything.
    """
    from taxiway.lineage.monitoring import EXPERIMENT
    from taxiway.tracking.run import MlflowRun

    client = MlflowHook(mlflow_conn_id).get_conn()
    run = MlflowRun.find_or_make(client, EXPERIMENT, dag_run_of(context), _tags(pipeline, context))
    try:
        yield _context(pipeline, run, context, mlflow_conn_id)
    except NoRequestsError as nothing:
        if run.refs():
            run.end("FINISHED")
        else:
            client.delete_run(run.run_id)
        raise AirflowSkipException(str(nothing)) from None
    except BaseException:
        run.end("FAILED")
        raise
    run.end("FINISHED")


def find_stage_context(pipeline: Pipeline, context: "Context", mlflow_conn_id: str) -> "StageContext | None":
    """The stage context of this DAG run; None if no task has created its MLflow run."""
    from taxiway.tracking.run import MlflowRun

    run = MlflowRun.find(MlflowHook(mlflow_conn_id).get_conn(), pipeline.experiment, dag_run_of(context))
    return None if run is None else _context(pipeline, run, context, mlflow_conn_id)


def services(pipeline: Pipeline, mlflow_conn_id: str) -> "Services":
    """The services of this installation for a pipeline."""
    from taxiway.stages.context import Services

    gateway = pipeline.gateway
    return Services(
        data=data_folder(pipeline),
        connect=airflow_engine,
        gateway=None if gateway is None else lambda: GatewayHook(gateway).get_conn(),
        containers=AirflowContainers(mlflow_conn_id),
        in_airflow=True,
        ledger_keys=ledger_keys(),
    )


def dag_run_of(context: "Context") -> str:
    """The name of the DAG run outside of Airflow, `DAG/RUN`."""
    ti: Any = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}"


def airflow_url(context: "Context") -> str:
    """The URL of the DAG run's page in Airflow."""
    ti: Any = context["ti"]
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{ti.dag_id}/runs/{ti.run_id}"


def _context(pipeline: Pipeline, run: "MlflowRun", context: "Context", mlflow_conn_id: str) -> "StageContext":
    from taxiway.stages.context import StageContext, doing

    action = action_of(pipeline, context)
    return StageContext(
        pipeline=doing(pipeline, action),
        store=open_store(),
        recorder=run,
        registry=run.client,
        run=dag_run_of(context),
        services=services(pipeline, mlflow_conn_id),
        log=logging.getLogger(f"airflow.task.{__name__}"),
        again=str((context.get("params") or {}).get("reason") or "").strip() or None,
        action=action,
    )


def _tags(pipeline: Pipeline, context: "Context") -> dict[str, str]:
    from taxiway.tracking import tags

    ti: Any = context["ti"]
    return {
        tags.AIRFLOW_DAG: ti.dag_id,
        tags.AIRFLOW_RUN: ti.run_id,
        tags.AIRFLOW_URL: airflow_url(context),
        tags.PIPELINE: pipeline.name,
        tags.SETTINGS: pipeline.digest,
    }
