"""The template of monitoring: one task compares what the champion predicts in production with its evaluation."""

from datetime import datetime
from functools import partial

from airflow.sdk import DAG

from taxiway.hooks.mlflow import MlflowHook
from taxiway.operators import MonitorOperator
from taxiway.spec.monitor import Monitor
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.team import Team
from taxiway.templates.batch_scoring import notify_failure

DEFAULT_ARGS = {"retries": 2}
TASK = "monitor"


def monitoring_dag(pipeline: str) -> str:
    """The id of the DAG that monitors a pipeline."""
    return f"{pipeline}.monitor"


def monitoring(
    pipeline: Pipeline, section: Monitor, team: Team | None = None, *, mlflow_conn_id: str = MlflowHook.default_conn_name
) -> DAG:
    """Create the DAG that monitors the champion of a pipeline.

    It is a DAG of its own: it has another schedule than the training, goes on while that waits for a person or for traffic, and can
    be paused alone.

    Args:
        pipeline: The pipeline.
        section: Its section `monitor`.
        team: The team; None without a team file.
        mlflow_conn_id: The Airflow connection of the MLflow server.
    """
    ours = {"owner": (team and team.owner) or pipeline.team, **({"pool": team.pool} if team and team.pool else {})}
    with DAG(
        dag_id=monitoring_dag(pipeline.name),
        schedule=section.schedule,
        start_date=datetime(2013, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args={**DEFAULT_ARGS, **ours},
        tags=["taxiway-monitor", pipeline.team],  # the pages take DAGs with the tag taxiway for pipelines
        doc_md=(
            f"**{pipeline.name}**: the champion's newest {section.windows} windows of a {section.window} in `{section.log}`, compared with its "
            f"evaluation rows. If it begins to predict worse, the asset `{pipeline.name}.alerts` is updated.\n"
        ),
        is_paused_upon_creation=section.schedule is not None,
    ) as dag:
        MonitorOperator(
            task_id=TASK,
            pipeline=pipeline,
            notification=team.notification if team else None,
            mlflow_conn_id=mlflow_conn_id,
            on_failure_callback=partial(notify_failure, dag.dag_id, team.notification) if team else None,
        )
    return dag
