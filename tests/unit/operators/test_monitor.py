"""`MonitorOperator` and its DAG, on a real MLflow: what a run records, whom it tells, and what it skips."""

import json
import re
import shutil
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, Asset, AssetAlias, BaseNotifier, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cli.local_runs import NAME
from cli.logged_weeks import log_week
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, load_dict

from taxiway.errors import ConfigError
from taxiway.hooks import config
from taxiway.hooks.mlflow import MlflowHook
from taxiway.lineage.monitoring import EXPERIMENT
from taxiway.operators import MonitorOperator
from taxiway.records.served import ServedPerformance
from taxiway.spec.files.pipeline_file import read_pipeline_and_team
from taxiway.stages.monitor.retraining import decision
from taxiway.stages.monitor.windows.log_windows import oldest_day
from taxiway.templates.monitoring import monitoring

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SECTION = """
monitor: {log: log, windows: 366}
"""
TEAM = """
team: runner
notification: {notifier: operators.test_monitor.Board}
"""


class Board(BaseNotifier):
    """Keeps what it is told, a line each: Airflow imports it anew."""

    def notify(self, context: Context) -> None:
        with Path("told").open("a") as file:
            file.write(json.dumps(cast("Any", context)["taxiway"]) + "\n")


class Events(dict[Any, Any]):
    """The events that a task adds to its outlets, as Airflow gives them to it."""

    def __missing__(self, alias: AssetAlias) -> SimpleNamespace:
        return SimpleNamespace(add=lambda asset, extra: self.setdefault(asset.name, []).append((asset, extra)))


def task() -> MonitorOperator:
    pipeline, team = read_pipeline_and_team(Path("small.pipeline.yaml"))
    assert pipeline.monitor is not None
    made = monitoring(pipeline, pipeline.monitor, team).get_task("monitor")
    assert isinstance(made, MonitorOperator)
    return made


def monitored(run: str) -> tuple[dict[str, Any], Events]:
    operator, events = task(), Events()
    ti = SimpleNamespace(
        dag_id=operator.dag.dag_id, task_id="monitor", run_id=run, try_number=1, xcom_push=lambda *_, **__: None
    )
    return operator.execute(cast("Context", {"ti": ti, "outlet_events": events, "params": {}})), events


def recorded(run: str) -> Any:
    client = MlflowHook().get_conn()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.`airflow.run_id` = '{run}'")
    return found[0] if found else None


@pytest.fixture
def team(small_team: Path) -> Path:
    path = small_team / "small.pipeline.yaml"
    path.write_text(path.read_text() + SECTION)
    (small_team / "team.yaml").write_text(TEAM)
    (small_team / "log").mkdir()
    return small_team


def test_an_alert_is_told_once_and_recorded(team: Path) -> None:
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
    notices = [json.loads(line) for line in (team / "told").read_text().splitlines()]
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


def test_the_record_says_which_alerts_stand_and_when_the_last_requests_were(team: Path) -> None:
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


def test_anomalies_of_the_inputs_are_told(team: Path) -> None:
    log_week(0, 500, change=lambda cells: {"a": [*cells["a"][:-1], 1e6]})
    found, events = monitored("anomaly")
    assert found["alert"] == ""
    ((_, told),) = events[f"{NAME}.alerts"]
    (extra,) = told["alerts"]
    assert extra["kind"] == "data"
    assert extra["messages"][0].startswith(f"a in the requests of {NAME} version 1 is outside -100 to 100")
    assert recorded("anomaly").data.metrics["anomalies"] == 1
    assert monitored("again")[1] == {}


def test_an_audit_that_is_due_is_told_once_with_the_command_that_writes_its_rows(team: Path) -> None:
    path = team / "small.pipeline.yaml"
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
    shutil.rmtree(team / "log" / "labels")
    assert monitored("old")[1] == {}
    content = load_dict(f"{recorded('old').info.artifact_uri}/monitor/monitor.json")["audit"]
    assert content["last_at"] == "2026-01-15", "an audit whose window is not read any more still counts"


def test_a_target_that_is_missed_is_told_once_for_each_audit(team: Path) -> None:
    path = team / "small.pipeline.yaml"
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


def test_labels_that_do_not_come_and_new_drift_are_told_if_the_pipeline_asks(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    text = path.read_text()
    path.write_text(text.replace("windows: 366", "windows: 366, labels_after: 7d, alerts: [labels, drift]"))
    log_week(0, 1000, labelled=1000)
    assert monitored("quiet")[1] == {}
    log_week(1, 1000, spread=0.1, labelled=20)
    found, events = monitored("late")
    ((_, told),) = events[f"{NAME}.alerts"]
    assert [(each["kind"], each["first"]) for each in told["alerts"]] == [("drift", "2026-01-12"), ("labels", "2026-01-12")]
    assert found["alert"] == "estimated", "it is not told, but found"
    assert told["alerts"][1]["messages"] == [
        "labels are late: 20 of 1,000 rows from 2026-01-12 have one, and all were expected by 2026-01-26"
    ]
    record = config.open_store().get(ServedPerformance, found["record"])
    assert [alert.kind for alert in record.alerts] == ["labels", "drift"]
    assert [str(window.labels_due) for window in record.windows] == ["2026-01-19", "2026-01-26"]
    assert monitored("again")[1] == {}
    path.write_text(text.replace("windows: 366", "windows: 366, labels_after: 10000d"))
    assert monitored("early")[1][f"{NAME}.alerts"][0][1]["alerts"][0]["kind"] == "estimated", "labels are not late yet"


CHECKS = """
def short_rows(rows, evaluation):
    assert set(evaluation.columns) == {"a", "b"}
    asked = rows[rows["a"] > evaluation["a"].max() + 1]
    return [f"{len(asked)} rows are {len(asked) / len(rows):.1%}, as of {asked['served.request_id'].iloc[0]}"] if len(asked) else []

def broken(rows, evaluation):
    raise KeyError("nothing")

def wrong(rows, evaluation):
    return "a text"

def one(rows):
    return []

def exits(rows, evaluation):
    raise SystemExit(0)
"""


def test_checks_of_the_teams_own_are_told(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    text = path.read_text()
    (team / "own_checks.py").write_text(CHECKS)
    path.write_text(text.replace("windows: 366", "windows: 366, checks: [own_checks.py:short_rows]"))
    log_week(0, 500)
    assert monitored("quiet")[1] == {}
    log_week(1, 500, change=lambda cells: {"a": [*cells["a"][:-2], 50.0, 60.0]})
    ((_, told),) = monitored("found")[1][f"{NAME}.alerts"]
    (extra,) = told["alerts"]
    assert (extra["first"], extra["kind"]) == ("2026-01-12", "check")
    assert extra["messages"][0] == "own_checks.py:short_rows: 2 rows are 0.4%, as of week-1"
    assert recorded("found").data.metrics["findings"] == 1
    names = ("broken", "wrong", "one", "none", "exits")
    path.write_text(
        text.replace("windows: 366", f"windows: 366, checks: [{', '.join(f'own_checks.py:{name}' for name in names)}]")
    )
    log_week(2, 500)
    (found,) = [each for each in monitored("faults")[1][f"{NAME}.alerts"][0][1]["alerts"] if each["first"] == "2026-01-19"]
    for message, expected in zip(
        found["messages"],
        [
            "own_checks.py:broken raised KeyError: 'nothing'",
            "own_checks.py:wrong returned 'a text'; allowed: a list of what it found",
            "own_checks.py:one cannot be called with (rows, evaluation)",
            "none",
            "own_checks.py:exits raised SystemExit",
        ],
        strict=False,
    ):
        assert expected in message


def test_the_example_of_the_guide_finds_unusual_rows(team: Path) -> None:
    path, example = team / "small.pipeline.yaml", EXAMPLES / "monitoring" / "unusual_flights.py"
    (team / example.name).write_bytes(example.read_bytes())
    path.write_text(path.read_text().replace("windows: 366", f"windows: 366, checks: [{example.name}:unusual_flights]"))
    log_week(0, 500)
    assert monitored("usual")[1] == {}
    log_week(1, 500, change=lambda cells: {"a": [*cells["a"][:-50], *[9.0] * 49, 30.0]})
    ((_, told),) = monitored("unusual")[1][f"{NAME}.alerts"]
    message = told["alerts"][0]["messages"][0]
    assert re.search(r"unusual_flights: 1\d\.\d% of the rows are unusual, most of all row 4[5-9]\d of request week-1$", message)


def test_labels_that_come_a_window_late_count(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("windows: 366", "windows: 366, retrain: {min_gain: 0.01, cooldown: 0s}"))
    log_week(0, 1000)
    log_week(1, 1000, flipped=True, labelled=1000)
    log_week(2, 1000)  # without labels, the relation looks as before
    found, events = monitored("late")
    assert (found["window"], found["alert"]) == ("2026-01-19", "realised")
    ((_, told),) = events[f"{NAME}.alerts"]
    assert [(each["first"], each["kind"]) for each in told["alerts"]] == [("2026-01-12", "realised")]
    assert events[f"{NAME}.retrain"][0][1]["trigger"]["kind"] == "performance"


def test_a_retry_tells_the_asset_again_but_no_person(team: Path) -> None:
    log_week(0, 1000, spread=0.1)
    first = monitored("one")[1]
    again = monitored("one")[1]  # Airflow drops the events of a try that fails after this
    assert again == first
    assert len((team / "told").read_text().splitlines()) == 1
    log_week(1, 1000, spread=0.1)
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("windows: 366", "windows: 366, retrain: {min_gain: 0.01, cooldown: 0s}"))
    with pytest.MonkeyPatch.context() as broken, pytest.raises(TypeError):
        broken.setattr(decision, "decide", None)
        monitored("two")
    assert len(monitored("two")[1][f"{NAME}.alerts"][0][1]["alerts"]) == 1


def test_a_pipeline_without_a_champion_is_skipped(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("pipeline: small", "pipeline: other"))
    with pytest.raises(AirflowSkipException, match=r"runner\.other has no champion yet, so there is nothing to monitor"):
        monitored("first")


def test_a_worse_champion_is_trained_again_within_the_limits(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    text = path.read_text()
    path.write_text(text.replace("windows: 366", "windows: 366, retrain: {min_gain: 0.01}"))
    log_week(0, 1000)
    log_week(1, 1000, spread=0.1)
    found, events = monitored("too soon")
    assert re.search(r"but the last training was \d+ minutes? ago, less than the cooldown of 7 days", found["retraining"])
    assert f"{NAME}.retrain" not in events
    path.write_text(text.replace("windows: 366", "windows: 366, retrain: {min_gain: 0.01, cooldown: 0s}"))
    found, events = monitored("again")
    ((asset, extra),) = events[f"{NAME}.retrain"]
    assert asset.uri == "taxiway://runner/small/retrain"
    assert extra["message"] == found["retraining"]
    assert found["retraining"].startswith("retrain: the estimated roc_auc 0.")
    assert (extra["reason"], extra["trigger"]["kind"]) == ("performance", "performance")
    assert 0.1 < extra["trigger"]["size"] < 0.5
    assert recorded("again").data.tags["taxiway.retraining"] == found["retraining"]
    path.write_text(text.replace("windows: 366", "windows: 366, retrain: {min_gain: 0.01, cooldown: 0s, max_trainings: 1}"))
    assert "the last 30 days had 1 training (allowed: 1 in 30 days)" in monitored("budget")[0]["retraining"]
    path.write_text(text.replace("windows: 366", "windows: 366, retrain: {min_gain: 0.9, cooldown: 0s}"))
    assert "less than the 0.9 that a training is worth" in monitored("small gain")[0]["retraining"]


def test_new_labels_are_counted_since_the_last_training(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    retrain = "windows: 366, retrain: {min_gain: 0, triggers: [], new_labels: 500, cooldown: 0s}"
    path.write_text(path.read_text().replace("windows: 366", retrain))
    log_week(0, 1000, labelled=499, labelled_at=time.time())
    assert monitored("few")[0]["retraining"].startswith("wait: ")
    log_week(1, 1000, labelled=400)  # before the training
    assert monitored("old")[0]["retraining"].startswith("wait: ")
    log_week(2, 1000, labelled=1, labelled_at=time.time())
    assert monitored("enough")[0]["retraining"].startswith("retrain: 500 rows with a label are new")


def test_a_champion_without_requests_is_skipped_and_leaves_no_run(team: Path) -> None:
    with pytest.raises(AirflowSkipException, match="has no logged requests"):
        monitored("nothing")
    assert recorded("nothing") is None
    (team / "log").rmdir()
    with pytest.raises(AirflowFailException, match="log is not a folder"):
        monitored("no folder")
    assert recorded("no folder").info.status == "FAILED"


def test_the_section_makes_a_dag_of_its_own(team: Path) -> None:
    dag = task().dag
    assert isinstance(dag, DAG)
    assert (dag.dag_id, dag.schedule, dag.tags) == (f"{NAME}.monitor", "@daily", {"taxiway-monitor", "runner"})
    path = team / "small.pipeline.yaml"
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
def test_a_log_that_cannot_be_a_folder_is_refused(team: Path, log: str) -> None:
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("log: log", f"log: {log if log.startswith(chr(39)) else repr(log)}"))
    with pytest.raises(ConfigError, match="a folder that the Airflow workers mount"):
        read_pipeline_and_team(path)


def test_data_on_a_url_is_no_place_for_a_log(team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("log: log", "log: '{data}/log'"))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", "s3://bucket")
    with pytest.raises(AirflowFailException, match=r"monitor.log is s3://bucket/log; allowed: a folder"):
        monitored("url")
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", f"file://{team}")
    log_week(0, 1000)
    assert monitored("file")[0]["window"] == "2026-01-05"


def test_a_comparison_that_fails_is_told(team: Path) -> None:
    (callback,) = task().on_failure_callback
    ti = SimpleNamespace(dag_id=f"{NAME}.monitor", task_id="monitor", run_id="one", try_number=1)
    callback({"ti": ti, "params": {}, "exception": ConfigError("the log is gone")})
    (told,) = map(json.loads, (team / "told").read_text().splitlines())
    assert (told["pipeline"], told["event"], told["reasons"]) == (f"{NAME}.monitor", "ERROR", ["ConfigError: the log is gone"])


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


def test_too_many_outliers_are_an_alert_and_their_requests_are_an_artifact(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("windows: 366", "windows: 366, outliers: true"))
    log_week(0, 1000)
    assert monitored("quiet")[1] == {}
    log_week(1, 1000, change=lambda cells: {"a": [50.0] * 45 + cells["a"][45:], "b": ["new"] * 45 + cells["b"][45:]})
    found, events = monitored("outliers")
    ((_, told),) = events[f"{NAME}.alerts"]
    (extra,) = told["alerts"]
    assert (extra["first"], extra["kind"]) == ("2026-01-12", "outliers")
    assert any(re.match(r"\S+ \(.*\) of 1,000 rows are outliers \(ecod\)", message) for message in extra["messages"])
    record = config.open_store().get(ServedPerformance, found["record"])
    assert [alert.kind for alert in record.alerts] == ["outliers"]
    (most,) = record.windows[1].outliers.most  # type: ignore[union-attr]
    run = recorded("outliers")
    assert run.data.metrics["outliers"] > 0.04
    file = download_artifacts(artifact_uri=f"{run.info.artifact_uri}/monitor/outliers.parquet")
    kept = [row for row in pq.read_table(file).to_pylist() if row["window"] == date(2026, 1, 12)]
    assert len(kept) == round(record.windows[1].outliers.share.value * 1000)  # type: ignore[union-attr]
    assert {row["row"] for row in kept} >= set(range(45))
    assert (kept[0]["request_id"], kept[0]["row"], kept[0]["score"]) == (most.request, most.row, most.score)
