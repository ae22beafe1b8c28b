"""A task that runs after `close_run`, because it was cleared alone or is retried: it closes the MLflow run again."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from mlflow import MlflowClient

from taxiway.errors import DataError, TransientError
from taxiway.operators.base import StageOperator
from taxiway.records import Span
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.templates import continuous_training
from taxiway.tracking.run import MlflowRun

REPOSITORY = Path(__file__).parents[3]
PIPELINE = read_pipeline(REPOSITORY / "dags/flights/late_arrivals.pipeline.yaml").model_copy(
    update={"shadow": None, "gateway": None}
)
CLOSED = {"train": "success", "close_run": "success"}


@pytest.fixture
def client(mlflow_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": mlflow_url}))
    return MlflowClient(mlflow_url)


class Own(StageOperator[Span]):
    """A stage of a team, which does as the test says."""

    does: Callable[[], None]

    def run(self, *_: Any) -> Span:
        self.does()
        return Span(source="s", name="2013-04", rows=1, content="c")


def run_again(client: MlflowClient, run: str, states: dict[str, str | None], does: Callable[[], None]) -> str:
    """Run a task of a closed run again, in which the other tasks have these states; returns the status of the MLflow run."""
    mlflow_run = MlflowRun.find_or_make(client, PIPELINE.experiment, f"{PIPELINE.name}/{run}", {})
    mlflow_run.end("FINISHED")
    operator = Own(task_id="own", pipeline=PIPELINE, dag=continuous_training(PIPELINE))
    operator.does = does
    states_of_run = {run: {"own": "running", **states}}
    ti = SimpleNamespace(
        dag_id=PIPELINE.name, run_id=run, task_id="own", try_number=2, get_task_states=lambda **_: states_of_run
    )
    with contextlib.suppress(AirflowFailException, TransientError, AirflowSkipException, TaskDeferred):
        operator.execute(cast("Context", {"ti": ti}))
    return str(client.get_run(mlflow_run.run_id).info.status)


def test_a_task_that_is_cleared_alone_closes_the_run_again(client: MlflowClient) -> None:
    assert run_again(client, "alone", CLOSED, lambda: None) == "FINISHED"
    assert run_again(client, "beside", {**CLOSED, "train": "failed"}, lambda: None) == "FAILED"


@pytest.mark.parametrize("state", [None, "scheduled", "queued", "running", "up_for_retry"])
def test_a_run_whose_close_run_comes_later_stays_open(client: MlflowClient, state: str | None) -> None:
    assert run_again(client, f"with {state}", {**CLOSED, "close_run": state}, lambda: None) == "RUNNING"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("no rows"), "FAILED"),
        (TransientError("no answer"), "FAILED"),
        (AirflowSkipException("nothing to do"), "FINISHED"),
        (TaskDeferred(trigger=cast("Any", None), method_name="resume"), "RUNNING"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_a_task_that_fails_after_the_end_leaves_no_run_open(client: MlflowClient, error: BaseException, status: str) -> None:
    def fail() -> None:
        raise error

    assert run_again(client, type(error).__name__, CLOSED, fail) == status
