"""`MonitorOperator`: what it tells of the inputs: anomalies, drift, findings of checks, outliers, and labels that are late."""

import re
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
from cli.local_runs import NAME
from cli.logged_weeks import log_week
from mlflow.artifacts import download_artifacts
from operators.monitored import monitored, recorded

from taxiway.hooks import config
from taxiway.records.served import ServedPerformance

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


def test_anomalies_of_the_inputs_are_told(monitored_team: Path) -> None:
    log_week(0, 500, change=lambda cells: {"a": [*cells["a"][:-1], 1e6]})
    found, events = monitored("anomaly")
    assert found["alert"] == ""
    ((_, told),) = events[f"{NAME}.alerts"]
    (extra,) = told["alerts"]
    assert extra["kind"] == "data"
    assert extra["messages"][0].startswith(f"a in the requests of {NAME} version 1 is outside -100 to 100")
    assert recorded("anomaly").data.metrics["anomalies"] == 1
    assert monitored("again")[1] == {}


def test_labels_that_do_not_come_and_new_drift_are_told_if_the_pipeline_asks(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
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


def test_checks_of_the_teams_own_are_told(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
    text = path.read_text()
    (monitored_team / "own_checks.py").write_text(CHECKS)
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


def test_the_example_of_the_guide_finds_unusual_rows(monitored_team: Path) -> None:
    path, example = monitored_team / "small.pipeline.yaml", EXAMPLES / "monitoring" / "unusual_flights.py"
    (monitored_team / example.name).write_bytes(example.read_bytes())
    path.write_text(path.read_text().replace("windows: 366", f"windows: 366, checks: [{example.name}:unusual_flights]"))
    log_week(0, 500)
    assert monitored("usual")[1] == {}
    log_week(1, 500, change=lambda cells: {"a": [*cells["a"][:-50], *[9.0] * 49, 30.0]})
    ((_, told),) = monitored("unusual")[1][f"{NAME}.alerts"]
    message = told["alerts"][0]["messages"][0]
    assert re.search(r"unusual_flights: 1\d\.\d% of the rows are unusual, most of all row 4[5-9]\d of request week-1$", message)


def test_too_many_outliers_are_an_alert_and_their_requests_are_an_artifact(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
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
