"""Reading pipeline files: what is right becomes a Pipeline, what is wrong is said with line and remedy."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minimal import MINIMAL

from taxiway.errors import ConfigError
from taxiway.records.served import AlertKind
from taxiway.spec.base import parse_duration
from taxiway.spec.files.pipeline_file import read_pipeline


def test_a_good_file_becomes_a_pipeline(write) -> None:
    path = write(MINIMAL)
    pipeline = read_pipeline(path)
    assert pipeline.name == "flights.late_arrivals"
    assert pipeline.experiment == "flights/late_arrivals"
    assert pipeline.schema_file == str(path.with_name("late.schema.yaml"))
    assert pipeline.shadow is None
    assert pipeline.source.window == 3


@pytest.mark.parametrize("word", ["off", "'off'", "false"])
def test_shadow_off_is_no_shadow(write, word: str) -> None:
    assert read_pipeline(write(MINIMAL + f"shadow: {word}\n")).shadow is None


@given(st.integers(1, 10_000), st.sampled_from("smhd"))
def test_durations_are_read(amount: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assert parse_duration(f"{amount}{unit}") == timedelta(seconds=amount * seconds)


def test_the_pipelines_of_this_repository_are_good() -> None:
    found = list((Path(__file__).parents[4] / "dags").rglob("*.pipeline.yaml"))
    assert found
    for path in found:
        read_pipeline(path)
        assert path.with_name(path.name.removesuffix(".pipeline.yaml") + ".py").is_file()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ("model.py:build", ""),
        (
            "modle.py:build",
            'late.pipeline.yaml:8: model.build is "modle.py", which is not a file in the folder of the pipeline file.*did you mean "model.py"',
        ),
        ("../model.py:build", "which is not a file in the folder of the pipeline file"),
    ],
)
def test_a_model_of_the_teams_own_lies_beside(write, build: str, words: str) -> None:
    path = write(MINIMAL.replace("estimator: sklearn.ensemble.HistGradientBoostingClassifier", f"build: {build}"))
    path.with_name("model.py").write_text("")
    if words:
        with pytest.raises(ConfigError, match=re.compile(words, re.DOTALL)):
            read_pipeline(path)
    else:
        assert read_pipeline(path).model.build == f"{path.with_name('model.py').resolve()}:build"


def test_what_is_switched_off_is_none(write) -> None:
    pipeline = read_pipeline(write(MINIMAL + "sweep: off\nshadow: off\n"))
    assert (pipeline.sweep, pipeline.shadow) == (None, None)


def test_the_facts_of_a_mistake_are_attributes_too(write) -> None:
    path = write(MINIMAL.replace("metric: roc_auc", "metric: auc"))
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path)
    error = caught.value
    assert (error.file, error.line, error.key, error.got) == (path, 11, "gate.against_champion.metric", "auc")
    assert "roc_auc" in error.allowed


def test_labels_and_a_replay_of_a_shadow_have_defaults(write) -> None:
    keys = "gateway: g\nshadow: {labels: {}, replay: 7d}\nmonitor: {log: /srv/request-log}\n"
    shadow = read_pipeline(write(MINIMAL + keys)).shadow
    assert shadow.labels.compared == "brier"
    assert (shadow.labels.allowed, shadow.labels.required, shadow.replay.days) == (0.01, True, 7)
    off = read_pipeline(write(MINIMAL + "gateway: g\nshadow: {labels: off, replay: off}\n")).shadow
    assert off.labels is off.replay is None


def test_all_but_drift_is_an_alert_by_default(write) -> None:
    section = read_pipeline(write(MINIMAL + "monitor: {log: l, labels_after: 14d}\n")).monitor
    assert (section.labels_after.days, "drift" in section.alerts) == (14, False)
    assert {*section.alerts, "drift"} == set(AlertKind)
    assert read_pipeline(write(MINIMAL + "monitor: {log: l, alerts: [drift]}\n")).monitor.alerts == ("drift",)
    assert read_pipeline(write(MINIMAL + "monitor: {log: l, alerts: []}\n")).monitor.alerts == ()
