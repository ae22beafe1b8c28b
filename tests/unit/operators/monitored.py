"""A run of monitoring as Airflow's task, and what it has told and recorded."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import AssetAlias, BaseNotifier, Context

from taxiway.hooks.mlflow import MlflowHook
from taxiway.lineage.monitoring import EXPERIMENT
from taxiway.operators import MonitorOperator
from taxiway.spec.files.pipeline_file import read_pipeline_and_team
from taxiway.templates.monitoring import monitoring

SECTION = """
monitor: {log: log, windows: 366}
"""
TEAM = """
team: runner
notification: {notifier: operators.monitored.Board}
"""


class Board(BaseNotifier):
    """Keeps what it is told, a line each: Airflow imports it anew."""

    def notify(self, context: Context) -> None:
        with Path("told").open("a") as file:
            file.write(json.dumps(cast("Any", context)["taxiway"]) + "\n")


class Events(dict[Any, Any]):
    """The events that a task adds to its outlets, as Airflow gives them to it."""

    def __missing__(self, alias: AssetAlias) -> SimpleNamespace:
        return SimpleNamespace(add=lambda asset, extra: self.setdefault(asset.name, []).append((asset, extra)))


def task() -> MonitorOperator:
    pipeline, team = read_pipeline_and_team(Path("small.pipeline.yaml"))
    assert pipeline.monitor is not None
    made = monitoring(pipeline, pipeline.monitor, team).get_task("monitor")
    assert isinstance(made, MonitorOperator)
    return made


def monitored(run: str) -> tuple[dict[str, Any], Events]:
    operator, events = task(), Events()
    ti = SimpleNamespace(
        dag_id=operator.dag.dag_id, task_id="monitor", run_id=run, try_number=1, xcom_push=lambda *_, **__: None
    )
    return operator.execute(cast("Context", {"ti": ti, "outlet_events": events, "params": {}})), events


def recorded(run: str) -> Any:
    client = MlflowHook().get_conn()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.`airflow.run_id` = '{run}'")
    return found[0] if found else None
