"""The raw rows that a training function gets: the same rows in the same order as the features, and how a model is served on them."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from helping import need_library
from taxiway import run
from taxiway.data.engine.read_rows import read_table
from taxiway.data.schema.model import Schema
from taxiway.errors import DataError, FitError
from taxiway.features.transform import TransformSpec, transform
from taxiway.records import FeatureSet, Snapshot, Span
from taxiway.records.recorder import InMemoryRecorder
from taxiway.registry.load import load_trusted
from taxiway.spec.model.section import Model
from taxiway.spec.pipeline import Features
from taxiway.store import Store
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import training_data
from taxiway.training.own.data import TrainingData
from taxiway.training.own.raw_rows import RawRows
from taxiway.training.own.training import estimator_of, first_rows, takes_frame
from taxiway.training.rows import read_training_rows

TYPES = {"x": "number", "c": "string", "d": "date", "y": "boolean"}


def span(folder: Path, store: Store, number: int, **more: Any) -> Span:
    """50 rows, in which `id` is not in the schema."""
    rng = np.random.default_rng(number)
    columns: dict[str, Any] = {
        "x": np.where(np.arange(50) % 9 == 0, np.nan, rng.random(50)),
        "c": [None if at % 7 == 0 else f"c{at % 3}" for at in range(50)],
        "d": [datetime.date(2024, 1, 1) + datetime.timedelta(days=7 * at) for at in range(50)],
        "y": rng.random(50) < 0.4,
        "id": np.arange(50) + 1000 * number,
    }
    pd.DataFrame(columns | more).to_parquet(folder / f"{number}.parquet")
    return Span(source="s", name=str(number), rows=50, content=store.put_file(folder / f"{number}.parquet"))


def feature_set(store: Store, *spans: Span) -> FeatureSet:
    features = [{"name": name, "type": kind, "presence": 0} for name, kind in TYPES.items()]
    snapshot = Snapshot(pipeline="a.b", training=spans, evaluation=spans[:1])
    store.put(snapshot)
    return transform(
        snapshot,
        Schema.model_validate({"label": "y", "features": features}),
        TransformSpec(Features(), label="y", problem="classification", accepts_missing=True),
        store=store,
        recorder=InMemoryRecorder(),
    )


def data_of(features: FeatureSet, store: Store, names: tuple[str, ...] | None = None) -> TrainingData:
    rows, columns = read_training_rows(features, store)
    return training_data(rows, features.classes, names or columns, raw=RawRows(features, store))


def test_raw_rows_are_those_of_the_features_in_the_same_order(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    features = feature_set(store, span(tmp_path, store, 1), span(tmp_path, store, 2, more=1.5))
    data = data_of(features, store)
    sides = (
        (data.matrix, data.labels, data.rows, data.table, data.frame),
        (data.validation_matrix, data.validation_labels, data.validation_rows, data.validation_table, data.validation_frame),
    )
    seen: list[int] = []
    for matrix, labels, rows, table, frame in sides:
        assert np.array_equal(rows["x"], matrix[:, data.columns.index("numeric__x")], equal_nan=True)
        assert np.array_equal(rows["y"], labels == 1)
        assert [*rows.index] == [*frame.index] == [*range(len(matrix))]
        assert [*rows.columns] == table.column_names == ["x", "c", "d", "y", "id", "more"]
        assert table.column("id").to_pylist() == rows["id"].tolist()
        assert table.column("more").null_count == (rows["id"] < 2000).sum()
        assert [*frame.columns] == ["x", "d", "c"]
        assert list(frame["c"]) == [None if pd.isna(value) else value for value in rows["c"]]
        assert frame["d"].tolist() == [(day - datetime.date(1970, 1, 1)).days * 86_400.0 for day in rows["d"]]
        seen += rows["id"].tolist()
    assert sorted(seen) == [*range(1000, 1050), *range(2000, 2050)]


def test_types_of_spans_that_arrow_does_not_unite_are_a_sentence(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    first = span(tmp_path, store, 1)
    wider = read_table((first, span(tmp_path, store, 2, id=np.full(50, 0.5))), store)
    assert str(wider.schema.field("id").type) == "double"
    with pytest.raises(DataError, match=r"because a column has several types: .*id.*; read them as a DataFrame"):
        read_table((first, span(tmp_path, store, 3, id=["a"] * 50)), store)


def test_features_with_the_names_of_raw_columns_are_not_mistaken_for_them(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    features = feature_set(store, span(tmp_path, store, 1, c=None, d=None))
    made = LogisticRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0, 1])
    with pytest.raises(FitError, match=r"fitted to the columns .x., which can be raw columns and features of the matrix"):
        estimator_of(made, data_of(features, store, ("x",)), "classification", "own.py:train")


@pytest.mark.parametrize("path", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier", "catboost.CatBoostClassifier"])
def test_an_estimator_takes_what_it_was_fitted_to(tmp_path: Path, path: str) -> None:
    """Each library keeps the names of the columns in its own way, and has other names for those of an array."""
    need_library(path)
    store = Store(str(tmp_path / "store"))
    data = data_of(feature_set(store, span(tmp_path, store, 1, c=None)), store)
    for on_frame in (True, False):
        made = build_estimator(Model(estimator=path, params={"n_estimators": 2}), {}, "classification")
        made.fit(data.frame if on_frame else data.matrix, data.labels)
        assert takes_frame(made, data) is on_frame
        given = first_rows(made, data)[: len(data.matrix)]
        assert np.array_equal(given, data.frame if on_frame else data.matrix, equal_nan=True)


@pytest.mark.parametrize(
    "change",
    [lambda frame: frame[["d", "x"]], lambda frame: frame.rename(columns=str.upper), lambda frame: frame[["x"]]],
    ids=["order", "names", "fewer"],
)
def test_an_estimator_of_other_columns_is_refused(tmp_path: Path, change: Any) -> None:
    """It would be served on the transformed features, whose number may be the same."""
    store = Store(str(tmp_path / "store"))
    data = data_of(feature_set(store, span(tmp_path, store, 1, c=None)), store)
    made = HistGradientBoostingClassifier(max_iter=2).fit(change(data.frame), data.labels)
    with pytest.raises(FitError, match=r"allowed: data.matrix, or data.frame with all of its columns in their order"):
        estimator_of(made, data, "classification", "own.py:train")


class Mean:
    """Answers by the mean of the rows of a call."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"scale": self.scale}

    def predict_proba(self, matrix: Any) -> Any:
        numbers = np.nan_to_num(np.asarray(matrix, dtype=float)[:, 0])
        yes = 1 / (1 + np.exp(-np.clip(self.scale * (numbers - numbers.mean()), -500, 500)))
        return np.column_stack([1 - yes, yes])


@pytest.mark.parametrize("scale", [0.01, 1, 1e6])
def test_a_model_that_answers_by_the_other_rows_is_refused(tmp_path: Path, scale: float) -> None:
    """Also one whose probabilities are nearly all 0 or 1, whatever the mean is."""
    store = Store(str(tmp_path / "store"))
    data = data_of(feature_set(store, span(tmp_path, store, 1)), store)
    with pytest.raises(FitError, match="depends on the other rows of the call"):
        estimator_of(Mean(scale), data, "classification", "own.py:train")


def test_a_model_that_fails_without_a_value_is_refused(tmp_path: Path) -> None:
    """It was fitted to a frame without missing categories, and would fail for the first request with one."""
    store = Store(str(tmp_path / "store"))
    data = data_of(feature_set(store, span(tmp_path, store, 1, d=None)), store)
    frame = data.frame.fillna({"c": "?", "x": 0})
    made = make_pipeline(make_column_transformer((OneHotEncoder(), ["c"]), remainder="passthrough"), LogisticRegression())
    with pytest.raises(FitError, match="Rows without a value in a column where one may be missing are tried too"):
        estimator_of(made.fit(frame, data.labels), data, "classification", "own.py:train")


PIPELINE = """pipeline: raw
team: own
template: continuous_training
source: {spans: "{data}/{SPAN}.parquet", window: 1, label: y}
schema: raw.schema.yaml
features: {drop: [id]}
model:
  train: raw.py:train
  threshold: {by: accuracy}
gate:
  min_rows: 100
  thresholds: {roc_auc: 0.6}
  against_champion: {metric: roc_auc, min_improvement: -0.1}
"""
CODE = """import json


class Shares:
    takes_frame = True

    def __init__(self, shares):
        self.shares = shares

    def predict_proba(self, frame):
        import numpy as np

        found = np.array([self.shares.get(str(value), 0.5) for value in frame["c"]])
        return np.column_stack([1 - found, found])

    def save(self, folder):
        (folder / "shares.json").write_text(json.dumps(self.shares))

    @classmethod
    def load(cls, folder):
        return cls(json.loads((folder / "shares.json").read_text()))


def train(data, params, previous):
    assert data.rows["id"].is_unique
    known = {} if previous is None else previous.shares
    shares = data.rows["y"].groupby(data.frame["c"].map(str)).mean()
    data.frame.loc[:, "c"] = "z"  # of this copy only
    return Shares({**known, **{name: float(share) for name, share in shares.items()}})
"""


def test_a_class_that_takes_the_frame_is_served_on_raw_columns(tmp_path: Path) -> None:
    """Two spans with other categories: the second model knows those of the champion, and answers to rows of the source."""
    (tmp_path / "data").mkdir()
    rng = np.random.default_rng(3)
    for number, letters in ((1, "ab"), (2, "ab"), (3, "abc")):
        c = rng.choice([*letters, None], 400)
        y = rng.random(400) < np.where(c == "a", 0.9, 0.2)
        pd.DataFrame({"c": c, "id": np.arange(400), "y": y}).to_parquet(tmp_path / "data" / f"{number}.parquet")
    schema = "label: y\nfeatures:\n  c: {type: string, presence: optional}\n  id: {type: integer}\n  y: {type: boolean}\n"
    for name, text in (("raw.pipeline.yaml", PIPELINE), ("raw.schema.yaml", schema), ("raw.py", CODE)):
        (tmp_path / name).write_text(text)
    for outcome in ("FIRST_CHAMPION", "PROMOTED"):
        found = run(tmp_path / "raw.pipeline.yaml", data=str(tmp_path / "data"), home=tmp_path / "home")
        assert (found.summary and str(found.summary.outcome)) == outcome
    assert found.candidate is not None
    assert found.candidate.threshold is not None
    assert 0.2 < found.candidate.threshold < 0.9
    model = load_trusted(f"sqlite:///{tmp_path}/home/mlflow.db", "own.raw", 2, code=tmp_path).get_raw_model()
    a, new, missing = model.predict_proba(pd.DataFrame({"c": ["a", "q", None], "more": 1}))[:, 1]
    assert a > 0.8
    assert new == 0.5
    assert missing < 0.4
