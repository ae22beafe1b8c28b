"""Trials on real bike rentals: they see the training window alone, a second try repeats nothing, the best one goes on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, mean_absolute_error

from taxiway.data.engine.read_rows import read_rows
from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.file import Schema, load_schema
from taxiway.data.sources.files import find_spans
from taxiway.demo.bikes import lay_out_rentals
from taxiway.errors import ConfigError, DataError, TerminalError
from taxiway.features import raw_frame
from taxiway.messages import format_params
from taxiway.records import FeatureSet, Snapshot, SweepPlan, Trial
from taxiway.records.recorder import InMemoryRecorder
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.pipeline import Pipeline
from taxiway.store import Store
from taxiway.training.train import train
from taxiway.tuning.trials import choose, plan_sweep, run_trial, tuning_snapshot

BIKES = Path(__file__).parents[3] / "dags/bikes"


class Made:
    """A snapshot of bike rentals in a store of its own."""

    def __init__(self, folder: Path) -> None:
        lay_out_rentals(folder / "bikes")
        self.store = Store(str(folder / "store"))
        spans = find_spans(f"{folder}/bikes/{{YYYY}}-{{MM}}.parquet")[:4]
        self.snapshot: Snapshot = ingest(spans, pipeline="bikes.hourly_rentals", source="bikes", store=self.store)
        self.schema: Schema = load_schema(BIKES / "hourly_rentals.schema.yaml")

    def plan(self, pipeline: Pipeline, overrides: dict[str, Any] | None = None) -> SweepPlan:
        return plan_sweep(pipeline, self.snapshot, self.schema, overrides or {}, store=self.store)

    def trials(self, pipeline: Pipeline, plan: SweepPlan) -> list[Trial]:
        features, tuning = self.store.get(FeatureSet, plan.features), self.store.get(Snapshot, plan.snapshot)
        rows = read_rows(tuning.evaluation, self.store)
        return [
            run_trial(json.loads(params), features, rows, pipeline, store=self.store, recorder=InMemoryRecorder())
            for params in plan.trials
        ]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def with_space(space: dict[str, Any], **keys: Any) -> Pipeline:
    pipeline = read_pipeline(BIKES / "hourly_rentals.pipeline.yaml")
    asked = {"search": "grid", "space": space, **keys}
    body = pipeline.model_dump(by_alias=True) | {"sweep": asked, "model": {"estimator": pipeline.model.estimator}}
    return Pipeline.model_validate(body)


SMALL = with_space({"max_iter": [1, 20], "loss": ["squared_error", "poisson"]})


def test_no_trial_reads_a_row_of_the_gates_span(made: Made) -> None:
    gates = made.snapshot.evaluation_span.content
    files = [path for path in Path(made.store.url).rglob(f"*{gates}*") if path.is_file()]
    assert files
    for path in files:
        path.unlink()
    plan = made.plan(SMALL)
    assert [t.error for t in made.trials(SMALL, plan)] == [None] * 4
    assert gates not in made.store.get(Snapshot, plan.snapshot).to_json()


def test_the_tuning_snapshot_is_the_window_split_anew(made: Made) -> None:
    tuning = tuning_snapshot(made.snapshot, made.store)
    assert tuning.spans == made.snapshot.training
    assert tuning.evaluation_span == made.snapshot.training[-1]
    with pytest.raises(ConfigError, match="at least 2 spans in the training window"):
        tuning_snapshot(tuning_snapshot(tuning, made.store), made.store)


def test_a_trials_score_is_that_of_its_model_on_the_newest_training_span(made: Made) -> None:
    plan = made.plan(SMALL)
    trial = made.trials(SMALL, plan)[0]
    features = made.store.get(FeatureSet, plan.features)
    fitted = train(features, SMALL.model, json.loads(trial.params), store=made.store, recorder=InMemoryRecorder())
    rows = read_rows(made.snapshot.training[-1:], made.store)
    answers = fitted.predict(raw_frame(rows, features.numeric, features.categorical))
    assert trial.score == pytest.approx(mean_absolute_error(rows["cnt"], answers))
    assert (trial.metric, trial.rows) == ("mae", len(rows))


@pytest.mark.parametrize("threshold", [0.1, {"by": "f1"}])
def test_a_trial_predicts_from_the_decision_threshold(made: Made, threshold: Any) -> None:
    """Holidays are rare, so the best F1 is far from 0.5."""
    body = SMALL.model_dump(by_alias=True) | {
        "source": SMALL.source.model_dump(by_alias=True) | {"label": "holiday"},
        "model": {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 4}, "threshold": threshold},
        "sweep": {"search": "grid", "space": {"min_samples_leaf": [10, 30]}, "metric": "f1"},
        "features": {"drop": ["dteday", "workingday"]},
        "gate": {"thresholds": {"roc_auc": 0.5}, "against_champion": {"metric": "roc_auc", "min_improvement": -1}},
        "purpose": {},
    }
    pipeline = Pipeline.model_validate(body)
    plan = made.plan(pipeline)
    trial = made.trials(pipeline, plan)[0]
    features = made.store.get(FeatureSet, plan.features)
    fitted = train(features, pipeline.model, json.loads(trial.params), store=made.store, recorder=InMemoryRecorder())
    rows = read_rows(made.snapshot.training[-1:], made.store)
    found = fitted.predict_proba(raw_frame(rows, features.numeric, features.categorical))[:, 1]
    cuts = [threshold] if isinstance(threshold, float) else np.unique(found)
    assert trial.score == pytest.approx(max(f1_score(rows["holiday"], found >= cut) for cut in cuts))
    assert trial.score != f1_score(rows["holiday"], found >= 0.5)


def test_the_best_trial_goes_on_and_a_second_try_trains_nothing(made: Made) -> None:
    plan = made.plan(SMALL)
    first = made.trials(SMALL, plan)
    report = choose(plan, reversed(first))
    assert report.best.score == min(t.score for t in first if t.score is not None)
    assert json.loads(report.best.params)["max_iter"] == 20
    assert [t.score for t in report.trials] == sorted(t.score for t in first if t.score is not None)
    features = made.store.get(FeatureSet, plan.features)
    for path in [path for path in Path(made.store.url).rglob(f"*{features.rows}*") if path.is_file()]:
        path.unlink()  # training again would need them
    assert made.trials(SMALL, plan) == first


def test_a_trial_that_fails_is_told_and_the_others_go_on(made: Made) -> None:
    pipeline = with_space({"max_leaf_nodes": [1, 31]})  # scikit-learn asks for 2 or more
    plan = made.plan(pipeline)
    report = choose(plan, made.trials(pipeline, plan))
    assert json.loads(report.best.params) == {"max_leaf_nodes": 31}
    assert "max_leaf_nodes" in report.trials[-1].error
    assert report.trials[-1].score is None


class Unreachable(InMemoryRecorder):
    """A recorder whose server is down, as MLflow may be."""

    def params(self, values: Mapping[str, Any]) -> None:
        raise RuntimeError("connection refused")


def test_a_recorder_that_fails_is_no_failure_of_the_parameters(made: Made) -> None:
    plan = made.plan(SMALL)
    features, tuning = made.store.get(FeatureSet, plan.features), made.store.get(Snapshot, plan.snapshot)
    rows, params = read_rows(tuning.evaluation, made.store), json.loads(plan.trials[0])
    with pytest.raises(RuntimeError, match="connection refused"):
        run_trial(params, features, rows, SMALL, store=made.store, recorder=Unreachable())
    assert run_trial(params, features, rows, SMALL, store=made.store, recorder=InMemoryRecorder()).score is not None


def test_a_trial_that_failed_is_tried_again(made: Made) -> None:
    pipeline = with_space({"max_leaf_nodes": [1, 31]})
    plan = made.plan(pipeline)
    first = made.trials(pipeline, plan)
    assert first[0].error
    made.trials(pipeline, plan)
    features = made.store.get(FeatureSet, plan.features)
    for path in [path for path in Path(made.store.url).rglob(f"*{features.rows}*") if path.is_file()]:
        path.unlink()
    with pytest.raises(TerminalError, match="has no object"):  # it looks for the rows: it would train
        made.trials(pipeline, plan)


def test_where_all_trials_fail_the_sweep_says_why(made: Made) -> None:
    pipeline = with_space({"max_leaf_nodes": [0, 1]})
    plan = made.plan(pipeline)
    with pytest.raises(
        DataError,
        match="none of 2 trials has a score; the error of the first: HistGradientBoostingRegressor could not be fitted to the label cnt",
    ):
        choose(plan, made.trials(pipeline, plan))


def test_a_missing_trial_is_not_passed_over(made: Made) -> None:
    plan = made.plan(SMALL)
    with pytest.raises(ConfigError, match="3 of 4 trials are missing"):
        choose(plan, made.trials(SMALL, plan)[:1])


def test_the_runs_parameters_are_in_every_trial_and_cannot_be_searched_too(made: Made) -> None:
    plan = made.plan(SMALL, {"max_bins": 64})
    assert all(json.loads(params)["max_bins"] == 64 for params in plan.trials)
    with pytest.raises(ConfigError, match=r"max_iter is in the run's model_params and in sweep\.space"):
        made.plan(SMALL, {"max_iter": 5})


def test_a_parameter_that_the_estimator_does_not_know_is_said_before_a_trial_runs(made: Made) -> None:
    with pytest.raises(ConfigError, match=r'"max_itr"; .*did you mean "max_iter"'):
        made.plan(with_space({"max_itr": [1, 2]}))


def test_the_metric_of_the_sweep_decides_in_its_own_direction(made: Made) -> None:
    tuned_by_r2 = with_space({"max_iter": [1, 20]}, metric="r2")
    plan = made.plan(tuned_by_r2)
    report = choose(plan, made.trials(tuned_by_r2, plan))
    assert report.metric == "r2"
    assert report.trials[0].score is not None
    assert report.trials[1].score is not None
    assert report.trials[0].score > report.trials[1].score  # more is better


def test_parameters_are_told_in_words() -> None:
    assert format_params('{"learning_rate": 0.051234567, "max_leaf_nodes": 31}') == "learning_rate=0.05123, max_leaf_nodes=31"
