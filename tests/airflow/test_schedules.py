"""Runs that nobody starts by hand: by cron, by a backfill, by spans that arrive. Whole DAGs through a real Airflow."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import psutil
from conftest_airflow import Running, processes_of

from helping import until
from taxiway.records import Outcome, RunSummary
from taxiway.registry.aliases import CHAMPION, version_at

ARRIVALS, MONTHLY, IDLE = "faults.arrivals", "faults.monthly", "faults.idle"
BACKFILL = {"dag_id": MONTHLY, "from_date": "2013-03-01T00:00:00Z", "to_date": "2013-04-01T00:00:00Z"}


def runs(running: Running, dag: str) -> dict[str, dict[str, Any]]:
    return {run["dag_run_id"]: run for run in running.api._get(f"/dags/{dag}/dagRuns?limit=100")["dag_runs"]}


def read(running: Running, dag: str, run: str) -> dict[str, list[str]]:
    """The spans that a run has read by their names and versions, for what; MLflow returns them in any order."""
    found: dict[str, list[str]] = {"training": [], "evaluation": []}
    for given in running.mlflow_run(dag, run).inputs.dataset_inputs:
        tags = {tag.key: tag.value for tag in given.tags}
        found[tags["mlflow.data.context"]].append(f"{given.dataset.name} v{tags['taxiway.span_version']}")
    return {context: sorted(names) for context, names in found.items()}


@contextlib.contextmanager
def frozen_triggerer(running: Running) -> Iterator[None]:
    """The stack's triggerer stands still meanwhile; without it for good, the whole stack would end."""
    frozen = []
    try:
        for process in processes_of(running.stack.home.root, of="triggerer"):
            with contextlib.suppress(psutil.NoSuchProcess):  # one that was just started and has ended meanwhile
                process.suspend()
                frozen.append(process)
        assert frozen
        yield
    finally:
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def labels(found: Iterable[RunSummary]) -> list[str]:
    return [summary.span.label for summary in found]


def begin_early(running: Running) -> None:
    """Files lie there before anybody looks: then the backfill is ordered, and the three pipelines may run, side by side."""
    for month in range(1, 5):
        running.month("monthly", month)
    for month in (1, 2, 4, 5):
        running.month("arrivals", month)
    for dag in (IDLE, ARRIVALS, MONTHLY):
        until(lambda dag=dag: running.api._http.get(f"/dags/{dag}").is_success, f"Airflow has read {dag}")
    running.api._http.post("/backfills", json=BACKFILL).raise_for_status()
    for dag in (IDLE, MONTHLY, ARRIVALS):
        running.api.wait_for_dag(dag)
    # Airflow starts the watcher of a DAG when it reads its file anew.
    token = running.api._get(f"/dags/{ARRIVALS}")["file_token"]
    assert running.api._http.put(f"/parseDagFile/{token}").is_success


def test_a_scheduled_run_with_nothing_to_do_is_skipped_and_asks_nobody(running: Running) -> None:
    run, *_ = until(  # at the turn of a period, there are two
        lambda: [r for r in runs(running, IDLE).values() if r["state"] == "success"],
        "the schedule started a run",
        progress=lambda: running.states(IDLE),
    )
    assert run["run_type"] == "scheduled"
    states = {task.task: task.state for task in running.api.tasks(IDLE, run["dag_run_id"])}
    assert states.pop("close_run") == "success"
    assert set(states.values()) == {"skipped"}
    assert running.mlflow.get_experiment_by_name("faults/idle") is None


def test_an_unknown_key_in_a_runs_conf_fails_ingest_and_names_the_right_one(running: Running) -> None:
    run, tasks = running.run(IDLE, {"spn": "2"})
    assert (tasks["ingest"].state, tasks["close_run"].state) == ("failed", "success")
    log = running.api._get(f"/dags/{IDLE}/dagRuns/{run}/taskInstances/ingest/logs/1?full_content=true")
    assert 'did you mean \\"span\\"?' in json.dumps(log), log


def test_a_backfill_trains_as_of_each_month_and_the_schedule_goes_on_after_it(running: Running) -> None:
    found = running.wait_for_outcomes(MONTHLY, 3)
    assert labels(found) == ["2013-02 v1", "2013-03 v1", "2013-04 v1"]
    assert [summary.outcome for summary in found] == [Outcome.FIRST_CHAMPION, *[Outcome.PROMOTED] * 2]
    assert [summary.run[:20] for summary in found[:2]] == ["backfill__2013-03-01", "backfill__2013-04-01"]
    assert found[2].run.startswith("scheduled__")
    for month, summary in enumerate(found, start=2):
        expected = {"training": [f"2013-{month - 1:02} v1"], "evaluation": [f"2013-{month:02} v1"]}
        assert read(running, MONTHLY, summary.run) == expected
    assert found[0].started_by.startswith("backfill run")
    assert found[2].started_by.startswith("the schedule, for ")
    events = running.api._get(f"/assets/events?source_dag_id={MONTHLY}&limit=100")["asset_events"]
    assert {event["name"] for event in events} == {f"{MONTHLY}.champion"}
    assert sorted(event["extra"]["version"] for event in events) == [1, 2, 3]
    # Airflow would run them all at once: each has waited for the one before.
    ends = [until(lambda s=s: runs(running, MONTHLY)[s.run]["end_date"], "the run is over") for s in found]
    assert ends == sorted(ends)
    assert version_at(running.mlflow, MONTHLY, CHAMPION) == 3


def test_a_second_backfill_of_the_same_dates_runs_only_what_it_is_told_to(running: Running) -> None:
    running.wait_for_outcomes(MONTHLY, 3)
    for behavior, count in (("none", 0), ("failed", 0), ("completed", 2)):
        answer = running.api._http.post("/backfills/dry_run", json={**BACKFILL, "reprocess_behavior": behavior})
        assert answer.json()["total_entries"] == count, answer.text


def test_spans_that_arrive_are_decided_once_each_oldest_first_late_and_corrected_ones_too(running: Running) -> None:
    """A burst before anybody watched; then, while the triggerer stands still, a late span, a corrected one, and one that is only
    written again.
    """
    first = running.wait_for_outcomes(ARRIVALS, 2)
    assert labels(first) == ["2013-04 v1", "2013-05 v1"]
    assert [s.outcome for s in first] == [Outcome.FIRST_CHAMPION, Outcome.PROMOTED]
    assert {s.started_by for s in first} == {f"the asset {ARRIVALS}.spans was updated"}
    assert version_at(running.mlflow, ARRIVALS, CHAMPION) == 2

    with frozen_triggerer(running):
        running.month("arrivals", 2, 2, seed=22)  # never decided, with one month before it
        running.month("arrivals", 3)
        running.month("arrivals", 5, 2, seed=55)
        running.month("arrivals", 4)
    found = {s.span.label: s for s in running.wait_for_outcomes(ARRIVALS, 4)}
    assert [found[s.span.label] for s in first] == list(first), "what was decided stays decided"

    late, corrected = (found[label] for label in ("2013-03 v1", "2013-05 v2"))
    assert late.outcome is Outcome.REJECTED
    assert late.reasons == (
        "version 3 was trained on older data than the champion: its newest span is 2013-03 v1, the champion's is 2013-05 v1",
    )
    assert read(running, ARRIVALS, late.run) == {"training": ["2013-01 v1", "2013-02 v2"], "evaluation": ["2013-03 v1"]}
    assert "champion.roc_auc" not in running.mlflow_run(ARRIVALS, late.run).data.metrics

    assert corrected.outcome is Outcome.PROMOTED
    assert running.mlflow_run(ARRIVALS, corrected.run).data.tags["taxiway.span"] == "2013-05 v2"
    assert running.mlflow.get_model_version(ARRIVALS, "4").tags["taxiway.newest_span"] == "2013-05 v2"
    assert read(running, ARRIVALS, corrected.run) == {"training": ["2013-03 v1", "2013-04 v1"], "evaluation": ["2013-05 v2"]}
    # Versions are counted in the order in which they were trained: each span once, oldest first, by a run of its own.
    trained = sorted(found.values(), key=lambda s: s.version)
    assert [s.version for s in trained] == [1, 2, 3, 4]
    assert labels(trained) == ["2013-04 v1", "2013-05 v1", "2013-03 v1", "2013-05 v2"]
    assert len({s.run for s in trained}) == 4
    assert len(running.mlflow.search_model_versions(f"name='{ARRIVALS}'")) == 4
