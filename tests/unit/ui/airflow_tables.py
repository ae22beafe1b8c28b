"""Airflow's tables in a database of their own, with the rows that the pages query."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from airflow.models import import_all_models
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.base import Base
from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import create_engine, func, insert, select
from sqlalchemy.orm import Session

_DAG = {
    "fileloc": "dags.py",
    "bundle_name": "b",
    "max_active_tasks": 1,
    "max_consecutive_failed_dag_runs": 0,
    "has_task_concurrency_limits": False,
}


@contextmanager
def airflow_tables() -> Iterator[Session]:
    """A session of an Airflow database without rows."""
    import_all_models()
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def add_dag(session: Session, dag: str, *, stale: bool = False) -> None:
    session.execute(insert(DagModel).values(dag_id=dag, is_stale=stale, **_DAG))


def add_tag(session: Session, dag: str, tag: str) -> None:
    session.execute(insert(DagTag).values(dag_id=dag, name=tag))


def add_run(session: Session, dag: str, at: datetime, states: tuple[str, str | None], result: Any = None) -> None:
    """A run with one task `monitor`: the states of both, and what the task returned."""
    state, task = states
    number = (session.scalar(select(func.max(DagRun.id))) or 0) + 1
    of_run = {"dag_id": dag, "run_id": f"r{number}"}
    session.execute(insert(DagRun).values(id=number, state=state, run_type="manual", end_date=at, run_after=at, **of_run))
    session.execute(insert(TaskInstance).values(task_id="monitor", state=task, pool="p", **of_run))
    if result is not None:
        key = {"dag_run_id": number, "task_id": "monitor", "key": "return_value", "timestamp": at}
        session.execute(insert(XComModel).values(value=result, **key, **of_run))


def add_event(session: Session, asset: str, at: datetime, extra: dict[str, Any]) -> None:
    number = session.scalar(select(AssetModel.id).where(AssetModel.name == asset))
    if number is None:
        session.execute(insert(AssetModel).values(name=asset, uri=f"x://{asset}", group="asset"))
        number = session.scalar(select(AssetModel.id).where(AssetModel.name == asset))
    session.execute(insert(AssetEvent).values(asset_id=number, extra=extra, timestamp=at))
