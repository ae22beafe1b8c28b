"""What a DAG run does that monitoring has started, by the events of the assets that triggered it in Airflow."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

from taxiway.errors import ConfigError
from taxiway.hooks.retraining import ALERTS, action_of, asset_of
from taxiway.monitoring.retraining import RetrainingDecision
from taxiway.monitoring.retraining.expected_gain import Trigger, TriggerKind
from taxiway.spec.base import RETRAIN
from taxiway.spec.monitor.action import RETRAIN_AS_BEFORE, Action
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import doing

REHEARSING = {"action": "warm_start", "window": 3, "rehearsal": {"spans": 4, "share": 0.1}}
PIPELINE = Pipeline.model_validate(
    {
        "pipeline": "small",
        "team": "own",
        "schedule": "retrain",
        "source": {"spans": "{data}/{SPAN}.parquet", "window": 2, "label": "y"},
        "schema": "small.schema.yaml",
        "model": {"estimator": "sklearn.linear_model.SGDClassifier"},
        "gate": {"thresholds": {"accuracy": 0.6}, "against_champion": {"metric": "accuracy"}},
        "monitor": {"log": "log", "retrain": {"min_gain": 0.01, "actions": [REHEARSING, "warm_start", "retrain"]}},
    }
)


def context(kind: str, *extras: dict[str, Any]) -> Context:
    """What Airflow gives to a task of a run that events of an asset have triggered."""
    asset = asset_of(PIPELINE, kind)
    events = [
        AssetEventDagRunReferenceResult.model_validate(
            {
                "asset": {"name": asset.name, "uri": asset.uri, "extra": {}},
                "extra": extra,
                "source_task_id": "monitor",
                "source_dag_id": "own.small.monitor",
                "source_run_id": "run",
                "source_map_index": -1,
                "source_aliases": [],
                "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
            }
        )
        for extra in extras
    ]
    return cast("Context", {"triggering_asset_events": TriggeringAssetEventsAccessor.build(events)})


def extra(action: Action | None) -> dict[str, Any]:
    trigger = Trigger(TriggerKind.PERFORMANCE, 0.1)
    return RetrainingDecision(True, trigger.kind, "because", trigger, action=action).described()


def test_a_run_does_the_action_of_the_newest_event() -> None:
    rehearsing = Action.model_validate(REHEARSING)
    found = action_of(PIPELINE, context(RETRAIN, extra(RETRAIN_AS_BEFORE), extra(rehearsing)))
    assert found == rehearsing
    assert doing(PIPELINE, found).model.warm_start == "champion"
    assert doing(PIPELINE, RETRAIN_AS_BEFORE).model.warm_start is None


def test_an_event_of_an_earlier_version_of_taxiway_trains_as_before() -> None:
    assert action_of(PIPELINE, context(RETRAIN, extra(None))) == RETRAIN_AS_BEFORE


def test_other_runs_train_as_the_pipeline_file_says() -> None:
    assert action_of(PIPELINE, context(RETRAIN)) is None
    assert action_of(PIPELINE, context(ALERTS, extra(RETRAIN_AS_BEFORE))) is None
    assert action_of(PIPELINE, cast("Context", {})) is None
    assert action_of(PIPELINE.model_copy(update={"monitor": None}), context(RETRAIN, extra(RETRAIN_AS_BEFORE))) is None
    assert doing(PIPELINE, None) == PIPELINE


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"action": "recalibrate"}, "started to recalibrate, which is not in monitor.retrain.actions; allowed: warm start"),
        ({"action": "retrain", "window": "all"}, "started to retrain on all spans, which is not in monitor.retrain.actions"),
        ({"action": "dance"}, "has no valid action: action: Input should be"),
        ("retrain", "has no valid action"),
    ],
)
def test_an_event_cannot_start_what_the_pipeline_file_does_not_have(action: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        action_of(PIPELINE, context(RETRAIN, {"message": "because", "action": action}))
