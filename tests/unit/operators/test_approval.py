"""A person's answer in Airflow, if MLflow does not answer at that moment: it is kept until it is in the ledger."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from ledger.entries import KEYS, verdict
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, REQUEST_LIMIT_EXCEEDED, RESOURCE_DOES_NOT_EXIST

from taxiway.errors import TransientError
from taxiway.hooks import outages
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.operators.approval import ApprovalOperator
from taxiway.records import DecisionKind, Verdict
from taxiway.spec.approval import APPROVE, REJECT, Approval
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.store import Store
from taxiway.tracking.local import local_mlflow

FILE = Path(__file__).parents[3] / "dags/flights/late_arrivals.pipeline.yaml"
PIPELINE = read_pipeline(FILE).model_copy(update={"approval": Approval()})
TASK = SimpleNamespace(dag_id=PIPELINE.name, run_id="r", try_number=1, xcom_push=lambda *_: None)


class Outage:
    """Airflow's connection to MLflow, at which no server listens until the task has waited some times."""

    def __init__(self, mlflow: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: list[float] = []
        self.ends_after = 3
        self._mlflow, self._environment = mlflow, monkeypatch
        self._connect("http://127.0.0.1:9")
        monkeypatch.setattr(outages, "time", SimpleNamespace(sleep=self._wait, monotonic=lambda: sum(self.waits)))

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self.ends_after:
            self._connect(self._mlflow)

    def _connect(self, host: str) -> None:
        self._environment.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": host}))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[MlflowClient]:
    with local_mlflow(tmp_path / "home") as made:
        yield made


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    """A verdict in the store of the tasks."""
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path / "store"))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__LEDGER_KEYS", KEYS.text)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    made = verdict(PIPELINE.name, 2, 1)
    Store(str(tmp_path / "store")).put(made)
    return made


@pytest.fixture
def outage(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(client.tracking_uri, monkeypatch)


def answer(judged: Verdict, choice: str) -> Any:
    """What the task returns after a person has answered."""
    verdict_of_task: Any = {"record": "Verdict", "digest": judged.digest}
    task = ApprovalOperator(task_id="approval", pipeline=PIPELINE, verdict=verdict_of_task, shadow=verdict_of_task)
    event = {
        "chosen_options": [choice],
        "params_input": {"reason": "looked at it"},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "ann"},
    }
    return task.execute_complete(cast("Context", {"ti": TASK}), event)


def test_an_answer_is_kept_until_mlflow_answers(judged: Verdict, outage: Outage, client: MlflowClient) -> None:
    returned = answer(judged, APPROVE)
    assert len(outage.waits) == 3
    (made,) = decisions(Ledger(client, KEYS), about=judged.digest)
    assert (made.kind, made.by, made.reason) == (DecisionKind.APPROVAL, "ann", "looked at it")
    assert returned == {"record": "Decision", "digest": made.digest}


def test_a_rejection_that_had_to_wait_fails_the_task_for_good(judged: Verdict, outage: Outage, client: MlflowClient) -> None:
    with pytest.raises(AirflowFailException, match="is not pushed: rejected by ann: looked at it"):
        answer(judged, REJECT)
    assert len(outage.waits) == 3
    assert [made.kind for made in decisions(Ledger(client, KEYS), about=judged.digest)] == [DecisionKind.REJECTION]


def test_an_outage_of_many_hours_is_left_to_retries(judged: Verdict, outage: Outage) -> None:
    outage.ends_after = 1_000_000
    with pytest.raises(MlflowException, match=r"127\.0\.0\.1"):
        answer(judged, APPROVE)
    assert 5.9 * 3600 < sum(outage.waits) <= 6 * 3600


def test_what_waiting_cannot_fix_is_not_waited_for(judged: Verdict, outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MLFLOW_DEFAULT")
    with pytest.raises(AirflowFailException, match="mlflow_default"):
        answer(judged, APPROVE)
    assert outage.waits == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MlflowException("the request failed"), True),
        (MlflowException("busy", error_code=REQUEST_LIMIT_EXCEEDED), True),
        (MlflowException("who are you?", error_code=PERMISSION_DENIED), False),
        (MlflowException("no such run", error_code=RESOURCE_DOES_NOT_EXIST), False),
        (ConnectionResetError(), True),
        (PermissionError(), False),
        (FileNotFoundError(), False),
        (TransientError("busy"), True),
        (TypeError(), False),
    ],
)
def test_only_outages_are_waited_for(error: Exception, expected: bool) -> None:
    assert outages._is_outage(error) is expected
