"""Queries of Airflow's database: the newest runs of monitoring, and its new alerts.

Each function takes one to five queries, whatever the number of pipelines.
"""

import contextlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from taxiway.hooks.retraining import ALERTS
from taxiway.templates.monitoring import TASK, monitoring_dag

_RESULT = "return_value"
_ENDED = (DagRunState.SUCCESS, DagRunState.FAILED)


@dataclass(frozen=True)
class MonitoringState:
    """What Airflow knows of the monitoring of a pipeline.

    Attributes:
        ended_at: When its newest run ended; None if none has.
        failed: Whether that run failed.
        skipped: Whether it was skipped: there were no requests.
        record: The digest of the newest `ServedPerformance`; None if there is none.
    """

    ended_at: datetime | None = None
    failed: bool = False
    skipped: bool = False
    record: str | None = None


@dataclass(frozen=True)
class NewAlert:
    """An alert that a run of monitoring has told.

    Attributes:
        pipeline: The pipeline.
        at: When it was told.
        message: Its evidence, the first sentence.
    """

    pipeline: str
    at: datetime
    message: str


def monitoring_states(session: Session, pipelines: Collection[str]) -> dict[str, MonitoringState]:
    """The monitoring of those pipelines that have any; takes three to five queries."""
    names = {monitoring_dag(name): name for name in pipelines}
    known = select(DagModel.dag_id).where(DagModel.dag_id.in_(names), DagModel.is_stale.is_(False))
    dags = list(session.scalars(known))
    newest = _newest_runs(session, dags)
    in_progress = [dag for dag, run in newest.items() if run.state not in _ENDED]
    ended = {dag: run for dag, run in newest.items() if run.state in _ENDED}
    ended |= _newest_runs(session, in_progress, DagRun.state.in_(_ENDED)) if in_progress else {}
    records = _records(session, XComModel.dag_run_id.in_([run.id for run in ended.values()]))
    older = _of_task(dag for dag in dags if dag not in records)
    found = select(func.max(XComModel.dag_run_id)).where(*older).group_by(XComModel.dag_id)
    records |= _records(session, XComModel.dag_run_id.in_(found)) if len(records) < len(dags) else {}
    return {
        names[dag]: MonitoringState(record=records.get(dag))
        if (run := ended.get(dag)) is None
        else MonitoringState(
            run.end_date, run.state == DagRunState.FAILED, run.task == TaskInstanceState.SKIPPED, records.get(dag)
        )
        for dag in dags
    }


def new_alerts(session: Session, pipelines: Collection[str], since: datetime, limit: int) -> tuple[NewAlert, ...]:
    """The newest alerts that runs of monitoring have told, newest first; takes one query.

    Args:
        session: The session.
        pipelines: The pipelines.
        since: Only those that were told after this.
        limit: The largest number of runs whose alerts are read.
    """
    names = {f"{name}.{ALERTS}": name for name in pipelines}
    told = (
        select(AssetModel.name, AssetEvent.timestamp, AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetModel.name.in_(names), AssetEvent.timestamp > since)
        .order_by(AssetEvent.timestamp.desc())
        .limit(limit)
    )
    return tuple(
        NewAlert(names[asset], at, message) for asset, at, extra in session.execute(told) for message in _messages(extra)
    )


def _newest_runs(session: Session, dags: Collection[str], *which: ColumnElement[bool]) -> dict[str, Any]:
    """The newest run of each of these DAGs: its `id`, `end_date` and `state`, and the state of its task as `task`."""
    newest = select(func.max(DagRun.id)).where(DagRun.dag_id.in_(dags), *which).group_by(DagRun.dag_id)
    of_run = and_(TaskInstance.dag_id == DagRun.dag_id, TaskInstance.run_id == DagRun.run_id, TaskInstance.task_id == TASK)
    columns = DagRun.dag_id, DagRun.id, DagRun.end_date, DagRun.state, TaskInstance.state.label("task")
    return {
        run.dag_id: run
        for run in session.execute(select(*columns).outerjoin(TaskInstance, of_run).where(DagRun.id.in_(newest)))
    }


def _of_task(dags: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    return XComModel.dag_id.in_(list(dags)), XComModel.task_id == TASK, XComModel.key == _RESULT


def _records(session: Session, of_runs: ColumnElement[bool]) -> dict[str, str]:
    """The digests of the records that runs of monitoring have returned, by DAG; a skipped run has none."""
    wanted = of_runs, XComModel.task_id == TASK, XComModel.key == _RESULT
    rows = session.execute(select(XComModel.dag_id, XComModel.value).where(*wanted))
    found = {dag: _mapping(value).get("record") for dag, value in rows}
    return {dag: digest for dag, digest in found.items() if isinstance(digest, str)}


def _messages(extra: Any) -> Iterator[str]:
    """The first sentence of each alert of an event, as `MonitorOperator` writes it; others may update the asset too."""
    alerts = _mapping(extra).get("alerts")
    for alert in alerts if isinstance(alerts, list) else ():
        messages = _mapping(alert).get("messages")
        if isinstance(messages, list) and messages:
            yield str(messages[0])


def _mapping(value: Any) -> dict[str, Any]:
    """A mapping as it was published: the database may have it as JSON."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return value if isinstance(value, dict) else {}
