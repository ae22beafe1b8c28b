"""`MonitorOperator`: when a champion is trained again by the policy `monitor.retrain`."""

import re
import time
from pathlib import Path

import pytest
from cli.local_runs import NAME
from cli.logged_weeks import log_week
from operators.monitored import monitored, recorded

from taxiway.stages.monitor.retraining import decision


def test_labels_that_come_a_window_late_count(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("windows: 366", "windows: 366, retrain: {min_gain: 0.01, cooldown: 0s}"))
    log_week(0, 1000)
    log_week(1, 1000, flipped=True, labelled=1000)
    log_week(2, 1000)  # without labels, the relation looks as before
    found, events = monitored("late")
    assert (found["window"], found["alert"]) == ("2026-01-19", "realised")
    ((_, told),) = events[f"{NAME}.alerts"]
    assert [(each["first"], each["kind"]) for each in told["alerts"]] == [("2026-01-12", "realised")]
    assert events[f"{NAME}.retrain"][0][1]["trigger"]["kind"] == "performance"


def test_a_worse_champion_is_trained_again_within_the_limits(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
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


def test_new_labels_are_counted_since_the_last_training(monitored_team: Path) -> None:
    path = monitored_team / "small.pipeline.yaml"
    retrain = "windows: 366, retrain: {min_gain: 0, triggers: [], new_labels: 500, cooldown: 0s}"
    path.write_text(path.read_text().replace("windows: 366", retrain))
    log_week(0, 1000, labelled=499, labelled_at=time.time())
    assert monitored("few")[0]["retraining"].startswith("wait: ")
    log_week(1, 1000, labelled=400)  # before the training
    assert monitored("old")[0]["retraining"].startswith("wait: ")
    log_week(2, 1000, labelled=1, labelled_at=time.time())
    assert monitored("enough")[0]["retraining"].startswith("retrain: 500 rows with a label are new")


def test_a_retry_tells_the_asset_again_but_no_person(monitored_team: Path) -> None:
    log_week(0, 1000, spread=0.1)
    first = monitored("one")[1]
    again = monitored("one")[1]  # Airflow drops the events of a try that fails after this
    assert again == first
    assert len((monitored_team / "told").read_text().splitlines()) == 1
    log_week(1, 1000, spread=0.1)
    path = monitored_team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("windows: 366", "windows: 366, retrain: {min_gain: 0.01, cooldown: 0s}"))
    with pytest.MonkeyPatch.context() as broken, pytest.raises(TypeError):
        broken.setattr(decision, "decide", None)
        monitored("two")
    assert len(monitored("two")[1][f"{NAME}.alerts"][0][1]["alerts"]) == 1
