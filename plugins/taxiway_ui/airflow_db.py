"""Queries of Airflow's database: the DAGs that are pipelines, the states of their runs, and the references of their records.

They use the session of the API server. Each function takes one to three queries, whatever the number of pipelines.
"""

import contextlib
import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import TaskInstanceState
from pydantic import ValidationError
from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from taxiway.operators.base import REASON_KEY
from taxiway.records import RecordRef, RunSummary, Verdict

TAG = "taxiway"
APPROVAL = "approval"
"""The task that asks for an approval."""
_RESULT = "return_value"
_MLFLOW_LINK = "_link_MlflowRunLink"


@dataclass(frozen=True)
class LastRun:
    """The latest run of a DAG.

    Attributes:
        run: The id of the run.
        state: Its state.
        began: When it started; None if it has not.
        stopped_at: A task that failed; empty if none did.
        ended: When it ended; None if it has not.
    """

    run: str
    state: str
    began: datetime | None = None
    stopped_at: str = ""
    ended: datetime | None = None


@dataclass(frozen=True)
class DagFacts:
    """What Airflow knows of a DAG.

    Attributes:
        owner: Its owners.
        paused: Whether it is paused.
        next_run: When its next run is created; None if that is not known.
    """

    owner: str = ""
    paused: bool = False
    next_run: datetime | None = None


@dataclass(frozen=True)
class DagFile:
    """Where Airflow has read a DAG.

    Attributes:
        path: The path of the file where the DAG processor runs.
        relative: Its path in the folder of DAGs.
        read_at: When it was last read; None if that is not known.
    """

    path: Path
    relative: Path
    read_at: datetime | None = None


@dataclass(frozen=True)
class Decided:
    """The reference of a RunSummary or a Verdict, and when it was made."""

    ref: RecordRef
    at: datetime


@dataclass(frozen=True)
class Question:
    """A question that a run asks a person, and waits for the answer.

    Attributes:
        dag: The id of the DAG.
        run: The id of the run.
        task: The id of the task that asks.
        subject: The question, in one line.
        since: When it was asked.
        approvers: The ids of the users who may answer; empty for everybody who may edit the DAG.
    """

    dag: str
    run: str
    task: str
    subject: str
    since: datetime
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunState:
    """A DAG run.

    Attributes:
        dag: The id of the DAG.
        run: The id of the run.
        state: Its state.
        began: When it started; None if it has not.
        tasks: The states of its tasks by task id.
        refs: The references of records that the tasks returned.
        mlflow_url: The URL of its MLflow run; empty until it is known.
        reasons: Why tasks failed or were skipped, by task id.
        in_airflow: Whether Airflow has the run; if not, its tasks are the stages that have made a record.
    """

    dag: str
    run: str
    state: str
    began: datetime | None
    tasks: dict[str, str]
    refs: tuple[RecordRef, ...]
    mlflow_url: str
    reasons: dict[str, str] = field(default_factory=dict)
    in_airflow: bool = True


def pipelines(session: Session, readable: Collection[str] | None = None) -> tuple[str, ...]:
    """The ids of the DAGs that are pipelines, among those that the user may read; None for all."""
    known = (
        select(DagModel.dag_id)
        .join(DagTag, DagTag.dag_id == DagModel.dag_id)
        .where(DagTag.name == TAG, DagModel.is_stale.is_(False))
        .order_by(DagModel.dag_id)
    )
    return tuple(dag for dag in session.scalars(known) if readable is None or dag in readable)


def newest_runs(session: Session, dags: Collection[str]) -> dict[str, LastRun]:
    """The latest run of each DAG; takes two queries."""
    newest = select(func.max(DagRun.id)).where(DagRun.dag_id.in_(dags)).group_by(DagRun.dag_id)
    columns = DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.end_date
    runs = session.execute(select(*columns).where(DagRun.id.in_(newest))).all()
    failed = {(dag, run) for dag, run, state, _, _ in runs if state == "failed"}
    broken = select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id).where(
        TaskInstance.dag_id.in_([dag for dag, _ in failed]),
        TaskInstance.run_id.in_([run for _, run in failed]),
        TaskInstance.state == TaskInstanceState.FAILED,
    )
    stopped = {(dag, run): task for dag, run, task in session.execute(broken)} if failed else {}
    return {dag: LastRun(run, str(state), began, stopped.get((dag, run), ""), ended) for dag, run, state, began, ended in runs}


def dag_facts(session: Session, dags: Collection[str]) -> dict[str, DagFacts]:
    """What Airflow knows of these DAGs; takes one query."""
    columns = DagModel.dag_id, DagModel.owners, DagModel.is_paused, DagModel.next_dagrun_create_after
    found = session.execute(select(*columns).where(DagModel.dag_id.in_(dags)))
    return {dag: DagFacts(owner or "", bool(paused), None if paused else following) for dag, owner, paused, following in found}


def dag_files(session: Session, dags: Collection[str]) -> dict[str, DagFile]:
    """Where Airflow has read these DAGs; takes one query."""
    columns = DagModel.dag_id, DagModel.fileloc, DagModel.relative_fileloc, DagModel.last_parsed_time
    found = session.execute(select(*columns).where(DagModel.dag_id.in_(dags)))
    return {dag: DagFile(Path(path), Path(relative or path), at) for dag, path, relative, at in found if path}


def find_run(session: Session, dag: str, run: str) -> RunState | None:
    """A run; None if it does not exist."""
    runs = session.scalars(select(DagRun).where(DagRun.dag_id == dag, DagRun.run_id == run)).all()
    return next(iter(_run_states(session, runs)), None)


def last_summaries(session: Session, dags: Collection[str]) -> dict[str, Decided]:
    """The RunSummary of the latest run of each DAG that has a decision."""
    # Most runs of a pipeline with schedule: new_span decide nothing, so the database filters for those that did.
    decided = cast(XComModel.value, Text).like(f'%"{RunSummary.__name__}"%')
    of_these = XComModel.dag_id.in_(dags), XComModel.task_id == "close_run", XComModel.key == _RESULT
    newest = select(func.max(XComModel.dag_run_id)).where(*of_these, decided).group_by(XComModel.dag_id)
    columns = XComModel.dag_id, XComModel.value, XComModel.timestamp
    rows = session.execute(select(*columns).where(*of_these, XComModel.dag_run_id.in_(newest))).all()
    found = {dag: (_ref(value), at) for dag, value, at in rows}
    return {dag: Decided(ref, at) for dag, (ref, at) in found.items() if ref is not None}


def verdicts_of(session: Session, dag: str, runs: Collection[str]) -> dict[str, Decided]:
    """The Verdict of each of these runs that has one; takes one query."""
    columns = XComModel.run_id, XComModel.value, XComModel.timestamp
    wanted = XComModel.dag_id == dag, XComModel.task_id == "validate_model", XComModel.key == _RESULT
    rows = session.execute(select(*columns).where(*wanted, XComModel.run_id.in_(runs))).all()
    found = {run: (_ref(value), at) for run, value, at in rows}
    return {run: Decided(ref, at) for run, (ref, at) in found.items() if ref is not None and ref.record == Verdict.__name__}


def open_questions(
    session: Session, dags: Collection[str], run: str | None = None, task: str | None = None
) -> tuple[Question, ...]:
    """The questions that runs of these DAGs wait for an answer to, oldest first; takes one query.

    Args:
        session: The session.
        dags: The ids of the DAGs.
        run: Only those of this run.
        task: Only those of this task.
    """
    asked = (
        select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, HITLDetail)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(
            TaskInstance.dag_id.in_(dags),
            TaskInstance.state == TaskInstanceState.AWAITING_INPUT,
            HITLDetail.responded_at.is_(None),
            *((TaskInstance.run_id == run,) if run is not None else ()),
            *((TaskInstance.task_id == task,) if task is not None else ()),
        )
        .order_by(HITLDetail.created_at)
    )
    return tuple(
        Question(dag, of_run, by, detail.subject, detail.created_at, tuple(user["id"] for user in detail.assigned_users))
        for dag, of_run, by, detail in session.execute(asked)
    )


def _run_states(session: Session, runs: Sequence[DagRun]) -> list[RunState]:
    keys = {run.id: (run.dag_id, run.run_id) for run in runs}
    tasks: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    refs: dict[int, list[RecordRef]] = defaultdict(list)
    links: dict[int, str] = {}
    states = select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state)
    of_these = (
        TaskInstance.run_id.in_([run for _, run in keys.values()]),
        TaskInstance.dag_id.in_([d for d, _ in keys.values()]),
    )
    for dag, run, task, state in session.execute(states.where(*of_these)):
        tasks[dag, run][task] = _worse(tasks[dag, run].get(task), str(state or ""))
    reasons: dict[int, dict[str, str]] = defaultdict(dict)
    returned = select(XComModel.dag_run_id, XComModel.task_id, XComModel.key, XComModel.value)
    wanted = XComModel.dag_run_id.in_(keys), XComModel.key.in_((_RESULT, _MLFLOW_LINK, REASON_KEY))
    for number, task, key, value in session.execute(returned.where(*wanted)):
        if key == REASON_KEY:
            reasons[number][task] = _text(value)
            continue
        ref = _ref(value)
        if key == _MLFLOW_LINK:
            links[number] = str(value or "").strip('"') or links.get(number, "")
        elif ref is not None:
            refs[number].append(ref)
    return [
        RunState(
            run.dag_id,
            run.run_id,
            str(run.state),
            run.start_date,
            tasks[keys[run.id]],
            tuple(refs[run.id]),
            links.get(run.id, ""),
            reasons[run.id],
        )
        for run in runs
    ]


def _worse(one: str | None, other: str) -> str:
    """The state of a mapped task with two instances: failed if one failed, else the state of an unfinished one."""
    if one is None:
        return other
    return min(one, other, key=lambda state: {"failed": 0, "upstream_failed": 1, "success": 3, "skipped": 4}.get(state, 2))


def _text(value: Any) -> str:
    """A text as it was published: the database has it as JSON."""
    with contextlib.suppress(ValueError):
        value = json.loads(value)
    return str(value)


def _ref(value: Any) -> RecordRef | None:
    """The reference that a task returned; None if it returned something else, as a team's own task may."""
    try:
        return RecordRef.model_validate_json(value) if isinstance(value, str) else RecordRef.model_validate(value)
    except ValidationError:
        return None
