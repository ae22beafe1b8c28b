"""What a run does that monitoring has started: each action through the local runner, and the same gate for all of them."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from stages.conftest import Site

from taxiway.data.engine.read_rows import read_rows
from taxiway.errors import ConfigError, DataError
from taxiway.lineage.run_records import RunRecords
from taxiway.models.explanations import explainer_of
from taxiway.models.predictor import COMPILED, compiled_predictor
from taxiway.monitoring.retraining import RetrainingDecision
from taxiway.monitoring.retraining.expected_gain import Trigger, TriggerKind
from taxiway.records import FeatureSet, Outcome
from taxiway.registry.load import load_trusted
from taxiway.spec.monitor.action import Action
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in
from taxiway.tracking import tags
from taxiway.training.own.raw_rows import RawRows
from taxiway.training.rows import read_training_rows

SGD = {"estimator": "sklearn.linear_model.SGDClassifier", "params": {"loss": "log_loss"}}
FUNCTION = """
from sklearn.naive_bayes import GaussianNB


def train(data, params, previous):
    return (previous or GaussianNB()).partial_fit(data.matrix, data.labels, classes=[0, 1])


def anew(data, params):
    return GaussianNB().fit(data.matrix, data.labels)
"""


def pipeline(site: Site, *actions: Any, **changes: Any) -> Pipeline:
    """A pipeline that monitoring starts, with a gate on the Brier score."""
    retrain = {"min_gain": 0.001, "new_labels": 100, "actions": [*actions, "retrain"] if actions else ["retrain"]}
    return site.pipeline(
        **{
            "schedule": "retrain",
            "monitor": {"log": "log", "metric": "brier", "retrain": retrain},
            "gate": {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "brier", "min_improvement": 0.001}},
            **changes,
        }
    )


def decision(action: Action) -> RetrainingDecision:
    trigger = Trigger(TriggerKind.NEW_LABELS, 1_000)
    return RetrainingDecision(True, trigger.kind, f"{action.text}: labels are new", trigger, action=action)


def shifted(site: Site, span: int, by: float = 1.5) -> None:
    """A span of 1,000 rows in which the label is more often true than `a` says, by so much."""
    path = site.arrive(span)
    rows = pd.read_parquet(path)
    noise = np.random.default_rng(1000 + span).normal(size=len(rows))
    rows.assign(y=rows["a"] + noise + by > 0).to_parquet(path)


def start(installation: Installation, made: Pipeline, action: Action | None = None, **options: Any) -> RunRecords:
    found = run_in(installation, made, retraining=decision(action) if action is not None else None, **options)
    assert found.summary is not None
    return found


def run_of(client: MlflowClient, found: RunRecords) -> Run:
    assert found.summary is not None
    return client.get_run(found.summary.mlflow_run)


def features_of(found: RunRecords) -> FeatureSet:
    assert found.features is not None
    return found.features


def test_a_champion_is_recalibrated_on_the_rows_that_it_has_not_learned_from(site: Site, installation: Installation) -> None:
    client, recalibrate = installation.client, Action(action="recalibrate")
    made = pipeline(site, "recalibrate")
    assert start(installation, made).candidate is not None
    shifted(site, 3)
    shifted(site, 4)
    edited = made.model_copy(update={"model": made.model.model_copy(update={"params": {"C": 0.5}})})
    second = start(installation, edited, recalibrate)
    assert second.candidate is not None
    assert "0.5" not in second.candidate.params, "the estimator of the champion is kept"
    assert second.summary is not None
    assert second.evaluation is not None
    assert (second.summary.outcome, second.summary.retraining) == (Outcome.PROMOTED, "recalibrate: labels are new")
    (brier,) = [each for each in second.evaluation.metrics if each.metric == "brier"]
    assert brier.difference is not None
    assert brier.difference.high < -0.01, "lower is better"
    run = run_of(client, second)
    assert json.loads(run.data.tags[tags.ACTION]) == {"action": "recalibrate"}
    assert (run.data.params["recalibration.version"], run.data.params["recalibration.spans"]) == ("1", "3")
    assert run.data.metrics["recalibration.rows"] == 1000
    assert run.data.metrics["recalibration.squared_error_after"] < run.data.metrics["recalibration.squared_error_before"]
    version = client.get_model_version(made.name, "2").tags
    assert (version[tags.PREVIOUS], json.loads(version[tags.ACTION])) == ("1", {"action": "recalibrate"})

    first, recalibrated = (load_trusted(client.tracking_uri, made.name, number) for number in (1, 2))
    rows = read_rows(second.snapshot.evaluation, installation.store) if second.snapshot is not None else pd.DataFrame()
    before, after = (model.get_raw_model().predict_proba(rows)[:, 1] for model in (first, recalibrated))
    assert first.get_raw_model().estimator[-1].coef_.tolist() == recalibrated.get_raw_model().estimator[-1].coef_.tolist()
    assert (np.argsort(before) == np.argsort(after)).all()
    assert abs(after.mean() - rows["y"].mean()) < 0.03 < abs(before.mean() - rows["y"].mean())
    explained = explainer_of(recalibrated)(
        {name: rows[name].head(1).tolist() for name in recalibrated.get_raw_model().columns.names}
    )
    (row,) = explained.rows
    assert (explained.method, explained.unit, row.of) == ("sampling", "probability", "True")
    assert row.base + sum(row.contributions.values()) == pytest.approx(after[0])
    served = compiled_predictor(recalibrated, None)
    assert served.plan.startswith(COMPILED), "as fast as before"
    cells = {name: rows[name].tolist() for name in served.columns.names}
    assert np.asarray(served.predict(cells))[:, 1].tolist() == after.tolist()

    shifted(site, 5, by=-1.5)
    shifted(site, 6, by=-1.5)
    third = run_of(client, start(installation, made, recalibrate)).data
    assert (third.params["recalibration.version"], third.params["recalibration.spans"]) == ("1", "5")
    version = client.get_model_version(made.name, "3").tags
    assert version[tags.PREVIOUS] == "2", "the champion; its own recalibration is replaced"
    with pytest.raises(DataError, match=r"version 1 has learned from all training spans \(1\), so no rows are left"):
        run_in(installation, made, span="2", retraining=decision(recalibrate))


def test_a_recalibration_that_improves_nothing_does_not_pass_the_gate(site: Site, installation: Installation) -> None:
    made = pipeline(site, "recalibrate")
    start(installation, made)
    site.arrive(3)
    site.arrive(4)
    found = start(installation, made, Action(action="recalibrate"))
    assert found.summary is not None
    assert (found.summary.outcome, found.promotion) == (Outcome.UNDECIDED, None), "the required improvement is not shown"


def test_many_rows_may_be_recalibrated_by_isotonic_regression(site: Site, installation: Installation) -> None:
    """A half of the rows with a positive `a` has the label, and nearly none of the others: a step is no line."""
    client, made = installation.client, pipeline(site, "recalibrate")
    start(installation, made)
    for span in (3, 4):
        path = site.arrive(span)
        rows, rng = pd.read_parquet(path), np.random.default_rng(span)
        rows.assign(y=rng.uniform(size=len(rows)) < np.where(rows["a"] > 0, 0.5, 0.02)).to_parquet(path)
    found = start(installation, made, Action(action="recalibrate"))
    assert found.summary is not None
    assert found.snapshot is not None
    assert found.summary.outcome is Outcome.PROMOTED
    run = run_of(client, found).data
    assert run.params["recalibration.map"] == "isotonic"
    assert run.metrics["recalibration.log_loss_isotonic"] < run.metrics["recalibration.log_loss_line"]
    assert run.metrics["recalibration.squared_error_after"] < run.metrics["recalibration.squared_error_before"]

    first, loaded = (load_trusted(client.tracking_uri, made.name, number) for number in (1, 2))
    model, rows = loaded.get_raw_model(), read_rows(found.snapshot.evaluation, installation.store)
    assert model.calibration is None
    before, after = (each.get_raw_model().predict_proba(rows)[:, 1] for each in (first, loaded))
    assert (np.diff(after[np.argsort(before)]) >= 0).all()
    assert abs(after[rows["a"] > 1].mean() - 0.5) < 0.06 < before[rows["a"] > 1].mean() - 0.5
    assert loaded.metadata.signature == first.metadata.signature
    served = compiled_predictor(loaded, None)
    assert served.plan.startswith(COMPILED), "as fast as before"
    assert (
        np.asarray(served.predict({name: rows[name].tolist() for name in served.columns.names}))[:, 1].tolist()
        == after.tolist()
    )
    explained = explainer_of(loaded)({name: rows[name].head(1).tolist() for name in model.columns.names})
    (row,) = explained.rows
    assert (explained.method, explained.unit) == ("sampling", "probability")
    assert row.base + sum(row.contributions.values()) == pytest.approx(after[0])

    shifted(site, 5)
    shifted(site, 6)
    start(installation, made, Action(action="recalibrate"))
    version = load_trusted(client.tracking_uri, made.name, 3).get_raw_model()
    assert (version.knots, len(version.calibration)) == (None, 1), "the new map replaces the old one"


def test_a_warm_start_rehearses_a_sample_of_earlier_spans(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    action = Action.model_validate({"action": "warm_start", "rehearsal": {"rows": 301}})
    made = pipeline(site, action.what, model=SGD)
    start(installation, made)
    for span in (3, 4, 5):
        site.arrive(span)
    found = start(installation, made, action)
    features, run = features_of(found), run_of(installation.client, found)
    assert features.rehearsed == {"1": 100, "2": 100, "3": 101}
    assert (features.row_count, run.data.metrics["train.rows"]) == (1301, 1301)
    assert (run.data.params["rehearsal.rows"], run.data.params["rehearsal.spans"]) == ("301", "100 of 1, 100 of 2, 101 of 3")
    assert "301 of 3,000 rows of the spans 1, 2, 3 are rehearsed" in caplog.text
    assert json.loads(run.data.tags[tags.ACTION]) == {"action": "warm_start", "rehearsal": {"rows": 301}}
    assert installation.client.get_model_version(made.name, "2").tags[tags.PREVIOUS] == "1"
    raw, rows = RawRows(features, installation.store), read_training_rows(features, installation.store)[0]
    everything = np.arange(features.row_count)
    assert raw.rows(everything)["y"].tolist() == rows.labels.tolist(), "the same rows in the same order"
    assert raw.table(everything)["id"].to_pylist() == raw.rows(everything)["id"].tolist()
    drawn = raw.rows(everything)["id"].to_numpy() // 10_000
    assert np.bincount(drawn).tolist() == [0, 100, 100, 101, 1000]
    assert len(set(raw.rows(everything)["id"])) == 1301, "no row is drawn twice"


def test_a_larger_rehearsal_contains_a_smaller_one(site: Site, installation: Installation) -> None:
    made = pipeline(site, model=SGD)
    start(installation, made)
    site.arrive(3)
    ids = []
    for share in (0.1, 0.2):
        action = Action.model_validate({"action": "retrain", "rehearsal": {"spans": 1, "share": share}})
        found = run_in(installation, made, until="transform", span="3", retraining=decision(action))
        rows = RawRows(features_of(found), installation.store).rows(np.arange(round(1000 * share)))
        ids.append({int(each) for each in rows["id"]})
    assert [len(each) for each in ids] == [100, 200]
    assert ids[0] < ids[1]


def test_a_training_reads_as_many_spans_as_its_action_says(site: Site, installation: Installation) -> None:
    made = pipeline(site)
    start(installation, made)
    for span in (3, 4, 5):
        site.arrive(span)

    def spans(action: Action) -> list[str]:
        found = run_in(installation, made, until="ingest", retraining=decision(action))
        assert found.snapshot is not None
        assert [span.name for span in found.snapshot.evaluation] == ["5"]
        return [span.name for span in found.snapshot.training]

    assert spans(Action(action="retrain")) == ["4"]
    assert spans(Action(action="retrain", window=3)) == ["2", "3", "4"]
    assert spans(Action(action="retrain", window=99)) == ["1", "2", "3", "4"], "as many as there are"
    assert spans(Action(action="retrain", window="all")) == ["1", "2", "3", "4"]


def test_a_training_begins_anew_if_a_warm_start_is_another_action(site: Site, installation: Installation) -> None:
    (site.folder / "own.py").write_text(FUNCTION)
    function = str(site.folder / "own.py")
    made = pipeline(site, "warm_start", model={"train": f"{function}:train"})
    start(installation, made)
    site.arrive(3)
    started_from = []
    for action in (None, Action(action="warm_start"), Action(action="retrain")):
        found = start(installation, made, action, span="3")
        assert found.candidate is not None
        version = installation.client.get_model_version(made.name, str(found.candidate.version)).tags
        started_from.append(version.get(tags.PREVIOUS))
    assert started_from == ["1", "1", None]
    other = pipeline(site, "warm_start", model={"train": f"{function}:anew"})
    with pytest.raises(
        ConfigError, match=r"needs a function that gets the champion's estimator, but own.py:anew has no parameter previous"
    ):
        run_in(installation, other, span="3", retraining=decision(Action(action="warm_start")))


def test_numbers_are_recalibrated_by_a_line(site: Site, installation: Installation) -> None:
    def number(span: int, plus: float) -> None:
        path = site.arrive(span)
        rows = pd.read_parquet(path)
        rows.assign(y=2 * rows["a"] + np.random.default_rng(span).normal(size=len(rows)) + plus).to_parquet(path)

    made = pipeline(
        site,
        "recalibrate",
        model={"estimator": "sklearn.linear_model.Ridge"},
        gate={"thresholds": {"mae": 3}, "against_champion": {"metric": "mae", "min_improvement": 0.1}},
        monitor={"log": "log", "retrain": {"min_gain": 0.1, "actions": ["recalibrate", "retrain"]}},
    )
    schema = site.folder / "small.schema.yaml"
    schema.write_text(schema.read_text().replace("y: {type: boolean", "y: {type: number"))
    for span, plus in ((1, 0), (2, 0), (3, 5), (4, 5)):
        number(span, plus)
        if span == 2:
            start(installation, made)
    found = start(installation, made, Action(action="recalibrate"))
    assert found.summary is not None
    assert found.summary.outcome is Outcome.PROMOTED
    ((slope, intercept),) = load_trusted(installation.client.tracking_uri, made.name, 2).get_raw_model().calibration
    assert (slope, intercept) == (pytest.approx(1, abs=0.1), pytest.approx(5, abs=0.2))
