"""Classifiers learn the positions of the classes, whatever the labels look like and whatever estimator is around them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helping import need_library
from taxiway.data.schema.model import Schema
from taxiway.errors import ConfigError, FitError
from taxiway.features.transform import TransformSpec, transform
from taxiway.records import FeatureSet, Snapshot, Span
from taxiway.records.recorder import InMemoryRecorder
from taxiway.spec.model.section import EarlyStopping, Model
from taxiway.spec.pipeline import Features
from taxiway.store import Store
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit
from taxiway.training.rows import TrainingRows
from taxiway.training.safe_parameters import unsafe_parameters
from taxiway.training.train import row_model, train

CATBOOST = "catboost.CatBoostClassifier"


def catboost(**params: Any) -> Any:
    need_library(CATBOOST)
    from catboost import CatBoostClassifier

    return CatBoostClassifier(**{"iterations": 10, "verbose": False, "allow_writing_files": False, **params})


def of(labels: list[Any], rows: int = 200) -> TrainingRows:
    chosen = np.arange(rows) % len(labels)
    return TrainingRows(np.column_stack([chosen, np.zeros(rows)]).astype(float), np.array(labels)[chosen], "y")


AROUND: dict[str, Callable[[], Any]] = {
    "alone": catboost,
    "pipeline": lambda: make_pipeline(StandardScaler(), catboost()),
    "calibrated": lambda: CalibratedClassifierCV(catboost(), cv=2),
    "searched": lambda: GridSearchCV(catboost(), {"depth": [2]}, cv=2),
}


@pytest.mark.parametrize("labels", [["10", "9"], ["-1", "-2"], ["1.0", "0.5", "2"], [*map(str, range(12))]], ids=str)
@pytest.mark.parametrize("around", AROUND)
def test_texts_that_look_like_numbers_keep_their_order(around: str, labels: list[str]) -> None:
    estimator, rows = AROUND[around](), of(labels)
    fit(estimator, rows)
    predicted = np.unique(labels)[estimator.predict_proba(rows.matrix).argmax(axis=1)]
    assert (predicted == rows.labels).all()


def weighted(value: Any) -> list[Any]:
    by_class = {"class_weight": value}
    return [
        LogisticRegression(**by_class),
        make_pipeline(StandardScaler(), LogisticRegression(**by_class)),
        GridSearchCV(LogisticRegression(), {"class_weight": [value]}, cv=2),
    ]


@pytest.mark.parametrize(
    ("labels", "weights"),
    [
        (["no", "yes"], {"no": 1, "yes": 20}),
        ([1, 2], {1: 1, 2: 20}),
        ([False, True], {False: 1, True: 20}),
        ([0.0, 1.0], {0: 1, 1: 20}),
    ],
    ids=str,
)
@pytest.mark.parametrize("at", range(3))
def test_weights_by_class_are_those_of_the_classes_that_they_name(labels: list[Any], weights: Any, at: int) -> None:
    rows = replace(of(labels), matrix=np.random.default_rng(1).random((200, 2)))
    estimator = weighted(weights)[at]
    fit(estimator, rows)
    assert estimator.predict_proba(rows.matrix)[:, 1].min() > 0.8


def test_weights_by_class_of_catboost_and_those_of_other_classes() -> None:
    rows = replace(of(["no", "yes"]), matrix=np.random.default_rng(1).random((200, 2)))
    estimator = catboost(class_weights={"yes": 20, "no": 1})
    fit(estimator, rows)
    assert estimator.predict_proba(rows.matrix)[:, 1].min() > 0.5
    with pytest.raises(FitError, match='class_weight has a weight of the class "maybe"; the classes are "no", "yes"'):
        fit(LogisticRegression(class_weight={"maybe": 2}), rows)


def test_a_classifier_that_orders_its_classes_otherwise_is_refused() -> None:
    with pytest.raises(FitError, match="was fitted to the classes 1, 0; required: 0, 1, the positions of the classes of y"):
        fit(catboost(class_names=[1, 0]), of(["no", "yes"]))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"class_names": [1, 0]}, "CatBoostClassifier.class_names is set, but the classes are those of the label"),
        ({"classes_count": 3}, "CatBoostClassifier.classes_count is set"),
        ({"metric_period": 5}, "CatBoostClassifier.metric_period is 5, but the history has each iteration; remove it"),
    ],
)
def test_parameters_of_catboost_that_change_columns_or_history_are_refused(params: dict[str, Any], words: str) -> None:
    need_library(CATBOOST)
    with pytest.raises(ConfigError, match=words):
        build_estimator(Model(estimator=CATBOOST, params=params), {}, "classification")


def test_names_of_columns_have_blanks_and_numbers_come_in_arrays() -> None:
    need_library(CATBOOST)
    assert unsafe_parameters(catboost(cat_features=["pick up"], monotone_constraints={"drop off": 1})) == []
    assert unsafe_parameters(catboost(class_weights=np.array([1.0, 2.0]))) == []
    assert unsafe_parameters(catboost(devices=np.array(["0 x"]))) != []
    assert unsafe_parameters(catboost(cat_features=["a\nb"])) != []


@pytest.fixture(scope="module")
def features_and_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureSet, Store]:
    folder = tmp_path_factory.mktemp("classes")
    store, numbers = Store(str(folder / "store")), np.random.default_rng(1).random(200)
    pd.DataFrame({"a": numbers, "y": np.where(numbers > 0.5, "10", "9")}).to_parquet(folder / "rows.parquet")
    span = Span(source="s", name="1", rows=200, content=store.put_file(folder / "rows.parquet"))
    snapshot = Snapshot(pipeline="a.b", training=(span,), evaluation=(span,))
    store.put(snapshot)
    schema = Schema.model_validate(
        {"label": "y", "features": [{"name": "a", "type": "number"}, {"name": "y", "type": "string"}]}
    )
    made = transform(
        snapshot,
        schema,
        TransformSpec(Features(), label="y", problem="classification", accepts_missing=True),
        store=store,
        recorder=InMemoryRecorder(),
    )
    return made, store


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (CATBOOST, {"class_weights": [1, 5]}),
        (CATBOOST, {"class_weights": {"9": 5, "10": 1}}),
        (CATBOOST, {"monotone_constraints": [0]}),
        ("lightgbm.LGBMClassifier", {"monotone_constraints": [0], "verbose": -1}),
        ("lightgbm.LGBMClassifier", {"class_weight": {"9": 5, "10": 1}, "verbose": -1}),
        ("xgboost.XGBClassifier", {"eval_metric": ["error", "logloss"]}),
    ],
    ids=str,
)
def test_parameters_that_are_lists_and_mappings_are_trained_with(
    path: str, params: dict[str, Any], features_and_store: tuple[FeatureSet, Store]
) -> None:
    need_library(path)
    features, store = features_and_store
    model = Model(estimator=path, params={"n_estimators": 10, **params})
    tried: list[Any] = []
    fitted = train(features, model, {}, store=store, recorder=InMemoryRecorder(), check=tried.append)
    assert len(tried) == 1
    numbers = np.array([0.1, 0.9])
    assert row_model(fitted, features).predict(pd.DataFrame({"a": numbers}))["prediction"].tolist() == ["9", "10"]


@pytest.mark.parametrize(
    "params",
    [{"monotone_constraints": {"f0": 0}}, {"monotone_constraints": [0]}, {"interaction_constraints": [["a"]]}],
    ids=str,
)
def test_lists_and_mappings_that_xgboost_cannot_use_are_an_error_about_the_fit(
    params: dict[str, Any], features_and_store: tuple[FeatureSet, Store]
) -> None:
    """Its columns have no names here."""
    features, store = features_and_store
    model = Model(estimator="xgboost.XGBClassifier", params={"n_estimators": 3, **params})
    with pytest.raises(FitError):
        train(features, model, {}, store=store, recorder=InMemoryRecorder(), check=lambda _: None)


def test_a_fit_without_rules_has_no_callback_in_catboost_and_the_same_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """CatBoost copies its whole history for each call."""
    estimator, called = catboost(), []
    whole = type(estimator).fit
    monkeypatch.setattr(type(estimator), "fit", lambda self, *args, **more: called.append(more) or whole(self, *args, **more))
    fit(estimator, of(["a", "b"]), EarlyStopping(rounds=5))
    assert "callbacks" not in called[0]
    assert {part: len(values["Logloss"]) for part, values in estimator.evals_result_.items()} == {"learn": 10, "validation": 10}


def test_a_fit_does_not_go_on_from_an_estimator_of_named_classes() -> None:
    older = SGDClassifier(loss="log_loss").fit(of(["a", "b"]).matrix, of(["a", "b"]).labels)
    with pytest.raises(FitError, match="SGDClassifier could not be fitted"):
        fit(SGDClassifier(loss="log_loss"), of(["a", "b"]), previous=older)
