"""`MonitorOperator` on a real MLflow: what a run records, whom it tells, and what it skips."""

import json
import re
import shutil
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cli.local_runs import NAME
from cli.logged_weeks import log_week
from mlflow import MlflowClient
from mlflow.artifacts import load_dict
from operators.monitored import monitored, recorded, task

from taxiway.errors import ConfigError
from taxiway.hooks import config
from taxiway.hooks.mlflow import MlflowHook
from taxiway.records.served import ServedPerformance


def test_an_alert_is_told_once_and_recorded(monitored_team: Path) -> None:
    log_week(0, 1000)
    found, events = monitored("quiet")
    assert (found["version"], found["window"], found["alert"], events) == (1, "2026-01-05", "", {})
    log_week(1, 1000, spread=0.1)
    found, events = monitored("worse")
    assert (found["window"], found["alert"]) == ("2026-01-12", "estimated")
    ((asset, told),) = events[f"{NAME}.alerts"]
    (extra,) = told["alerts"]
    assert asset == Asset(name=f"{NAME}.alerts", uri="taxiway://runner/small/alerts")
    assert (extra["version"], extra["first"], extra["kind"]) == (1, "2026-01-12", "estimated")
    first, *others = extra["messages"]
    assert first.startswith("the estimated roc_auc of version 1 is 0.")
    assert any(message.startswith("a: ") for message in others)
    assert monitored("again")[1] == {}
    log_week(2, 1000, flipped=True, labelled=1000)
    (later,) = monitored("labels")[1][f"{NAME}.alerts"][0][1]["alerts"]
    assert (later["first"], later["kind"]) == ("2026-01-19", "realised")
    notices = [json.loads(line) for line in (monitored_team / "told").read_text().splitlines()]
    assert [(each["event"], each["span"], each["version"]) for each in notices] == [
        ("ALERT", "2026-01-12", 1),
        ("ALERT", "2026-01-19", 1),
    ]
    assert notices[0]["reasons"] == extra["messages"]
    assert notices[0]["mlflow_url"].startswith("https://mlflow.example.com/")
    run = recorded("worse")
    assert (run.info.status, run.data.tags["taxiway.alert"], run.data.metrics["drifted"]) == ("FINISHED", "estimated", 1.0)
    steps = MlflowClient(MlflowHook().tracking_uri()).get_metric_history(run.info.run_id, "estimated_roc_auc")
    assert [each.step for each in steps] == [20260105, 20260112]
    content = load_dict(f"{run.info.artifact_uri}/monitor/monitor.json")
    assert [window["alert"] for window in content["windows"]] == ["", "estimated"]


def test_the_record_says_which_alerts_stand_and_when_the_last_requests_were(monitored_team: Path) -> None:
    log_week(0, 1000)
    log_week(1, 1000, flipped=True, labelled=1000, change=lambda cells: {"a": [*cells["a"][:-1], 1e6]})
    log_week(2, 1000, spread=0.1)

    def record() -> ServedPerformance:
        digest = monitored("run")[0]["record"]
        assert recorded("run").data.tags["taxiway.record.ServedPerformance"] == digest
        return config.open_store().get(ServedPerformance, digest)

    found = record()
    assert [(alert.kind, str(alert.first)) for alert in found.alerts] == [
        ("realised", "2026-01-12"),
        ("estimated", "2026-01-19"),
    ], "of the newest window with labels, and of the newest one"
    assert [window.anomalies for window in found.windows] == [0, 1, 0]
    assert {alert.version for alert in found.alerts} == {1}
    assert found.silent_since is not None
    assert date(2026, 1, 19) <= found.silent_since <= date(2026, 1, 25)
    assert [alert.digest for alert in record().alerts] == [alert.digest for alert in found.alerts], "a later run finds the same"


def test_an_audit_that_is_due_is_told_once_with_the_command_that_writes_its_rows(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
    audit = "windows: 366, audit: {target: 0.83, tolerance: 0.001, max_change: 0.001}"
    path.write_text(path.read_text().replace("windows: 366", audit))
    log_week(0, 1000)
    ((_, told),) = monitored("open")[1][f"{NAME}.alerts"]
    (extra,) = told["alerts"]
    assert extra["kind"] == "audit"
    *_, needed, command = extra["messages"]
    assert "label all of them, or use longer windows" in needed
    assert re.search(
        rf"taxiway audit {NAME}/1 --log log --every week --windows 366 --metric roc_auc --target 0.83 .* -o labels.csv$",
        command,
    )
    assert monitored("again")[1] == {}
    run = recorded("again")
    content = load_dict(f"{run.info.artifact_uri}/monitor/monitor.json")["audit"]
    assert (content["answer"], content["window"], content["target"]) == ("unknown", "2026-01-05", 0.83)
    log_week(1, 1000, labelled=1000)
    ((_, told),) = monitored("labels")[1][f"{NAME}.alerts"]
    assert [(each["kind"], each["first"]) for each in told["alerts"]] == [("audit", "2026-01-15")], "the labels leave it open"
    shutil.rmtree(monitored_team / "log" / "labels")
    assert monitored("old")[1] == {}
    content = load_dict(f"{recorded('old').info.artifact_uri}/monitor/monitor.json")["audit"]
    assert content["last_at"] == "2026-01-15", "an audit whose window is not read any more still counts"


def test_a_target_that_is_missed_is_told_once_for_each_audit(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
    audit = "windows: 366, audit: {target: 0.95, tolerance: 0.02, max_change: 0.0001}"
    path.write_text(path.read_text().replace("windows: 366", audit))
    log_week(0, 1000)
    ((_, told),) = monitored("evaluation")[1][f"{NAME}.alerts"]
    (extra,) = told["alerts"]
    assert extra["kind"] == "target"
    assert extra["messages"][1].startswith(
        "it misses the target, at least 0.95, with a tolerance of 0.02; the next audit is due on"
    )
    assert monitored("again")[1] == {}
    log_week(1, 1000, labelled=1000)
    ((_, told),) = monitored("labels")[1][f"{NAME}.alerts"]
    assert [(each["kind"], each["first"]) for each in told["alerts"]] == [("target", "2026-01-15")]


def test_a_pipeline_without_a_champion_is_skipped(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("pipeline: small", "pipeline: other"))
    with pytest.raises(AirflowSkipException, match=r"runner\.other has no champion yet, so there is nothing to monitor"):
        monitored("first")


def test_a_champion_without_requests_is_skipped_and_leaves_no_run(monitored_team: Path) -> None:
    with pytest.raises(AirflowSkipException, match="has no logged requests"):
        monitored("nothing")
    assert recorded("nothing") is None
    (monitored_team / "log").rmdir()
    with pytest.raises(AirflowFailException, match="log is not a folder"):
        monitored("no folder")
    assert recorded("no folder").info.status == "FAILED"


def test_a_comparison_that_fails_is_told(monitored_team: Path) -> None:
    (callback,) = task().on_failure_callback
    ti = SimpleNamespace(dag_id=f"{NAME}.monitor", task_id="monitor", run_id="one", try_number=1)
    callback({"ti": ti, "params": {}, "exception": ConfigError("the log is gone")})
    (told,) = map(json.loads, (monitored_team / "told").read_text().splitlines())
    assert (told["pipeline"], told["event"], told["reasons"]) == (f"{NAME}.monitor", "ERROR", ["ConfigError: the log is gone"])
