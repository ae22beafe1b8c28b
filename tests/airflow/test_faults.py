"""Whole DAGs through a real Airflow, while things are killed, refused and broken."""

import json
from urllib.parse import quote

import httpx
from conftest_airflow import Running

from helping import PATIENCE_S
from taxiway.ledger.entry import State
from taxiway.ledger.promotions import entries
from taxiway.lineage.outcomes import processed_spans, summaries
from taxiway.records import Outcome
from taxiway.registry.aliases import CHAMPION, version_at

STAGES = ("ingest", "validate_data", "transform", "train", "validate_model", "shadow", "push", "close_run")


def states(tasks: dict) -> dict[str, str]:
    return {name: tasks[name].state for name in STAGES}


def begin_early(running: Running) -> None:
    for name in ("killed", "cleared", "refused", "broken_stage", "truncated"):
        for span in (1, 2):
            path = running.write_small(name, span)
    path.write_bytes(path.read_bytes()[:-100])
    running.refusals.left.update({"mlflow": 1, "gateway": 1})
    for name in ("killed", "cleared", "refused", "broken_stage", "truncated"):
        running.begin(f"faults.{name}")


def test_kills_in_the_middle_and_retries_are_as_no_kill(running: Running) -> None:
    model = "faults.killed"
    run, tasks = running.run(model)
    for task in ("train", "push"):
        assert (running.stack.home.data / f"killed.{task}.killed").exists()
    assert states(tasks) == dict.fromkeys(STAGES, "success")
    assert len(running.mlflow.search_model_versions(f"name='{model}'")) == 1
    assert [e.state for e in entries(running.mlflow, model)] == [State.DONE]
    assert version_at(running.mlflow, model, CHAMPION) == 1
    assert running.mlflow_run(model, run).info.status == "FINISHED"
    assert [s.outcome for s in summaries(running.store, model)] == [Outcome.FIRST_CHAMPION]


def test_a_decided_span_is_not_taken_again_and_asked_for_by_name_nothing_is_done_twice(running: Running) -> None:
    """Runs after the kills: the span of `killed` is decided."""
    model = "faults.killed"
    (first,) = summaries(running.store, model)
    _, again = running.run(model)
    assert again["ingest"].state == "skipped"
    assert again["close_run"].state == "success"
    _, named = running.run(model, {"span": "2"})
    assert (named["train"].state, named["validate_model"].state, named["push"].state) == ("success", "skipped", "skipped")
    assert len(running.mlflow.search_model_versions(f"name='{model}'")) == 1
    assert len(entries(running.mlflow, model)) == 1
    assert summaries(running.store, model) == (first,), "the first run's reasons are kept"


def test_a_run_that_is_cleared_works_on_its_own_span_again(running: Running) -> None:
    dag = "faults.cleared"
    run, tasks_of_run = running.run(dag)
    asked = tasks_of_run["approval"].state, tasks_of_run["push"].state
    assert asked == ("success", "success"), "a version that could be compared needs no approval"
    running.write_small("cleared", 3)
    body = {"dry_run": False, "dag_run_id": run, "only_failed": False, "reset_dag_runs": True}
    running.api._http.post(f"/dags/{dag}/clearTaskInstances", json=body).raise_for_status()
    running.wait_for_end(dag, run)
    tasks = {task.task: task.state for task in running.api.tasks(dag, run)}
    assert (tasks["ingest"], tasks["train"], tasks["validate_model"]) == ("success", "success", "skipped")
    found = running.mlflow_run(dag, run)
    assert (found.info.status, found.data.tags["taxiway.span"]) == ("FINISHED", "2")
    assert [(s.span.name, s.outcome) for s in summaries(running.store, dag)] == [("2", Outcome.FIRST_CHAMPION)]
    assert len(entries(running.mlflow, dag)) == 1


def test_a_task_that_is_cleared_alone_closes_the_mlflow_run_again(running: Running) -> None:
    """Runs after the test above: the run of `cleared` is over, and Airflow does not run its teardown again."""
    dag = "faults.cleared"
    run = running.api._get(f"/dags/{dag}/dagRuns")["dag_runs"][0]["dag_run_id"]
    (closed,) = [task for task in running.api.tasks(dag, run) if task.task == "close_run"]
    body = {"dry_run": False, "dag_run_id": run, "only_failed": False, "reset_dag_runs": True, "task_ids": ["transform"]}
    running.api._http.post(f"/dags/{dag}/clearTaskInstances", json=body).raise_for_status()
    running.wait_for_end(dag, run)
    tasks = {task.task: task for task in running.api.tasks(dag, run)}
    assert (tasks["transform"].state, tasks["close_run"]) == ("success", closed)
    assert running.mlflow_run(dag, run).info.status == "FINISHED"


def test_refused_first_calls_are_tried_again(running: Running) -> None:
    run, tasks = running.run("faults.refused")
    assert states(tasks) == dict.fromkeys(STAGES, "success")
    assert max(running.refusals.left.values()) < 0
    assert running.mlflow_run("faults.refused", run).info.status == "FINISHED"
    status = httpx.get(
        f"{running.stack.url('gateway')}/models/faults.refused",
        headers={"Authorization": f"Bearer {running.stack.secrets.gateway_caller_token}"},
    ).json()
    assert status["champion"] == 1


def test_a_stage_that_fails_leaves_the_mlflow_run_failed_and_the_span_open(running: Running) -> None:
    run, tasks = running.run("faults.broken_stage")
    assert states(tasks)["validate_data"] == "failed"  # it asks which columns the model takes, and one is not there
    assert states(tasks)["push"] == "upstream_failed"
    assert states(tasks)["close_run"] == "success"
    assert running.api.run_state("faults.broken_stage", run) == "failed"
    assert running.mlflow_run("faults.broken_stage", run).info.status == "FAILED"
    assert processed_spans(running.store, "faults.broken_stage") == frozenset()


def test_a_truncated_file_stops_the_run_and_nothing_is_recorded_as_good(running: Running) -> None:
    run, tasks = running.run("faults.truncated")
    assert (tasks["ingest"].state, tasks["validate_data"].state) == ("failed", "upstream_failed")
    found = running.mlflow_run("faults.truncated", run)
    assert found.info.status == "FAILED"
    assert found.inputs.dataset_inputs == []
    assert processed_spans(running.store, "faults.truncated") == frozenset()
    page = httpx.get(
        f"{running.stack.url('airflow')}/taxiway/pipelines/faults.truncated/runs/{quote(run, safe='')}",
        headers={"Cookie": f"_token={running.token('viewer')}"},
        timeout=PATIENCE_S,
    ).raise_for_status()
    assert "ingest: failed" in page.text
    assert "corrupted or this is not a parquet file" in page.text


def test_a_broken_pipeline_file_is_its_own_import_error_and_breaks_nobody_else(running: Running) -> None:
    api = running.api
    api.wait_for_dag("flights.late_arrivals")
    errors = {e["filename"]: e["stack_trace"] for e in api._get("/importErrors")["import_errors"]}
    (broken,) = [name for name in errors if name.endswith("broken.py")]
    assert len(errors) == 1, errors
    assert 'broken.pipeline.yaml:8: gate.against_champion.metric is "auc"' in errors[broken]
    assert 'did you mean "roc_auc"?' in errors[broken]
    dags = {d["dag_id"]: d for d in api._get("/dags?exclude_stale=false&limit=100")["dags"]}
    assert not dags["flights.late_arrivals"]["is_stale"]
    assert not [name for name, dag in dags.items() if dag["is_stale"]]


def test_the_trigger_form_asks_for_span_and_model_parameters(running: Running) -> None:
    api = running.api
    api.wait_for_dag("flights.late_arrivals")
    params = api._get("/dags/flights.late_arrivals/details")["params"]
    assert params["span"]["schema"]["type"] == ["null", "string"]
    assert params["model_params"]["schema"]["type"] == "object"
    refused = api._http.post("/dags/flights.late_arrivals/dagRuns", json={"conf": {"model_params": 3}, "logical_date": None})
    assert refused.status_code == 400
    assert "model_params" in json.dumps(refused.json())
