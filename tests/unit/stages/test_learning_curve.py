"""The models of a learning curve: parts of the rows that contain each other, and rows that none of them has seen."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from stages.conftest import Site

from taxiway.monitoring.retraining import RetrainingDecision
from taxiway.monitoring.retraining.expected_gain import ExpectedGain, Trigger, TriggerKind
from taxiway.monitoring.retraining.learning_curve import MeasuredCurve, Unknown, gain_of_labels
from taxiway.records import FeatureSet, LearningCurve
from taxiway.records.recorder import InMemoryRun
from taxiway.spec.monitor.action import Action
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.monitor.retraining.learning_curve import measured_curve
from taxiway.stages.runner import run_in
from taxiway.tracking.run import refs_of
from taxiway.training.learning_curve import predictions
from taxiway.training.learning_curve.parts import Groups, NotMeasured, Parts, parts_of
from taxiway.training.learning_curve.predictions import PredictedBySize, predicted_by_size
from taxiway.training.rows import TrainingRows

FUNCTION = """
from sklearn.linear_model import LogisticRegression


def by_matrix(data, params):
    assert len(data.frame) == len(data.matrix) == len(data.labels)
    return LogisticRegression().fit(data.matrix, data.labels)


def from_champion(data, params, previous):
    return by_matrix(data, params)


def not_of_few(data, params):
    if len(data.labels) < 900:
        raise MemoryError("cannot allocate the table of parts")
    return by_matrix(data, params)


def by_frame(data, params):
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline

    steps = make_pipeline(make_column_transformer(("passthrough", ["a"])), LogisticRegression())
    return steps.fit(data.frame, data.labels)
"""


def features_of(installation: Installation, pipeline: Pipeline) -> FeatureSet:
    found = run_in(installation, pipeline, until="transform")
    assert found.features is not None
    return found.features


def predicted(installation: Installation, pipeline: Pipeline, features: FeatureSet | None = None) -> PredictedBySize:
    found = predicted_by_size(features or features_of(installation, pipeline), pipeline.model, {}, store=installation.store)
    assert isinstance(found, PredictedBySize), found
    return found


def test_parts_contain_each_other_and_no_row_that_is_held_out(
    site: Site, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, seen = site.pipeline(), []
    real = predictions.fit

    def watched(estimator: Any, rows: Any, *others: Any) -> None:
        seen.append({row.tobytes() for row in rows.matrix})
        real(estimator, rows, *others)

    monkeypatch.setattr(predictions, "fit", watched)
    features = features_of(installation, pipeline)
    found = predicted(installation, pipeline, features)
    assert found.sizes == (50, 100, 200, 400, 800), "a 32nd would be 25 rows"
    assert [len(rows) for rows in seen] == [*found.sizes]
    assert all(smaller < larger for smaller, larger in pairwise(seen))
    assert {answers.shape for answers in found.answers} == {(200, 2)}
    assert found.labels.tolist().count(1.0) == pytest.approx(100, abs=10)
    again = predicted(installation, pipeline, features)
    assert all(np.array_equal(*pair) for pair in zip(found.answers, again.answers, strict=True)), "the same in each try"


def test_a_part_without_enough_rows_of_a_class_is_left_out(site: Site, installation: Installation) -> None:
    path = site.data / "1.parquet"
    rows = pd.read_parquet(path)
    rows.assign(y=np.arange(len(rows)) % 100 < 2).to_parquet(path)
    pipeline = site.pipeline()
    found = predicted(installation, pipeline)
    assert found.sizes[-1] == 800
    assert len(found.sizes) < 4


def test_the_curve_of_a_training_on_all_spans_says_so(site: Site, installation: Installation) -> None:
    retrain = {"min_gain": 0.01, "new_labels": 100, "learning_curve": True, "actions": [{"action": "retrain", "window": "all"}]}
    pipeline = site.pipeline(schedule="retrain", monitor={"log": "log", "metric": "brier", "retrain": retrain})
    context = StageContext(pipeline, installation.store, InMemoryRun(), installation.client, "test")

    runs: list[Run] = []

    def curve(action: Action | None) -> MeasuredCurve | Unknown | None:
        reason = Trigger(TriggerKind.NEW_LABELS, 500)
        decision = RetrainingDecision(True, reason.kind, "because", reason, action=action) if action is not None else None
        found = run_in(installation, pipeline, retraining=decision)
        assert found.summary is not None
        runs.append(installation.client.get_run(found.summary.mlflow_run))
        return measured_curve(context, runs[-1:], "brier")

    first = curve(None)
    assert isinstance(first, MeasuredCurve)
    assert (first.window, first.spans, first.has_all_spans, first.curve.rows) == (1, 1, False, 1_000)
    assert first.curve.values[0] > first.curve.values[-1], "lower is better"
    site.arrive(3)
    second = curve(Action(action="retrain", window="all"))
    assert isinstance(second, MeasuredCurve)
    assert (second.window, second.spans, second.has_all_spans, second.curve.rows) == (1, 2, True, 2_000)
    assert isinstance(gain_of_labels(second, 500, Action(action="retrain", window="all")), ExpectedGain)
    assert measured_curve(context, runs, "brier") == second
    again = measured_curve(context, runs[::-1], "brier")
    assert again == Unknown("does not show it: that one was on span 2, and not on the newest one, 3"), "a run of an old span"
    assert measured_curve(context, runs, "roc_auc") == Unknown("is of the metric brier, and roc_auc is monitored")


def test_the_rows_that_a_training_gets_are_those_of_the_sample_and_not_held_out(site: Site, installation: Installation) -> None:
    retrain = {"min_gain": 0.01, "new_labels": 100, "learning_curve": True}
    source = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y", "rows": "a > -2"}
    parts = {"sample": {"fraction": 0.5, "by": "id"}, "split": {"evaluation": 0.2}}
    monitor = {"log": "log", "metric": "brier", "retrain": retrain}
    pipeline = site.pipeline(schedule="retrain", monitor=monitor, source={**source, **parts})
    context = StageContext(pipeline, installation.store, InMemoryRun(), installation.client, "test")
    found = run_in(installation, pipeline)
    assert found.summary is not None
    measured = measured_curve(context, [installation.client.get_run(found.summary.mlflow_run)], "brier")
    assert isinstance(measured, MeasuredCurve)
    assert (measured.share, measured.is_filtered) == (pytest.approx(0.4), True)
    assert measured.curve.rows == pytest.approx(400, abs=60)


def relabelled(site: Site, kind: str, label: Callable[[pd.Series], Any], **changes: Any) -> Pipeline:
    """The pipeline with another label, of this type of the schema."""
    for path in site.data.glob("*.parquet"):
        rows = pd.read_parquet(path)
        rows.assign(y=label(rows["a"])).to_parquet(path)
    pipeline = site.pipeline(**changes)
    schema = Path(pipeline.schema_file)
    schema.write_text(schema.read_text().replace("y: {type: boolean", f"y: {{type: {kind}"))
    return pipeline


def test_a_regression_has_a_curve(site: Site, installation: Installation) -> None:
    model = {"estimator": "sklearn.linear_model.Ridge"}
    gate = {"thresholds": {"mae": 3}, "against_champion": {"metric": "mae"}}
    pipeline = relabelled(site, "number", lambda a: a * 2.5, model=model, gate=gate)
    found = predicted(installation, pipeline)
    assert found.sizes == (50, 100, 200, 400, 800)
    errors = [abs(answers - found.labels).mean() for answers in found.answers]
    assert errors[0] > 2 * errors[-1]


def test_more_than_two_classes_have_a_curve(site: Site, installation: Installation) -> None:
    names = ["low", "mid", "top"]
    gate = {"thresholds": {"accuracy": 0.5}, "against_champion": {"metric": "accuracy"}}
    pipeline = relabelled(site, "string", lambda a: pd.cut(a, [-9, -0.5, 0.5, 9], labels=names).astype(str), gate=gate)
    found = predicted(installation, pipeline)
    assert {answers.shape for answers in found.answers} == {(200, 3)}
    assert (found.answers[-1].argmax(axis=1) == found.labels).mean() > 0.9


@pytest.mark.parametrize("name", ["by_matrix", "by_frame"])
def test_a_function_of_a_team_trains_on_the_parts(site: Site, installation: Installation, name: str) -> None:
    (site.folder / "own.py").write_text(FUNCTION)
    pipeline = site.pipeline(model={"train": f"{Path(site.folder) / 'own.py'}:{name}"})
    found = predicted(installation, pipeline)
    assert found.sizes == (50, 100, 200, 400, 800)
    right = [((answers[:, 1] > 0.5) == found.labels).mean() for answers in found.answers]
    assert min(right) > 0.65, "the rows of the answers are those of the labels"


def test_a_size_that_cannot_be_fitted_is_left_out(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    model = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 120}}
    pipeline = site.pipeline(model=model)
    found = predicted(installation, pipeline)
    assert found.sizes == (200, 400, 800)
    assert "the learning curve has no value for 50 rows" in caplog.text


def test_why_there_is_no_curve(site: Site, installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    def reason(pipeline: Pipeline) -> str:
        features = features_of(installation, pipeline)
        found = predicted_by_size(features, pipeline.model, {}, store=installation.store)
        assert isinstance(found, NotMeasured)
        return found.reason

    unfit = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 700}}
    assert reason(site.pipeline(model=unfit)).startswith("the estimator could be fitted to 1 of 5 parts of the training rows")
    path = site.data / "1.parquet"
    rows = pd.read_parquet(path)
    rows.assign(y=np.arange(len(rows)) < 7).to_parquet(path)
    assert reason(site.pipeline()).endswith("must have 50 rows and 5 of each class")
    rows.head(120).to_parquet(path)
    caplog.clear()
    assert reason(site.pipeline()).startswith("120 training rows are too few")
    assert "the learning curve has no value" not in caplog.text, "nothing is fitted"


def test_the_log_names_the_reason_why_there_is_no_curve(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    path = site.data / "1.parquet"
    pd.read_parquet(path).head(120).to_parquet(path)
    retrain = {"min_gain": 0.01, "new_labels": 100, "learning_curve": True}
    pipeline = site.pipeline(schedule="retrain", monitor={"log": "log", "metric": "brier", "retrain": retrain})
    with caplog.at_level("WARNING"):
        run_in(installation, pipeline)
    assert "the learning curve is not known: 120 training rows are too few" in caplog.text


def test_whole_groups_are_held_out() -> None:
    """Rows of a group that is in both would be predicted from its other rows, and the curve would show nothing to gain."""
    rng = np.random.default_rng(1)
    numbers = rng.permutation(np.concatenate([np.repeat(np.arange(200), 10), np.full(3_000, 200)]))
    rows = TrainingRows(rng.random((5_000, 2)), rng.random(5_000) > 0.5, "y")
    found = parts_of(rows, "classification", Groups("customer", numbers))
    assert isinstance(found, Parts)
    assert len(found.held) == 1_000, "the group with more than a fifth of the rows is learned"
    assert not set(numbers[found.held]) & set(numbers[found.learned[-1]])
    assert len(found.held) + len(found.learned[-1]) == 5_000
    for smaller, larger in pairwise(found.learned):
        assert set(smaller) < set(larger)
    assert len(set(numbers[found.learned[0]])) < 20 < len(set(numbers[found.learned[-1]])), "more groups, not only more rows"
    few = parts_of(rows, "classification", Groups("day", np.arange(5_000) % 50))
    assert few == NotMeasured(
        "whole groups by day are held out, and a fifth of the training rows has 10 groups; at least 20 are needed"
    )


@pytest.mark.parametrize("key", ["split", "group_by"])
def test_what_is_known_of_the_customers_of_a_pipeline_does_not_flatten_its_curve(
    site: Site, installation: Installation, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each customer has rows of one class, which nothing else predicts: a forest knows those of its own customers only."""
    rng = np.random.default_rng(5)
    customers = np.repeat(np.arange(250), 8)
    a, y = rng.normal(size=250), rng.random(250) > 0.5
    ids = np.arange(2_000)
    names = [f"c{each}" for each in customers]
    rows = pd.DataFrame({"id": ids, "a": a[customers], "b": names, "y": y[customers]})
    for span in (1, 2):
        rows.assign(id=ids + 10_000 * span).to_parquet(site.data / f"{span}.parquet")
    retrain = {"min_gain": 0.01, "new_labels": 100, "learning_curve": True}
    source = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y"}
    gate = {"thresholds": {"roc_auc": 0.1}, "against_champion": {"metric": "roc_auc"}}
    changes: dict[str, Any] = {
        "split": {"source": {**source, "split": {"by": "b", "evaluation": 0.2}}},
        "group_by": {"gate": {**gate, "group_by": "b"}},
    }[key]
    pipeline = site.pipeline(
        model={"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 20, "random_state": 1}},
        features={"drop": ["b"]},
        schedule="retrain",
        monitor={"log": "log", "metric": "roc_auc", "retrain": retrain},
        **{"gate": gate, **changes},
    )
    with caplog.at_level("INFO"):
        found = run_in(installation, pipeline)
    assert found.summary is not None
    assert "held-out training rows of whole groups by b: " in caplog.text
    run = installation.client.get_run(found.summary.mlflow_run)
    digests = {ref.record: ref.digest for ref in refs_of(run.data.tags)}
    curve = installation.store.get(LearningCurve, digests["LearningCurve"])
    assert max(curve.values) < 0.75, "by row, it is 1.0"
    assert np.sqrt(curve.covariances[-1][-1]) > 0.04, "50 customers, and not 400 rows, are resampled"


def test_no_curve_is_measured_of_a_function_that_starts_from_the_champion(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """Its models would be trained anew: the curve would promise a gain that the next training, from the champion, does not have."""
    (site.folder / "own.py").write_text(FUNCTION)
    retrain = {"min_gain": 0.01, "new_labels": 100, "learning_curve": True}
    model = {"train": f"{site.folder / 'own.py'}:from_champion"}
    pipeline = site.pipeline(model=model, schedule="retrain", monitor={"log": "log", "retrain": retrain})
    with caplog.at_level("INFO"):
        found = run_in(installation, pipeline)
    assert found.summary is not None
    run = installation.client.get_run(found.summary.mlflow_run)
    assert "LearningCurve" not in {ref.record for ref in refs_of(run.data.tags)}
    assert "the learning curve is not measured: its models are trained anew" in caplog.text


def test_an_error_in_the_curve_does_not_fail_the_training(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    (site.folder / "own.py").write_text(FUNCTION)
    retrain = {"min_gain": 0.01, "new_labels": 100, "learning_curve": True}
    model = {"train": f"{site.folder / 'own.py'}:not_of_few"}
    found = run_in(
        installation, site.pipeline(model=model, schedule="retrain", monitor={"log": "log", "retrain": retrain}), until="train"
    )
    assert found.candidate is not None
    assert "could not be measured: cannot allocate the table of parts; the run goes on without it" in caplog.text
