"""A team's file and its own template, in a real Airflow: owner, pool, message, a task of its own between ours, other models."""

import shutil
from pathlib import Path

import pytest
from conftest_airflow import Running

from taxiway.demo.airflow_api import TaskState
from taxiway.lineage.batches import batch_behind, batches_of
from taxiway.records import Outcome

DAG, INCOME, SCORED = "own.small", "census.income", "own.scored"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "models"
DATA = Path(__file__).parents[3] / "shared" / "data"


def begin_early(running: Running) -> None:
    running.api._http.post("/pools", json={"name": "own", "slots": 2}).raise_for_status()
    for span in (1, 2, 3):
        running.write_small("own", span)
    running.begin(DAG)
    if not DATA.is_dir():
        return
    shutil.copy(DATA / "adult.csv.gz", running.stack.home.data)
    team = Path(running.environment["AIRFLOW__CORE__DAGS_FOLDER"]) / "census"
    shutil.copytree(
        EXAMPLES, team, ignore=lambda _, names: [n for n in names if n.split(".")[0] not in ("income", "own_metrics")]
    )
    running.begin(INCOME)


@pytest.fixture(scope="module")
def ran(running: Running) -> tuple[str, dict[str, TaskState]]:
    """One run of the team's pipeline to its first champion, and one over a broken file."""
    run = running.run(DAG)
    running.write_small("own", 4).write_bytes(b"PAR1 and no more")
    running.run(DAG)
    return run


def test_a_task_of_the_teams_own_runs_between_the_gate_and_the_shadow(
    running: Running, ran: tuple[str, dict[str, TaskState]]
) -> None:
    tasks = ran[1]
    assert {task.state for task in tasks.values()} == {"success"}
    gate, card, shadow = (tasks[name] for name in ("validate_model", "write_card", "shadow"))
    assert gate.ended is not None
    assert card.started is not None
    assert card.ended is not None
    assert shadow.started is not None
    assert gate.ended <= card.started < card.ended <= shadow.started
    text = (running.stack.home.data / "cards" / "own.small-1.md").read_text()
    assert text.startswith("# own.small, version 1\n\n* the data passed validation: ")


def test_all_tasks_are_in_the_teams_pool_and_the_owner_is_shown(
    running: Running, ran: tuple[str, dict[str, TaskState]]
) -> None:
    found = running.api._get(f"/dags/{DAG}/dagRuns/{ran[0]}/taskInstances")["task_instances"]
    assert {t["pool"] for t in found if t["task_id"] != "write_card"} == {"own"}
    assert "Ann and Bob" in running.api._get(f"/dags/{DAG}")["owners"]


def test_the_team_is_told_what_a_run_came_to_with_its_reasons(running: Running, ran: tuple[str, dict[str, TaskState]]) -> None:
    told = (running.stack.home.data / "messages.txt").read_text().splitlines()
    first, broken = (line for line in told if line.startswith("own.small "))  # others are told of other pipelines
    assert first.startswith("own.small FIRST_CHAMPION on 3: the data passed validation: ")
    assert first.endswith(f"/runs/{running.mlflow_run(DAG, ran[0]).info.run_id}")
    assert broken.startswith("own.small ERROR on : a task failed before anything was decided")


def test_the_champion_scores_a_span_and_the_asset_names_the_predictions(
    running: Running, ran: tuple[str, dict[str, TaskState]]
) -> None:
    run, tasks = running.run(SCORED)
    assert {name: task.state for name, task in tasks.items()} == {"predict": "success"}
    (batch,) = batches_of(running.mlflow, DAG)
    assert (batch.span, batch.rows, batch.validation, batch.status) == ("1", 2000, "PASS", "FINISHED")
    assert batch.airflow_url.endswith(f"/dags/{SCORED}/runs/{run}")
    assert batch_behind(running.mlflow, next(Path(batch.folder).glob("part-*"))).mlflow_run == batch.mlflow_run
    (event,) = running.api._get(f"/assets/events?source_dag_id={SCORED}")["asset_events"]
    assert (event["extra"]["folder"], event["extra"]["mlflow_run"]) == (batch.folder, batch.mlflow_run)
    links = running.api._get(f"/dags/{SCORED}/dagRuns/{run}/taskInstances/predict/links")["extra_links"]
    assert links["MLflow run"].endswith(f"/runs/{batch.mlflow_run}")


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data in ../shared/data")
def test_the_example_with_xgboost_and_costs_becomes_a_champion(running: Running) -> None:
    (summary,) = running.wait_for_outcomes(INCOME, 1)
    assert summary.outcome == Outcome.FIRST_CHAMPION, summary
    assert (summary.version, summary.span.name) == (1, "1")
