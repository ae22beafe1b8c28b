"""What the data of the first page costs, by the number of pipelines: all of it, and what monitoring adds to it.

CPU milliseconds. Airflow's tables are in SQLite. MLflow is a local database without a server, so the times have no network in them, and
what MLflow's server would do is among them. Each pipeline has a champion, a decision, and 30 runs of monitoring; a tenth of them has an
alert. The records have been read before, as in an API server that has shown the page once. It takes some minutes, most of them for
the promotions.

    python benchmarks/overview.py
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from history import cpu_ms
from measuring import show
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.records import Evaluation, Interval, MetricResult, Outcome, RunSummary, ShadowReport, Span, Status, Verdict
from taxiway.records.served import AlertKind, ServedAlert, ServedPerformance, ServedWindow
from taxiway.registry.champions import champions_and_promotions
from taxiway.registry.promote import push
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway.tracking.local import database_uri, local_mlflow

SIZES = (100, 1_000)
RUNS = 30
NOW = datetime.now(UTC)
DAG = {
    "fileloc": "dags.py",
    "bundle_name": "b",
    "max_active_tasks": 1,
    "max_consecutive_failed_dag_runs": 0,
    "has_task_concurrency_limits": False,
}
VALUE = Interval(value=0.7, low=0.68, high=0.72, rows=2000)


def names_of(size: int) -> list[str]:
    return [f"team.pipeline_{number:04}" for number in range(size)]


def performance(name: str, day: int, *, worse: bool) -> ServedPerformance:
    """What a run of monitoring has found, in eight weeks."""
    first = NOW.date() - timedelta(days=day)
    windows = tuple(
        ServedWindow(first=first - timedelta(days=7 * week), rows=2000, labelled=900, estimated=VALUE, realised=VALUE)
        for week in range(8)
    )
    alert = ServedAlert(model=name, version=1, first=first, kind=AlertKind.REALISED)
    alerts = (alert,) if worse else ()
    return ServedPerformance(
        model=name, version=1, metric="roc_auc", evaluation=VALUE, windows=windows, alerts=alerts, at=NOW - timedelta(days=day)
    )


def promote(ledger: Ledger, store: Store, name: str) -> None:
    """A first champion with its records."""
    ledger.client.create_registered_model(name)
    ledger.client.create_model_version(name, "file:///nowhere", tags={tags.NEWEST_SPAN: "1", tags.FILES: "f"})
    metric = MetricResult(metric="roc_auc", candidate=VALUE, champion=None, difference=None)
    evaluation = Evaluation(snapshot="s", model=name, candidate=1, confidence=0.99, metrics=(metric,))
    evaluated = store.put(evaluation).digest
    verdict = Verdict(model=name, version=1, snapshot="s", evaluation=evaluated, status=Status.PASS, reasons=())
    store.put(verdict)
    shadow = ShadowReport(model=name, version=1, status=Status.NOT_APPLICABLE, reasons=())
    push(ledger, verdict, shadow, by=f"{name}/manual__1", at=NOW - timedelta(days=40))


def fill(session: Session, store: Store, names: list[str]) -> None:
    """Airflow's rows of the pipelines, their last runs, and their monitoring."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.dag import DagModel, DagTag
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel

    rows: dict[Any, list[dict[str, Any]]] = {
        kind: [] for kind in (DagModel, DagTag, DagRun, TaskInstance, XComModel, AssetModel, AssetEvent)
    }

    def ran(dag: str, task: str, days_ago: int, value: Any) -> None:
        at, number = NOW - timedelta(days=days_ago, minutes=1), len(rows[DagRun]) + 1
        run = {"dag_id": dag, "run_id": f"scheduled__{days_ago}"}
        common = {"run_type": "scheduled", "run_after": at, "start_date": at, "end_date": at}
        rows[DagRun].append({**run, **common, "id": number, "state": "success"})
        rows[TaskInstance].append({**run, "task_id": task, "pool": "p", "state": "success"})
        key = {"dag_run_id": number, "task_id": task, "key": "return_value", "timestamp": at}
        rows[XComModel].append({**run, **key, "value": json.dumps(value)})

    for number, name in enumerate(names):
        for dag in (name, f"{name}.monitor"):
            rows[DagModel].append({"dag_id": dag, "owners": "ann", "is_stale": False, **DAG})
        rows[DagTag].append({"dag_id": name, "name": "taxiway"})
        rows[AssetModel].append(
            {"id": number + 1, "name": f"{name}.alerts", "uri": f"taxiway://{name}/alerts", "group": "asset"}
        )
        summary = RunSummary(
            pipeline=name,
            run="scheduled__40",
            span=Span(source="s", name="1", rows=1, content="c"),
            outcome=Outcome.FIRST_CHAMPION,
            reasons=(),
            version=1,
            mlflow_run="m",
        )
        ran(name, "close_run", 40, store.put(summary).model_dump())
        for day in range(RUNS, 0, -1):
            worse = number % 10 == 0 and day == 1
            found = store.put(performance(name, day, worse=worse)) if day == 1 else None
            ran(f"{name}.monitor", "monitor", day, {"version": 1, "record": found and found.digest})
            if worse:
                told = {"alerts": [{"messages": ["the realised roc_auc of version 1 is 0.6"]}]}
                rows[AssetEvent].append({"asset_id": number + 1, "extra": told, "timestamp": NOW - timedelta(hours=2)})
    for kind, values in rows.items():
        session.execute(insert(kind.__table__), values)
    session.commit()


@contextmanager
def installation(size: int) -> Iterator[tuple[Session, Ledger, set[str]]]:
    """An Airflow, a store and an MLflow with so many pipelines."""
    from airflow.models import import_all_models
    from airflow.models.base import Base

    import_all_models()
    names = names_of(size)
    with tempfile.TemporaryDirectory() as folder, local_mlflow(Path(folder) / "mlflow") as client:
        host = database_uri(Path(folder) / "mlflow")
        os.environ["AIRFLOW_CONN_MLFLOW_DEFAULT"] = json.dumps({"conn_type": "mlflow", "host": host})
        os.environ["AIRFLOW__TAXIWAY__STORE"] = f"{folder}/store"
        store = Store(f"{folder}/store")
        ledger = Ledger(client, LedgerKeys(()))
        for name in names:
            promote(ledger, store, name)
        engine = create_engine(f"sqlite:///{folder}/airflow.db")
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            fill(session, store, names)
            yield session, ledger, set(names)


def measure(size: int) -> dict[str, float]:
    """The CPU milliseconds of each part."""
    from taxiway_ui.history import remembered
    from taxiway_ui.monitoring.found import newest_found
    from taxiway_ui.monitoring.runs import monitoring_states, new_alerts
    from taxiway_ui.overview.overview import overview
    from taxiway_ui.overview.rows import RowFilter
    from taxiway_ui.render import page

    with installation(size) as (session, ledger, names):
        store = Store(os.environ["AIRFLOW__TAXIWAY__STORE"])
        made = overview(session, names, RowFilter())
        assert len(made.unhealthy) == size / 10
        states = monitoring_states(session, names)

        def changed() -> None:
            remembered._known.clear()
            overview(session, names, RowFilter())

        works: dict[str, Callable[[], Any]] = {
            "the data of the page, if the ledger has not changed": lambda: overview(session, names, RowFilter()),
            "the same if it has": changed,
            "of it, MLflow: champions and promotions": lambda: champions_and_promotions(ledger, names),
            "of it, monitoring: Airflow's database": lambda: monitoring_states(session, names),
            "of it, monitoring: the records": lambda: newest_found(store, states),
            "of it, monitoring: new alerts": lambda: new_alerts(session, names, NOW - timedelta(days=1), 6),
            "the page as HTML": lambda: page("pipelines.html", view=made, here="", airflow=""),
        }
        return {name: cpu_ms(work, before=session.rollback) for name, work in works.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="How many pipelines.")
    sizes = parser.parse_args().sizes
    found = [measure(size) for size in sizes]
    rows = [(name, *(f"{each[name]:.1f}" for each in found)) for name in found[0]]
    show("The first page", ("CPU ms", *(f"{size:,} pipelines" for size in sizes)), rows)


if __name__ == "__main__":
    main()
