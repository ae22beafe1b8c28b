"""A team's file and its own template, in a real Airflow: owner, pool, message, a task of its own between ours, other models."""

import asyncio
import json
import shutil
import time
from pathlib import Path

import httpx
import pytest
from conftest_airflow import Running

from taxiway.demo.airflow_api import TaskState
from taxiway.features.signature import ModelColumns
from taxiway.lineage.batches import batch_behind, batches_of
from taxiway.records import Outcome
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog

DAG, MONITOR, INCOME, SCORED = "own.small", "own.small.monitor", "census.income", "own.scored"
MONITORED = """
schedule: retrain
monitor: {log: "{data}/own/requests", schedule: null, window: day, retrain: {min_gain: 0.01, cooldown: 1s}}
"""
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "models"
DATA = Path(__file__).parents[3] / "shared" / "data"


def begin_early(running: Running) -> None:
    running.api._http.post("/pools", json={"name": "own", "slots": 2}).raise_for_status()
    for span in (1, 2, 3):
        running.write_small("own", span)
    pipeline = Path(running.environment["AIRFLOW__CORE__DAGS_FOLDER"]) / "own/small.pipeline.yaml"
    pipeline.write_text(pipeline.read_text() + MONITORED)
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


def test_a_champion_that_predicts_worse_is_told_and_trained_again(
    running: Running, ran: tuple[str, dict[str, TaskState]], tmp_path: Path
) -> None:
    assert ran[1]["push"].state == "success"
    requests = running.stack.home.data / "own/requests"
    requests.mkdir()
    tasks = running.run(MONITOR)[1]
    assert {name: task.state for name, task in tasks.items()} == {"monitor": "skipped"}
    asyncio.run(log_unsure_predictions(tmp_path, requests))
    running.write_small("own", 4)
    run, tasks = running.run(MONITOR)
    assert {name: task.state for name, task in tasks.items()} == {"monitor": "success"}
    events = running.api._get(f"/assets/events?source_dag_id={MONITOR}")["asset_events"]
    assert sorted(each["name"] for each in events) == ["own.small.alerts", "own.small.retrain"]
    event, again = sorted(events, key=lambda each: str(each["name"]))
    assert (event["name"], event["uri"], event["extra"]["alerts"][0]["kind"]) == (
        "own.small.alerts",
        "taxiway://own/small/alerts",
        "estimated",
    )
    (told,) = (line for line in (running.stack.home.data / "messages.txt").read_text().splitlines() if " ALERT " in line)
    assert event["extra"]["alerts"][0]["messages"][0] in told
    links = running.api._get(f"/dags/{MONITOR}/dagRuns/{run}/taskInstances/monitor/links")["extra_links"]
    assert links["MLflow run"] == told.split()[-1]
    address = f"{running.stack.url('airflow')}/taxiway/pipelines/{DAG}"
    page = httpx.get(address, headers={"Cookie": f"_token={running.token('admin')}"}, timeout=60).raise_for_status().text
    for words in ("roc_auc in production", ">worse<", "etrain: the estimated roc_auc 0.5"):
        assert words in page, words
    assert again["extra"]["message"].startswith("retrain: the estimated roc_auc 0.5")
    summary = running.wait_for_outcomes(DAG, 2)[-1]
    assert summary.span.name == "4"
    trained = running.mlflow_run(DAG, summary.run)
    assert json.loads(trained.data.tags["taxiway.retrained_for"])["kind"] == "performance"
    assert summary.retraining == again["extra"]["message"]


async def log_unsure_predictions(state: Path, folder: Path) -> None:
    """Requests of today, whose rows have any class with nearly the same probability."""
    log = RequestLog(state, keep_rows=10_000, keep_bytes=1 << 30)
    store_settings(state, RollSettings(folder=folder))
    log.versions.note(DAG, 1, LoggedVersion(ModelColumns(("a",), ("b",)), ("False", "True")))
    body = json.dumps({"dataframe_split": {"columns": ["a", "b"], "data": [[row / 500, "x"] for row in range(500)]}})
    now = time.time()
    answer = json.dumps([[0.501 - row / 250_000, 0.499 + row / 250_000] for row in range(500)])
    await log.add([LoggedRequest("r", now, DAG, body, "c", 1, 200, answer, "", 1.0, None, None, None)])
    log.close()
    roll(state, now + 1)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data in ../shared/data")
def test_the_example_with_xgboost_and_costs_becomes_a_champion(running: Running) -> None:
    (summary,) = running.wait_for_outcomes(INCOME, 1)
    assert summary.outcome == Outcome.FIRST_CHAMPION, summary
    assert (summary.version, summary.span.name) == (1, "1")
