"""A training measures its learning curve, and monitoring decides by it whether new labels are worth another one."""

import re
import time
from pathlib import Path

import pandas as pd
import pytest
from cli.local_runs import NAME, PIPELINE, run
from cli.logged_weeks import log_week
from mlflow import MlflowClient
from mlflow.entities import Run
from operators.monitored import monitored
from stages.conftest import Site

from taxiway.hooks import config
from taxiway.hooks.mlflow import MlflowHook
from taxiway.records import FeatureSet, LearningCurve
from taxiway.tracking import tags

SPANS = 'source: {spans: "{data}/{SPAN}.parquet", window: 1, label: y}'
ONE_FILE = 'source: {spans: "{data}/all.parquet", window: 1, split: {evaluation: 0.2}, label: y}'
SECTION = """\
monitor:
  log: log
  windows: 366
  retrain: {min_gain: 0.9, triggers: [], new_labels: 500, cooldown: 0s, learning_curve: true}
"""


@pytest.fixture
def measured(small_team: Path, site: Site) -> Path:
    """The pipeline file after a run on 2,395 of the 3,000 rows of a file, which has measured its learning curve."""
    path = small_team / "small.pipeline.yaml"
    pd.concat([pd.read_parquet(site.arrive(span)) for span in (1, 2, 3)]).to_parquet(site.data / "all.parquet")
    assert SPANS in PIPELINE
    path.write_text(PIPELINE.replace(SPANS, ONE_FILE) + SECTION)
    (small_team / "log").mkdir()
    result = run()
    assert "learning curve: roc_auc of 479 held-out training rows: 0." in result.output
    return path


def newest_run() -> tuple[MlflowClient, Run]:
    client = MlflowClient(MlflowHook().tracking_uri())
    experiment = client.get_experiment_by_name("runner/small")
    assert experiment is not None
    (newest,) = client.search_runs([experiment.experiment_id], f"tags.`{tags.VERSION}` != ''", max_results=1)
    return client, newest


def test_a_training_measures_how_good_models_of_fewer_rows_are(measured: Path) -> None:
    client, found = newest_run()
    curve = config.open_store().get(LearningCurve, found.data.tags[f"{tags.RECORD_PREFIX}LearningCurve"])
    assert (curve.metric, curve.rows, curve.held_out) == ("roc_auc", 2_395, 479)
    assert curve.sizes == (59, 119, 239, 479, 958, 1916)
    assert curve.features == found.data.tags[f"{tags.RECORD_PREFIX}FeatureSet"]
    assert config.open_store().get(FeatureSet, curve.features).row_count == curve.rows
    history = client.get_metric_history(found.info.run_id, "learning_curve.roc_auc")
    assert {each.step: each.value for each in history} == dict(zip(curve.sizes, curve.values, strict=True))
    assert found.data.metrics["learning_curve.seconds"] > 0
    again = run("--span", "1", "--again", "to see the curve")
    assert "learning curve: roc_auc" in again.output
    assert "; twice as many training rows would gain 0." in again.output
    _, other = newest_run()
    assert other.info.run_id != found.info.run_id
    assert "learning_curve.seconds" not in other.data.metrics, "the same rows are not measured again"
    assert measured.exists()


def test_new_labels_wait_or_are_a_reason_by_the_curve(measured: Path) -> None:
    log_week(0, 1000, labelled=600, labelled_at=time.time(), version=1)
    waits = monitored("too little")[0]["retraining"]
    assert re.fullmatch(
        r"wait: 600 rows with a label are new since the last training, but by the learning curve of the last training, the 480 of "
        r"them that are trained on gain 0\.\d+ \(0\.\d+ to 0\.\d+\), less than the 0\.9 that a training is worth",
        waits,
    )
    measured.write_text(measured.read_text().replace("0.9", "0"))
    found, events = monitored("enough")
    assert found["retraining"].startswith(
        "retrain: 600 rows with a label are new since the last training; by the learning curve of the last training, the 480 of "
        "them that are trained on gain 0."
    )
    assert f"{NAME}.retrain" in events
    measured.write_text(measured.read_text().replace(ONE_FILE, SPANS))
    other_source = monitored("full")[0]["retraining"]
    assert "and the learning curve of the last one does not show it: that one was on span 1 v" in other_source
    measured.write_text(measured.read_text().replace("  log: log", "  metric: brier\n  log: log"))
    assert monitored("other metric")[0]["retraining"].endswith(
        "; nothing is known about what a training gains, and the learning curve of the last one is of the metric roc_auc, and brier is "
        "monitored"
    )
