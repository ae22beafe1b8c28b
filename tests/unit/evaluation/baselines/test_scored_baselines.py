"""The scores of baselines: on the rows and bootstrap samples of the candidate, and of no influence on it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluation.test_evaluate import GATE, Scorer, made, scored
from sklearn.metrics import accuracy_score, roc_auc_score

from taxiway.evaluation.baselines.fit import FittedBaseline, fit_baselines
from taxiway.evaluation.scoring import LoadedModel
from taxiway.features import raw_frame
from taxiway.records import BaselineModel, Evaluation, FeatureSet
from taxiway.records.recorder import InMemoryRecorder
from taxiway.spec.gate import Gate

CLASSES = ("False", "True")


def evaluated(tmp_path: Path, gate: Gate = GATE) -> tuple[Evaluation, Evaluation, InMemoryRecorder, Any]:
    """With baselines, and without."""
    snapshot, store, rows = made(tmp_path, lambda late: late)
    features = FeatureSet(
        snapshot=snapshot.digest, schema_version="s", numeric=("a",), categorical=("b",), label="y", classes=CLASSES,
        transform="t", rows="r", row_count=1,
    )  # fmt: skip
    simple, recorder = fit_baselines(features, snapshot, store), InMemoryRecorder()
    common: dict[str, Any] = {"model": "f.y", "label": "y", "gate": gate, "store": store, "recorder": recorder}
    candidate = LoadedModel(1, Scorer(-1), CLASSES)
    found = scored(snapshot, candidate, None, baselines=simple, **common)
    linear = next(one for one in simple if one.record.name == "linear")
    truth = (rows["y"], linear.predict(raw_frame(rows, ("a",), ("b",)))[:, 1])
    return found, scored(snapshot, candidate, None, **{**common, "recorder": InMemoryRecorder()}), recorder, truth


def test_they_are_scored_as_the_candidate_is(tmp_path: Path) -> None:
    found, without, recorder, (labels, probabilities) = evaluated(tmp_path)
    linear, dummy = found.baselines
    auc = next(result for result in found.metrics if result.metric == "roc_auc").candidate
    assert linear.score.value == pytest.approx(roc_auc_score(labels, probabilities))
    assert linear.difference.value == pytest.approx(auc.value - linear.score.value)
    assert linear.difference.high < 0, "the candidate is turned around"
    assert (dummy.score.low, dummy.score.value, dummy.score.high) == (0.5, 0.5, 0.5)
    assert dummy.difference.low == pytest.approx(auc.low - 0.5)
    assert [(one.metric, one.value) for one in linear.others] == [("accuracy", accuracy_score(labels, probabilities >= 0.5))]
    assert recorder.values["baseline.linear.accuracy"] == linear.others[0].value
    assert recorder.values["baseline.dummy.roc_auc"] == 0.5
    assert {"predict.ms_per_row", "baseline.linear.predict_ms_per_row"} <= recorder.values.keys()
    assert found.metrics == without.metrics, "the candidate's intervals are those without baselines"
    assert Evaluation.from_json(found.to_json()) == found
    assert without.to_json().count("baselines") == 0


def test_a_metric_that_fails_for_a_baseline_leaves_it_out(tmp_path: Path) -> None:
    """A team's function that wants different predictions has none in a guess."""
    (tmp_path / "own.py").write_text(
        "def spread(labels, predicted, rows):\n"
        "    if len(set(predicted)) < 2:\n"
        "        raise ValueError('all predictions are equal')\n"
        "    return (labels == predicted).astype(float)\n"
    )
    gate = Gate.model_validate(
        {
            "thresholds": {"spread": 0.1},
            "metrics": {"spread": {"function": f"{tmp_path}/own.py:spread", "better": "higher"}},
            "against_champion": {"metric": "spread"},
        }
    )
    found, without, _, (labels, probabilities) = evaluated(tmp_path, gate)
    (linear,) = found.baselines
    assert (linear.name, linear.metric) == ("linear", "spread")
    assert (found.better("spread"), found.better("accuracy")) == ("higher", None), "nothing else says it of a team's own"
    assert linear.score.value == pytest.approx(accuracy_score(labels, probabilities >= 0.5))
    assert found.metrics == without.metrics


def test_a_baseline_that_cannot_predict_decides_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
            raise ValueError(f"not for {len(frame)} rows")

    snapshot, store, _ = made(tmp_path, lambda late: late)
    record = BaselineModel(name="linear", snapshot=snapshot.digest, model="m", model_bytes=1, rows=1)
    broken, recorder = FittedBaseline(record, Broken(), CLASSES), InMemoryRecorder()
    found = scored(
        snapshot,
        LoadedModel(1, Scorer(), CLASSES),
        None,
        model="f.y",
        label="y",
        gate=GATE,
        store=store,
        recorder=recorder,
        baselines=(broken,),
    )
    assert (found.baselines, len(found.metrics)) == ((), 2)
    assert "a linear model, which could not predict: ValueError: not for 2000 rows" in caplog.text
    assert "baseline.linear.predict_ms_per_row" not in recorder.values
