"""What starts the runs of a pipeline: times, new spans, evidence and assets, one or several of them."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAny, AssetOrTimeSchedule, MultipleCronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.types import DagRunType
from pydantic import ValidationError

from taxiway.hooks.retraining import promotion_evidence, started_by
from taxiway.records import Promotion
from taxiway.spec.pipeline import Pipeline
from taxiway.templates.continuous_training import continuous_training
from taxiway.templates.schedule import schedule_of

CONTENT: dict[str, Any] = {
    "pipeline": "small",
    "team": "own",
    "source": {"spans": "{data}/{SPAN}.parquet", "label": "y"},
    "schema": "small.schema.yaml",
    "model": {"estimator": "sklearn.linear_model.LogisticRegression"},
    "gate": {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc"}},
    "monitor": {"log": "{data}/requests", "retrain": {"min_gain": 0.01}},
}
UPSTREAM = {"asset": "own.other.champion"}


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", str(tmp_path))


def pipeline(schedule: Any, **changes: Any) -> Pipeline:
    return Pipeline.model_validate({**CONTENT, "schedule": schedule, **changes})


def names(assets: AssetAny) -> set[str]:
    return {asset.name for asset in assets.objects}


def test_any_of_several_starts_a_run() -> None:
    assert schedule_of(pipeline(None)) is None
    assert schedule_of(pipeline("@monthly")) == "@monthly"
    (evidence,) = schedule_of(pipeline("retrain"))
    assert evidence.name == "own.small.retrain"
    assert names(schedule_of(pipeline(["retrain", UPSTREAM]))) == {"own.small.retrain", "own.other.champion"}
    by_time = schedule_of(pipeline(["retrain", UPSTREAM, "0 6 1 * *"]))
    assert isinstance(by_time, AssetOrTimeSchedule)
    assert (by_time.timetable.expression, names(by_time.asset_condition)) == (
        "0 6 1 * *",
        {"own.small.retrain", "own.other.champion"},
    )
    assert names(schedule_of(pipeline(["new_span", UPSTREAM]))) == {"own.small.spans", "own.other.champion"}


def test_a_database_with_versions_is_also_asked_by_the_clock() -> None:
    source = {
        "sql": "SELECT 1 WHERE {begin} < {end}",
        "connection": "nowhere",
        "every": "month",
        "first": "2020-01",
        "label": "y",
        "version": "SELECT count(*) FROM t WHERE at >= {begin} AND at < {end}",
    }
    made = schedule_of(pipeline(["new_span", "@monthly"], source=source))
    assert isinstance(made.timetable, MultipleCronTriggerTimetable)


@pytest.mark.parametrize("schedule", [["retrain", UPSTREAM, "@weekly"], ["new_span", UPSTREAM], UPSTREAM, "@daily", None])
def test_airflow_can_keep_the_dag(schedule: Any) -> None:
    dag = continuous_training(pipeline(schedule))
    kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert kept.dag_id == "own.small"
    assert dag.get_task("push").outlets == [Asset(name="own.small.champion", uri="taxiway://own/small/champion")]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (["@daily", "0 6 * * *"], "@daily and 0 6 \\* \\* \\* are two times; allowed: one"),
        (["retrain", "retrain"], "something is given twice"),
        ([UPSTREAM, dict(UPSTREAM)], "something is given twice"),
        (["new_span", "retrain"], "each new span is trained on"),
        (["newspan"], 'did you mean "new_span"'),
        ([7], "a cron expression of five fields"),
        ([{"assets": "x"}], r"\{'assets': 'x'\} is not an asset; allowed: \{asset: NAME\}"),
        ({"asset": ""}, "is not an asset"),
        ({"asset": 7}, "is not an asset"),
        ([[]], "a cron expression of five fields"),
    ],
)
def test_what_cannot_start_a_run_is_refused(schedule: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        pipeline(schedule)


def test_a_run_says_what_has_started_it() -> None:
    made = Promotion(
        model="own.other", alias="champion", from_version=6, to_version=7, by="d/r", at=datetime.now(UTC), reason="is better"
    )
    event = SimpleNamespace(extra=promotion_evidence(made))
    run = SimpleNamespace(run_type="asset_triggered", logical_date=None, triggering_user_name=None)
    events = {Asset("own.other.champion"): [SimpleNamespace(extra=None), event], Asset("x"): [SimpleNamespace(extra={})]}
    assert started_by({"triggering_asset_events": events, "dag_run": run}) == (
        "the asset own.other.champion was updated: version 7 of own.other is champion; before: 6; is better; the asset x was updated"
    )
    at = datetime(2026, 3, 1, 6, tzinfo=UTC)
    run = SimpleNamespace(run_type=DagRunType.SCHEDULED, logical_date=at, triggering_user_name=None)
    assert started_by({"dag_run": run}) == "the schedule, for 2026-03-01 06:00 UTC"
    run = SimpleNamespace(run_type=DagRunType.MANUAL, logical_date=at, triggering_user_name="ann")
    assert started_by({"dag_run": run}) == "manual run by ann"
