"""The template of continuous training: ingest, validate data, transform, train, validate model, shadow, push, close run."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param, XComArg, chain
from airflow.sdk.definitions.mappedoperator import MappedOperator

from taxiway.errors import ConfigError
from taxiway.hooks.mlflow import MlflowHook
from taxiway.messages import counted, number_text
from taxiway.operators import (
    ApprovalOperator,
    CloseRunOperator,
    IngestOperator,
    PlanSweepOperator,
    PushOperator,
    RunTrialsOperator,
    ShadowDeployOperator,
    TrainOperator,
    TransformOperator,
    ValidateDataOperator,
    ValidateModelOperator,
)
from taxiway.spec.gate import Gate
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import Source
from taxiway.spec.source.selection import FixedWindow, Split
from taxiway.spec.team import Notification, Team, loosened
from taxiway.templates.pipeline_dag import PipelineDag
from taxiway.templates.schedule import schedule_of

DEFAULT_ARGS = {"retries": 2}
MODEL_PARAMS = "{{ params.model_params | tojson }}"


def continuous_training(
    pipeline: Pipeline,
    team: Team | None = None,
    *,
    mlflow_conn_id: str = MlflowHook.default_conn_name,
    default_args: dict[str, Any] | None = None,
) -> DAG:
    """Create the DAG that trains, checks and deploys the pipeline's model for each new span.

    A run decides one span, and runs are not parallel. The tasks are `ingest`, `validate_data`, `transform`, `train`,
    `validate_model`, `shadow`, `push` and `close_run`, with a sweep also `plan_sweep` and `trials`, and with an approval `approval`. A team can add its own
    tasks between them with `dag.get_task`; `close_run` waits for these too.

    Args:
        pipeline: The pipeline.
        team: The rules of the pipeline's team; None without a team file.
        mlflow_conn_id: The Airflow connection of the MLflow server.
        default_args: Airflow's default arguments for all tasks; by default, tasks have two retries.

    Raises:
        ConfigError: The pipeline is looser than the team allows.
    """
    looser = loosened(pipeline, team) if team else ()
    if looser:
        raise ConfigError("\n".join(f"{pipeline.name}: {'.'.join(key)} {problem}" for key, problem in looser))
    ours = {"owner": (team and team.owner) or pipeline.team, **({"pool": team.pool} if team and team.pool else {})}
    with PipelineDag(
        dag_id=pipeline.name,
        schedule=schedule_of(pipeline),
        start_date=datetime(2013, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args={**DEFAULT_ARGS, **ours, **(default_args or {}), "mlflow_conn_id": mlflow_conn_id},
        tags=["taxiway", pipeline.team],
        params=_params(),
        doc_md=_describe(pipeline),
        is_paused_upon_creation=bool(pipeline.schedule),
    ) as dag:
        _stages(pipeline, team.notification if team else None)
    dag.close_last()
    return dag


def _stages(pipeline: Pipeline, notification: Notification | None) -> None:
    ingest = IngestOperator(task_id="ingest", pipeline=pipeline, span="{{ params.span or '' }}", notification=notification)
    snapshot = ingest.output
    validate_data = ValidateDataOperator(task_id="validate_data", pipeline=pipeline, snapshot=snapshot)
    trials = _sweep(pipeline, snapshot, validate_data) if pipeline.sweep else None
    transform = TransformOperator(task_id="transform", pipeline=pipeline, snapshot=snapshot)
    train = TrainOperator(
        task_id="train",
        pipeline=pipeline,
        snapshot=snapshot,
        report=validate_data.output,
        features=transform.output,
        model_params=MODEL_PARAMS,
        trials=trials.output if trials else (),
    )
    validate_model = ValidateModelOperator(
        task_id="validate_model", pipeline=pipeline, candidate=train.output, snapshot=snapshot, report=validate_data.output
    )
    shadow = ShadowDeployOperator(task_id="shadow", pipeline=pipeline, verdict=validate_model.output)
    decided = {"verdict": validate_model.output, "shadow": shadow.output}
    approval = (
        ApprovalOperator(task_id="approval", pipeline=pipeline, notification=notification, **decided)
        if pipeline.may_ask
        else None
    )
    push = PushOperator(task_id="push", pipeline=pipeline, **decided, approval=approval.output if approval else None)
    chain(ingest, validate_data, transform, train, validate_model, shadow, *([approval] if approval else []), push)
    CloseRunOperator(task_id="close_run", pipeline=pipeline, notification=notification).as_teardown()


def _sweep(pipeline: Pipeline, snapshot: XComArg, after: BaseOperator) -> MappedOperator:
    """The mapped task that runs the trials, with their parameters as names in Airflow's grid."""
    plan = PlanSweepOperator(task_id="plan_sweep", pipeline=pipeline, snapshot=snapshot, model_params=MODEL_PARAMS)
    after >> plan
    trials = RunTrialsOperator.partial(task_id="trials", pipeline=pipeline, map_index_template="{{ task.chunk['name'] }}")
    return trials.expand(chunk=plan.output)


def _params() -> dict[str, Param]:
    return {
        "span": Param(
            None,
            type=["null", "string"],
            title="Span",
            description="The span to evaluate on, such as 2013-04; the model is trained on the window before it. "
            "Empty: the oldest span without a decision.",
        ),
        "reason": Param(
            None,
            type=["null", "string"],
            title="Reason",
            description="Why the span is decided again, for its record.",
        ),
        "model_params": Param(
            {},
            type="object",
            title="Model parameters",
            description="Parameters of the estimator that override those of the pipeline file.",
        ),
    }


def _reads(source: Source) -> str:
    window = source.window
    spans = f"the spans from {window.first} to {window.last}" if isinstance(window, FixedWindow) else counted(window, "span")
    if isinstance(source.split, Split):
        return f"trains on {spans}, except {source.split.rule.describe('`')}, on which it is evaluated"
    return (
        f"trains on {spans} and evaluates on the {'newest span after them' if isinstance(window, FixedWindow) else 'next one'}"
    )


def _describe(pipeline: Pipeline) -> str:
    shadow = f"at least {pipeline.shadow.min_requests:,} mirrored requests" if pipeline.shadow else "none"
    return (
        f"**{pipeline.name}** predicts `{pipeline.source.label}` from `{pipeline.source.text}`: {_reads(pipeline.source)}.\n\n"
        f"* gate: {'; '.join(_rules(pipeline.gate))}\n"
        f"* shadow: {shadow}\n"
        f"* schema: `{pipeline.schema_file.rpartition('/')[2]}`\n"
    )


def _rules(gate: Gate) -> Iterator[str]:
    if gate.thresholds:
        yield "thresholds " + ", ".join(f"{metric} {number_text(limit)}" for metric, limit in sorted(gate.thresholds.items()))
    if gate.against_champion is not None:
        yield f"{gate.against_champion.metric} is compared with the champion's"
    yield from (f"`{entry.condition}` ({entry.metric})" for entry in gate.conditions)
