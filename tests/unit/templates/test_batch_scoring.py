"""The DAG of a scoring file: its schedule, its asset, and a DAG file that costs little to import."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, AssetOrTimeSchedule
from airflow.sdk.exceptions import AirflowFailException

from taxiway.hooks.config import open_store
from taxiway.store import SpanIndex
from taxiway.templates import load_scoring
from taxiway.triggers.new_span import NewSpanTrigger

REPOSITORY = Path(__file__).parents[3]
EXAMPLES = REPOSITORY / "docs/examples/scoring"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", str(tmp_path))
    for path in (*EXAMPLES.iterdir(), REPOSITORY / "dags/flights/late_arrivals.schema.yaml"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    return tmp_path


def scheduled(folder: Path, schedule: str) -> DAG:
    path = folder / "arrivals_scored.scoring.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("schedule")]
    path.write_text("\n".join([*lines, f"schedule: {schedule}" if schedule else ""]))
    return load_scoring(str(folder / "arrivals_scored.py"))


def test_a_dag_file_imports_nothing_heavy(folder: Path) -> None:
    code = """
import sys, json
import airflow.sdk
before = set(sys.modules)
import arrivals_scored
assert arrivals_scored.dag.dag_id == "flights.arrivals_scored"
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder).stdout
    heavy = {"mlflow", "sklearn", "pandas", "pyarrow", "duckdb", "numpy", "polars", "great_expectations"}
    assert not heavy & set(json.loads(shown.strip().splitlines()[-1]))


def test_the_examples_make_dags(folder: Path) -> None:
    assert load_scoring(str(folder / "arrivals_scored.py")).task_ids == ["predict"]
    made = runpy.run_path(str(folder / "in_own_dag.py"))["dag"]
    assert made.task_ids == ["files", "query"]


def test_a_new_span_starts_a_run_by_the_spans_that_the_task_has_not_scored(folder: Path) -> None:
    dag = scheduled(folder, "new_span")
    (asset,) = dag.schedule
    assert asset.name == "flights.arrivals_scored.spans"
    (watcher,) = asset.watchers
    _, arguments = watcher.trigger.serialize()
    assert arguments["pipeline"] == "scored/flights.arrivals_scored.predict"
    assert f"{folder}/flights/{{YYYY}}-{{MM}}.parquet" in arguments["source"]
    assert dag.max_active_runs == 1


def test_the_trigger_waits_for_a_span_that_the_task_has_not_scored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(folder / "store"))
    (asset,) = scheduled(folder, "new_span").schedule
    _, arguments = asset.watchers[0].trigger.serialize()
    trigger = NewSpanTrigger(**arguments)
    assert trigger.due() is None
    (folder / "flights").mkdir()
    for month in (1, 2):
        (folder / f"flights/2013-0{month}.parquet").write_text("only its name is read")
    assert trigger.due() == ("2013-01", 0)
    SpanIndex(open_store(), f"decided/{arguments['pipeline']}").add("2013-01", 0, "run")
    assert trigger.due() == ("2013-02", 0)


TOLD: list[dict[str, Any]] = []


class Notifier:
    """Keeps what it is told."""

    def __call__(self, context: Any) -> None:
        TOLD.append(context["taxiway"])


def test_a_run_that_fails_is_told_to_the_team(folder: Path) -> None:
    assert load_scoring(str(folder / "arrivals_scored.py")).get_task("predict").on_failure_callback in (None, [])
    (folder / "team.yaml").write_text(f"team: flights\nnotification: {{notifier: {__name__}.Notifier}}\n")
    callback = load_scoring(str(folder / "arrivals_scored.py")).get_task("predict").on_failure_callback
    (call,) = [callback] if callable(callback) else callback
    context = {"ti": SimpleNamespace(dag_id="flights.arrivals_scored", run_id="r1"), "params": {"span": None}}
    call({**context, "exception": AirflowFailException("the rows did not pass: 3 errors")})
    call(context)
    first, second = TOLD
    assert (first["pipeline"], first["event"], first["airflow_url"][-8:]) == ("flights.arrivals_scored", "ERROR", "/runs/r1")
    assert first["reasons"] == ["AirflowFailException: the rows did not pass: 3 errors"]
    assert second["reasons"] == ["the task failed; see its log"]


def test_the_other_schedules(folder: Path) -> None:
    assert scheduled(folder, "").schedule is None
    assert scheduled(folder, '"@daily"').schedule == "@daily"
    (asset,) = scheduled(folder, "{asset: others.scored.predictions}").schedule
    assert asset.name == "others.scored.predictions"
    assert not isinstance(scheduled(folder, '"0 3 * * *"').schedule, AssetOrTimeSchedule)
