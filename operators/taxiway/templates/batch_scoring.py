"""The template of batch scoring: one task scores each new span, and updates the asset of the predictions."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, Param

from taxiway.hooks.mlflow import MlflowHook
from taxiway.hooks.notify import Told, notify
from taxiway.hooks.scoring import task_name
from taxiway.messages import error_line
from taxiway.operators import BatchPredictOperator
from taxiway.spec.scoring import Scoring, index_name
from taxiway.spec.team import Notification, Team
from taxiway.templates.schedule import scoring_schedule_of

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFAULT_ARGS = {"retries": 2}
TASK = "predict"


def batch_scoring(
    scoring: Scoring,
    team: Team | None = None,
    *,
    code: Path | None = None,
    mlflow_conn_id: str = MlflowHook.default_conn_name,
    default_args: dict[str, Any] | None = None,
) -> DAG:
    """Create the DAG that scores each new span.

    A run scores one span, and runs are not parallel. The task is `predict`; a team can add its own tasks after it. If it fails, and
    is not tried again, the team's notifier is called with the event ERROR.

    Args:
        scoring: The scoring.
        team: The team; None without a team file.
        code: The folder of trusted code, for models of a team's own class; None if there is none.
        mlflow_conn_id: The Airflow connection of the MLflow server.
        default_args: Airflow's default arguments for all tasks; by default, tasks have two retries.
    """
    ours = {"owner": (team and team.owner) or scoring.team, **({"pool": team.pool} if team and team.pool else {})}
    with DAG(
        dag_id=scoring.name,
        schedule=scoring_schedule_of(scoring, index_name(task_name(scoring.name, TASK))),
        start_date=datetime(2013, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args={**DEFAULT_ARGS, **ours, **(default_args or {})},
        tags=["taxiway-scoring", scoring.team],  # the pages take DAGs with the tag taxiway for pipelines
        params={
            "span": Param(
                None,
                type=["null", "string"],
                title="Span",
                description="The span to score, such as 2013-04, again if it is scored. Empty: the oldest span that is not scored.",
            )
        },
        doc_md=_describe(scoring),
        is_paused_upon_creation=bool(scoring.schedule),
    ) as dag:
        BatchPredictOperator(
            task_id=TASK,
            model=scoring.model,
            source=scoring.source,
            span="{{ params.span or '' }}",
            output_folder=scoring.output,
            keys=scoring.keys,
            schema=scoring.schema_file,
            on_invalid_data=scoring.on_invalid_data,
            rows_per_file=scoring.rows_per_file,
            code=str(code) if code is not None else None,
            mlflow_conn_id=mlflow_conn_id,
            on_failure_callback=partial(notify_failure, scoring.name, team.notification) if team else None,
            outlets=[Asset(name=scoring.predictions, uri=f"taxiway://{scoring.team}/{scoring.scoring}/predictions")],
        )
    return dag


def notify_failure(dag: str, notification: Notification | None, context: "Context") -> None:
    """Notify of a run that failed.

    Args:
        dag: The name of the scoring, or of the DAG of monitoring.
        notification: The notifier; None for no notification.
        context: Airflow's context of the task that failed.
    """
    from taxiway.hooks.context import airflow_url

    why = context.get("exception")
    told = Told(
        pipeline=dag,
        span=context["params"].get("span") or "",
        event="ERROR",
        reasons=[error_line(why) if isinstance(why, BaseException) else "the task failed; see its log"],
        version="",
        airflow_url=airflow_url(context),
        mlflow_url="",
    )
    notify(notification, told, context)


def _describe(scoring: Scoring) -> str:
    checked = f"`{Path(scoring.schema_file).name}`" if scoring.schema_file else "none"
    return (
        f"**{scoring.name}** scores `{scoring.source.text}` with `{scoring.model}`.\n\n"
        f"* predictions: `{scoring.output}`, asset `{scoring.predictions}`\n"
        f"* schema: {checked}\n"
    )
