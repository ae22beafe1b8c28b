"""Baselines: what scikit-learn makes of the same rows, fitted once, and left out if they cannot be fitted."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from taxiway.data.ingest.ingest import ingest
from taxiway.data.sources.files import find_spans
from taxiway.evaluation.baselines import fit as baselines
from taxiway.evaluation.baselines.fit import fit_baselines
from taxiway.evaluation.threshold import ThresholdRule
from taxiway.features import raw_frame
from taxiway.records import FeatureSet, Snapshot
from taxiway.spec.model.threshold import ChosenThreshold
from taxiway.spec.own_metric import OwnMetric
from taxiway.store import Store

ROWS = 1_000
EVERY = ["linear", "dummy"]
COSTS = OwnMetric(costs={"True": {"False": 9}, "False": {"True": 1}})


def rows_with(labels: Any) -> pd.DataFrame:
    """A column of numbers of which some are missing, and one of categories."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=ROWS), rng.choice(list("xyz"), ROWS)
    signal = a + (b == "x") + rng.normal(size=ROWS)
    return pd.DataFrame({"a": np.where(rng.random(ROWS) < 0.1, np.nan, a), "b": b, "y": labels(signal)})


def made(tmp_path: Path, rows: pd.DataFrame, classes: tuple[str, ...]) -> tuple[FeatureSet, Snapshot, Store]:
    source = tmp_path / "source"
    source.mkdir()
    for span in (1, 2):
        rows.to_parquet(source / f"{span}.parquet")
    store = Store(str(tmp_path / "store"))
    snapshot = ingest(find_spans(f"{source}/{{SPAN}}.parquet"), pipeline="f.y", source="s", store=store)
    features = FeatureSet(
        snapshot=snapshot.digest,
        schema_version="s",
        numeric=("a",),
        categorical=("b",),
        label="y",
        classes=classes,
        transform="t",
        rows="r",
        row_count=len(rows),
    )
    return features, snapshot, store


def predicted(made: tuple[FeatureSet, Snapshot, Store], rows: pd.DataFrame) -> dict[str, Any]:
    frame = raw_frame(rows, ("a",), ("b",))
    return {one.record.name: one.predict(frame) for one in fit_baselines(*made)}


def by_hand(rows: pd.DataFrame) -> np.ndarray:
    numbers = StandardScaler().fit_transform(rows[["a"]].fillna(rows["a"].median()))
    return np.hstack([numbers, pd.get_dummies(rows["b"]).to_numpy(dtype=float)])


@pytest.mark.parametrize(("values", "classes"), [((False, True), ("False", "True")), (("no", "yes"), ("no", "yes"))])
def test_probabilities_are_those_of_scikit_learn(tmp_path: Path, values: Any, classes: tuple[str, ...]) -> None:
    rows = rows_with(lambda signal: np.where(signal > 1, values[1], values[0]))
    found = predicted(made(tmp_path, rows, classes), rows)
    linear = LogisticRegression(tol=1e-3).fit(by_hand(rows), rows["y"]).predict_proba(by_hand(rows))
    assert found["linear"] == pytest.approx(linear, abs=1e-3)
    assert np.array_equal(found["dummy"], DummyClassifier(strategy="prior").fit(rows, rows["y"]).predict_proba(rows))


def test_numbers_are_those_of_scikit_learn(tmp_path: Path) -> None:
    rows = rows_with(lambda signal: 100 * signal)
    found = predicted(made(tmp_path, rows, ()), rows)
    assert found["linear"] == pytest.approx(Ridge().fit(by_hand(rows), rows["y"]).predict(by_hand(rows)), rel=1e-3, abs=1e-2)
    assert found["dummy"] == pytest.approx(DummyRegressor().fit(rows, rows["y"]).predict(rows))


def test_a_retry_loads_them_and_reads_no_rows(tmp_path: Path) -> None:
    rows = rows_with(lambda signal: signal > 1)
    features, snapshot, store = made(tmp_path, rows, ("False", "True"))
    first = fit_baselines(features, snapshot, store)
    with store.local_file(snapshot.training[0].content) as path:
        content = path.read_bytes()
    for path in Path(store.url).rglob("*"):
        if path.is_file() and path.read_bytes() == content:
            path.unlink()
    again = fit_baselines(features.model_copy(update={"transform": "of another estimator"}), snapshot, store)
    assert [one.record for one in again] == [one.record for one in first]
    assert [one.record.name for one in again] == EVERY
    frame = raw_frame(rows, ("a",), ("b",))
    assert all(np.array_equal(one.predict(frame), other.predict(frame)) for one, other in zip(first, again, strict=True))
    shutil.rmtree(store.url)
    assert fit_baselines(features, snapshot, store) == (), "rows that are lost are no error"


def test_at_most_so_many_rows_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = made(tmp_path, rows_with(lambda signal: signal > 1), ("False", "True"))
    monkeypatch.setattr(baselines, "_MAX_ROWS", 300)
    assert [one.record.rows for one in fit_baselines(*given)] == [300, 300]


@pytest.mark.parametrize(("given_threshold", "costs"), [(0.3, None), (ChosenThreshold(by="cost"), COSTS)])
def test_the_threshold_is_found_as_that_of_the_candidate(
    tmp_path: Path, given_threshold: float | ChosenThreshold, costs: OwnMetric | None
) -> None:
    """If missing a "True" costs nine times as much, the linear model predicts it from about 0.1, and the dummy model always does."""
    features, snapshot, store = made(tmp_path, rows_with(lambda signal: signal > 1), ("False", "True"))
    rule = ThresholdRule(given_threshold, costs)
    linear, dummy = fit_baselines(features, snapshot, store, rule)
    if costs is None:
        assert (linear.threshold, dummy.threshold) == (0.3, 0.3)
        return
    assert linear.threshold is not None and 0.03 < linear.threshold < 0.3
    assert dummy.threshold is not None and dummy.threshold < dummy.predict(raw_frame(rows_with(np.sign), ("a",), ("b",)))[0, 1]
    assert [one.record for one in fit_baselines(features, snapshot, store, rule)] == [linear.record, dummy.record]
    assert [one.threshold for one in fit_baselines(features, snapshot, store)] == [None, None]


def test_a_class_of_one_row_leaves_the_threshold_at_a_half(tmp_path: Path) -> None:
    rows = rows_with(lambda signal: np.arange(len(signal)) == 7)
    given = made(tmp_path, rows, ("False", "True"))
    found = fit_baselines(*given, ThresholdRule(ChosenThreshold(by="f1")))
    assert [one.record.name for one in found] == EVERY


def test_a_baseline_that_cannot_be_fitted_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A logistic regression needs two classes."""
    given = made(tmp_path, rows_with(lambda signal: signal < np.inf), ("False", "True"))
    (dummy,) = fit_baselines(*given)
    assert (dummy.record.name, dummy.classes) == ("dummy", ("True",))
    assert "not compared with a linear model, which could not be fitted: ValueError: " in caplog.text
