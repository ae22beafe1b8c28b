"""A second team on the same way: a number to estimate, its parameters searched in mapped tasks, run by Airflow."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest_airflow import Running

from helping import PATIENCE_S
from taxiway.demo.airflow_api import TaskState
from taxiway.demo.bikes import lay_out_rentals, rentals_by_month
from taxiway.lineage.outcomes import summaries
from taxiway.records import Candidate, Outcome, Snapshot, SweepReport

PIPELINE = "bikes.hourly_rentals"


def begin_early(running: Running) -> None:
    lay_out_rentals(running.stack.home.data / "bikes")
    running.begin(PIPELINE)


@pytest.fixture(scope="module")
def first(running: Running) -> Iterator[tuple[str, list[TaskState]]]:
    """The first run: its id and all of its task instances."""
    run, _ = running.run(PIPELINE)
    yield run, running.api.tasks(PIPELINE, run)


def recorded(running: Running, run: str, kind: Any) -> Any:
    tags = running.mlflow_run(PIPELINE, run).data.tags
    return running.store.get(kind, tags[f"taxiway.record.{kind.__name__}"])


def test_half_a_year_of_rentals_makes_a_first_champion(running: Running, first: tuple[str, list[TaskState]]) -> None:
    (summary,) = summaries(running.store, PIPELINE)
    assert (summary.span.name, summary.outcome, summary.version) == ("2012-02", Outcome.FIRST_CHAMPION, 1)
    assert any(re.match(r"r2 0\.[89]\d* \(692 rows, 99% CI", reason) for reason in summary.reasons)
    assert any(reason.startswith("mae ") and reason.endswith("below the threshold 80") for reason in summary.reasons)


def test_trials_run_in_mapped_tasks_that_are_named_by_their_parameters(
    running: Running, first: tuple[str, list[TaskState]]
) -> None:
    trials = [task for task in first[1] if task.task == "trials"]
    assert [task.state for task in trials] == ["success"] * 2
    for task in trials:
        assert task.part.count("learning_rate=") >= 2
        assert "min_samples_leaf=" in task.part


def test_each_trial_is_a_nested_run_that_read_the_training_window_alone(
    running: Running, first: tuple[str, list[TaskState]]
) -> None:
    parent = running.mlflow_run(PIPELINE, first[0])
    children = running.mlflow.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    snapshot = recorded(running, first[0], Snapshot)
    assert len(children) == 8
    for child in children:
        assert child.info.status == "FINISHED"
        assert float(child.data.params["model.learning_rate"]) > 0
        assert child.data.params["model.loss"] == "poisson"
        assert 0 < child.data.metrics["tuning.mae"] < 200
        assert {read.dataset.digest for read in child.inputs.dataset_inputs} == {span.content for span in snapshot.training}


def test_the_best_trials_parameters_are_those_of_the_model(running: Running, first: tuple[str, list[TaskState]]) -> None:
    candidate, report = recorded(running, first[0], Candidate), recorded(running, first[0], SweepReport)
    scores = [trial.score for trial in report.trials]
    assert len(scores) == 8
    assert scores == sorted(scores)
    assert candidate.sweep == report.digest
    assert json.loads(candidate.params) == {"loss": "poisson", **json.loads(report.best.params)}


def test_the_gateway_answers_with_numbers(running: Running, first: tuple[str, list[TaskState]]) -> None:
    rows = rentals_by_month()["2012-06"].head(3)
    answer = httpx.post(
        f"{running.stack.url('gateway')}/models/{PIPELINE}/invocations",
        json={"dataframe_records": json.loads(rows.to_json(orient="records"))},
        headers={"Authorization": f"Bearer {running.stack.secrets.gateway_caller_token}"},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 200, answer.text
    for estimate, rentals in zip(answer.json()["predictions"], rows["cnt"], strict=True):
        assert isinstance(estimate, float)
        assert abs(estimate - rentals) < 150
