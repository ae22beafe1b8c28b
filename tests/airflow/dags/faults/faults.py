"""Pipelines that meet faults: a team's DAGs in Python, on the template, with tasks that are killed once."""

import os
import signal
from pathlib import Path
from typing import Any

from taxiway.operators import PushOperator, TrainOperator
from taxiway.records import Candidate, Promotion
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.team import Team
from taxiway.templates import continuous_training

HERE = Path(__file__).parent
GATE = {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc", "min_improvement": -0.05}}


def pipeline(name: str, **changes: Any) -> Pipeline:
    content: dict[str, Any] = {
        "pipeline": name,
        "team": "faults",
        "source": {"spans": f"{{data}}/{name}/{{SPAN}}.parquet", "window": 1, "label": "y"},
        "schema": str(HERE / "small.schema.yaml"),
        "model": {"estimator": "sklearn.linear_model.LogisticRegression"},
        "gate": GATE,
    }
    return Pipeline.model_validate({**content, **changes})


def die_once(name: str, task: str) -> None:
    """kill -9 of this process, the first time."""
    marker = Path(os.environ["AIRFLOW__TAXIWAY__DATA"]) / f"{name}.{task}.killed"
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class KilledTrainOperator(TrainOperator):
    """Dies after the version was registered, before the task has returned it."""

    def run(self, *args: Any) -> Candidate:
        made = super().run(*args)
        die_once("killed", "train")
        return made


class KilledPushOperator(PushOperator):
    """Dies after the alias moved, before the task is over."""

    def run(self, *args: Any) -> Promotion:
        made = super().run(*args)
        die_once("killed", "push")
        return made


killed = continuous_training(pipeline("killed"))
killed.get_task("train").__class__ = KilledTrainOperator
killed.get_task("push").__class__ = KilledPushOperator
refused = continuous_training(pipeline("refused", gateway="flaky_gateway"), mlflow_conn_id="flaky_mlflow")
broken_stage = continuous_training(pipeline("broken_stage", features={"numeric": ["nothing"]}))
truncated = continuous_training(pipeline("truncated"))
cleared = continuous_training(pipeline("cleared", gate={**GATE, "champion_unscorable": "approval"}))


def months(name: str, schedule: str, window: int) -> Pipeline:
    source = {"spans": f"{{data}}/{name}/{{YYYY}}-{{MM}}_v{{VERSION}}.parquet", "window": window, "label": "y"}
    return pipeline(name, schedule=schedule, source=source)


arrivals = continuous_training(months("arrivals", "new_span", 2))
monthly = continuous_training(months("monthly", "@monthly", 1))
idle = continuous_training(pipeline("idle", schedule="@daily"))
told = {
    "notifier": "own.file_notifier.FileNotifier",
    "params": {"message": "{{ taxiway.event }} {{ taxiway.span }}: {{ taxiway.reasons[0] }}"},
}
approved = continuous_training(
    pipeline("approved", approval={"timeout": "1d", "approvers": ["admin"]}),
    Team.model_validate({"team": "faults", "approval": "required", "notification": told}),
)
silent = continuous_training(pipeline("silent", approval={"timeout": "1s"}))
acted = continuous_training(pipeline("acted", approval={"approvers": ["admin"]}))
clicked = continuous_training(pipeline("clicked", approval="required"))
