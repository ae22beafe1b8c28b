"""The section `monitor` of a pipeline file: its DAG, its log, and its windows."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from cli.local_runs import NAME
from cli.logged_weeks import log_week
from operators.monitored import monitored, task

from taxiway.errors import ConfigError
from taxiway.spec.files.pipeline_file import read_pipeline_and_team
from taxiway.stages.monitor.windows.log_windows import oldest_day


def test_the_section_makes_a_dag_of_its_own(monitored_team: Path) -> None:
    dag = task().dag
    assert isinstance(dag, DAG)
    assert (dag.dag_id, dag.schedule, dag.tags) == (f"{NAME}.monitor", "@daily", {"taxiway-monitor", "runner"})
    path = monitored_team / "small.pipeline.yaml"
    text = path.read_text()
    for wrong, message in {
        "schedule: new_span": r"monitor.schedule is \"new_span\"; allowed: @daily, @hourly",
        "window: hour": "monitor.window",
        "windows: 0": "monitor.windows",
        "metric: rmse": "the metrics of gate are for classification",
        "metric: expected_calibration_error": "is larger for fewer rows",
        "metric: f1, rollback: {}": "a rollback is decided by the losses of single rows, and f1 has none; allowed with rollback: accuracy",
        "window: day, windows: 13, rollback: {}": "whole weeks after the promotion, .* windows of a day: at least 14",
        "window: week, windows: 1, rollback: {}": "windows of a week: at least 2",
        "window: month, windows: 1, rollback: {}": "windows of a month: at least 2",
        "rollback: {confidence: 1}": r"monitor\.rollback\.confidence",
        "rollback: {max_drop: -0.1}": r"monitor\.rollback\.max_drop",
        "retrain: {min_gain: 0, triggers: []}": "there is never a reason to train again",
        "retrain: {min_gain: 1}": "the metric cannot change by so much; allowed: less than 1, in its unit",
        "audit: {target: 62, tolerance: 0.1}": "monitor.audit.target is 62.*; allowed: 0 to 1, the values of the metric",
        "audit: {target: 0.6, tolerance: 5}": "monitor.audit.tolerance",
        "rollback: {max_drop: 5}": "monitor.rollback.max_drop",
        "retrain: {min_gain: 0, period: 0s}": "monitor.retrain.period",
        "audit: {target: 0.8, tolerance: 0}": "monitor.audit.tolerance",
        "audit: {target: 0.8, tolerance: 0.1, max_change: 0}": "monitor.audit.max_change",
        "retrain: {min_gain: 0, cooldown: 99999999999d}": "99999999999d is too long",
    }.items():
        path.write_text(text.replace("windows: 366", wrong))
        with pytest.raises(ConfigError, match=message):
            read_pipeline_and_team(path)


@pytest.mark.parametrize("log", ["s3://bucket/log", "{dat}/log", "{data}/{YYYY}", "' '"])
def test_a_log_that_cannot_be_a_folder_is_refused(monitored_team: Path, log: str) -> None:
    path = monitored_team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("log: log", f"log: {log if log.startswith(chr(39)) else repr(log)}"))
    with pytest.raises(ConfigError, match="a folder that the Airflow workers mount"):
        read_pipeline_and_team(path)


def test_data_on_a_url_is_no_place_for_a_log(monitored_team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = monitored_team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("log: log", "log: '{data}/log'"))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", "s3://bucket")
    with pytest.raises(AirflowFailException, match=r"monitor.log is s3://bucket/log; allowed: a folder"):
        monitored("url")
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", f"file://{monitored_team}")
    log_week(0, 1000)
    assert monitored("file")[0]["window"] == "2026-01-05"


@pytest.mark.parametrize(
    ("window", "windows", "first"),
    [
        ("day", 1, "2026-11-26"),
        ("day", 3, "2026-11-24"),
        ("week", 1, "2026-11-16"),
        ("week", 2, "2026-11-09"),
        ("month", 1, "2026-10-01"),
        ("month", 12, "2025-11-01"),
    ],
)
def test_a_run_compares_the_newest_windows_that_have_ended(window: Any, windows: int, first: str) -> None:
    assert str(oldest_day(date(2026, 11, 27), window, windows)) == first
