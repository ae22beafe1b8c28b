"""What a task's log says of a skip or a failure: plain lines, before the exception."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException

from taxiway.errors import DataError, TransientError
from taxiway.operators.base import REASON_KEY, StageOperator
from taxiway.records import Span
from taxiway.spec.files.pipeline_file import read_pipeline

PUBLISHED: dict[str, str] = {}
LogOf = Callable[[BaseException, type[Exception]], list[tuple[str, str]]]
PIPELINE = read_pipeline(Path(__file__).parents[3] / "dags/flights/late_arrivals.pipeline.yaml")


class Own(StageOperator[Span]):
    """A stage that does as the test says, without a context of the stage."""

    does: Callable[[], None]

    def open(self, context: Context) -> Any:
        self.does()


@pytest.fixture
def log_of(capsys: pytest.CaptureFixture[str]) -> LogOf:
    def run(error: BaseException, raised: type[Exception]) -> list[tuple[str, str]]:
        def fail() -> None:
            raise error

        operator = Own(task_id="own", pipeline=PIPELINE)
        operator.does = fail
        ti = SimpleNamespace(try_number=1, xcom_push=PUBLISHED.__setitem__)
        with pytest.raises(raised):
            operator.execute(cast("Context", {"ti": ti}))
        printed = re.findall(r"^\S+ \[(\w+) *\] (.*?) +\[airflow\.task", capsys.readouterr().out, re.M)
        return [(level, text) for level, text in printed if "outside of the Task Runner" not in text]

    return run


def test_each_fact_of_a_refusal_is_a_line(log_of: LogOf) -> None:
    lines = log_of(DataError("the data is wrong:\n- one\n- two"), AirflowFailException)
    assert lines == [("error", line) for line in ("the data is wrong:", "- one", "- two")]


def test_a_skip_says_why_in_the_log_of_the_task(log_of: LogOf) -> None:
    lines = log_of(AirflowSkipException("nothing to do: trigger the DAG with the parameter span"), AirflowSkipException)
    assert lines == [("info", "Skipped: nothing to do: trigger the DAG with the parameter span")]


def test_a_missing_connection_is_not_retried_and_says_where_it_is_added(log_of: LogOf) -> None:
    lines = log_of(AirflowNotFoundException("The conn_id `mlflow_default` isn't defined"), AirflowFailException)
    assert lines == [("error", "The conn_id `mlflow_default` isn't defined; add it in Airflow under Admin, Connections")]


def test_the_runs_page_is_told_why_without_passwords(log_of: LogOf) -> None:
    log_of(DataError("wrong:\n- one"), AirflowFailException)
    assert PUBLISHED == {REASON_KEY: "wrong:\n- one"}
    log_of(RuntimeError("http://ann:secret@host is down " + "!" * 10_000), RuntimeError)
    assert PUBLISHED[REASON_KEY].startswith("RuntimeError: http://host is down")
    assert len(PUBLISHED[REASON_KEY]) == 4000


def test_an_outage_is_left_to_retries(log_of: LogOf) -> None:
    assert log_of(TransientError("MLflow does not answer"), TransientError) == []


def test_code_that_ends_the_process_fails_the_task(log_of: LogOf) -> None:
    """Airflow would take the end of the process with code 0 for a success."""
    (line,) = log_of(SystemExit(0), AirflowFailException)
    assert line[1].startswith("code that the pipeline runs wanted to end the process (SystemExit: 0)")
    operator = Own(task_id="own", pipeline=PIPELINE)

    def leave() -> None:
        assert os._exit.__module__ != "posix"
        os._exit(0)

    operator.does = leave
    ti = SimpleNamespace(try_number=1, xcom_push=PUBLISHED.__setitem__)
    with pytest.raises(AirflowFailException, match=r"SystemExit: os\._exit\(0\)"):
        operator.execute(cast("Context", {"ti": ti}))
    assert os._exit.__module__ == "posix"
