"""The page of a run that Airflow does not have is made of its MLflow run and the store."""

import json
from dataclasses import replace

import pytest
from mlflow import MlflowClient
from ui.hostile_pages import seen
from ui.hostile_records import hostile_records

from flaky import in_front_of
from taxiway.lineage.run_records import RunRecords
from taxiway.records import Status
from taxiway.tracking.run import MlflowRun
from taxiway_ui.render import page
from taxiway_ui.runs.marks import Mark, stages
from taxiway_ui.runs.outside import find_outside, states_of, verdicts_outside
from taxiway_ui.views import RunPage

DAG, RUN = "outside.late", "local__2026-01-02T03:04:05.678901+00:00"


def test_a_run_of_the_command_is_found_by_its_name(mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": mlflow_url}))
    assert find_outside(DAG, RUN) is None
    made = MlflowRun.find_or_make(MlflowClient(mlflow_url), "outside/late", f"{DAG}/{RUN}", {})
    report = hostile_records().report
    assert report is not None
    made.record(report)
    made.end("FAILED")
    found = find_outside(DAG, RUN)
    assert found is not None
    assert (found.in_airflow, found.state, found.mlflow_url) == (False, "failed", made.url)
    assert [ref.digest for ref in found.refs] == [report.digest]
    assert find_outside(DAG, f"x' OR tags.`taxiway.dag_run` = '{DAG}/{RUN}") is None


def test_the_verdicts_of_runs_of_the_command_are_found_in_two_requests(
    mlflow_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that promoted nothing, and when they began, so that the chart has their points and the rollbacks between them."""
    asked: list[str] = []

    def count(_: int, __: str, path: str) -> str:
        asked.append(path.partition("?")[0])
        return "pass"

    verdict = hostile_records().verdict
    assert verdict is not None
    client = MlflowClient(mlflow_url)
    made = [MlflowRun.find_or_make(client, "outside/judged", f"outside.judged/r{number}", {}) for number in range(3)]
    for run in made[:2]:
        run.record(verdict)
    with in_front_of(mlflow_url, count) as counted:
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": counted}))
        found = verdicts_outside("outside.judged", {run.run_id: f"r{number}" for number, run in enumerate(made)})
        assert len(asked) == 2
        assert verdicts_outside("outside.judged", {"x') OR ('": "r"}) == {}
        assert len(asked) == 2, "nothing to ask for"
    assert {run: made.ref.digest for run, made in found.items()} == {"r0": verdict.digest, "r1": verdict.digest}
    assert found["r0"].at <= found["r1"].at


def test_its_stages_are_those_that_have_made_a_record() -> None:
    records = hostile_records()
    assert records.verdict is not None
    run = replace(seen({}), tasks=states_of(records), in_airflow=False)
    marks = {stage.name: stage.mark for stage in stages(run, records)}
    assert (marks["ingest"], marks["validate_model"], marks["push"]) == (Mark.DONE, Mark.STOPPED, Mark.DONE)
    html = page("run.html", view=RunPage(run, records, ()), here="/taxiway", airflow="")
    assert "Airflow does not have this run" in html
    assert "DAG run</a>" not in html
    blocked = RunRecords(report=records.report)
    assert records.report is not None
    assert records.report.status is Status.FAIL
    assert states_of(blocked) == {"validate_data": "failed"}
