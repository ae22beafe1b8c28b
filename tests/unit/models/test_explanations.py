"""Explanations: equal to Shapley values by their definition, and adding up to the predictions of the model."""

import json
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from models.brute_force import shapley
from models.explained import MODEL, TYPES, Loaded, rows
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from helping import need_library
from taxiway.errors import ConfigError, DataError
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.encoding import raw_frame
from taxiway.models.contributions import contributions
from taxiway.models.explanations import explainer_of
from taxiway.models.row_model import RowModel
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.explain import explain

COLUMNS = FeatureColumns(("a", "b"), ("c", "d"), (), (), ())


def loaded(
    estimator: Any,
    classes: tuple[str, ...],
    *,
    accepts_missing: bool = False,
    threshold: float | None = None,
    background: bytes | None = None,
) -> Loaded:
    frame = raw_frame(rows(), MODEL.numeric, MODEL.categorical, TYPES)
    number = frame["a"].fillna(0.5) + (frame["c"] == "x") * 1.5 + np.random.default_rng(1).normal(size=len(frame))
    labels = pd.cut(number, [-np.inf, 0, 1, np.inf], labels=False) if len(classes) > 2 else number > 0.5
    target = np.asarray(labels) if classes else number.to_numpy() ** 2 + 0.1
    pipeline = make_pipeline(build_transform(COLUMNS, accepts_missing=accepts_missing), estimator).fit(frame, target)
    means = None
    if hasattr(estimator, "coef_"):
        means = np.asarray(pipeline.steps[0][1].transform(frame)).mean(axis=0).tolist()
    return Loaded(RowModel.of(pipeline, MODEL, classes, threshold, means, background))


TWO, THREE = ("early", "late"), ("early", "late", "never")
MODELS = {
    "boosting": (HistGradientBoostingClassifier(max_iter=20), TWO, True, "log_odds"),
    "boosting of three": (HistGradientBoostingClassifier(max_iter=10), THREE, True, "log_probability"),
    "boosting of numbers": (HistGradientBoostingRegressor(max_iter=20), (), True, "prediction"),
    "poisson": (HistGradientBoostingRegressor(loss="poisson", max_iter=20), (), True, "log_prediction"),
    "forest": (RandomForestClassifier(10, max_depth=5, random_state=0), TWO, False, "probability"),
    "forest of three": (RandomForestClassifier(10, max_depth=5, random_state=0), THREE, False, "probability"),
    "extra trees": (ExtraTreesRegressor(10, max_depth=5, random_state=0), (), False, "prediction"),
    "tree": (DecisionTreeRegressor(max_depth=4), (), False, "prediction"),
    "older boosting": (GradientBoostingClassifier(n_estimators=10), TWO, False, "log_odds"),
    "logistic": (LogisticRegression(), TWO, False, "log_odds"),
    "logistic of three": (LogisticRegression(), THREE, False, "log_probability"),
    "ridge": (Ridge(), (), False, "prediction"),
    "xgboost.XGBClassifier": ({"n_estimators": 10}, TWO, True, "log_odds"),
    "xgboost.XGBRegressor": ({"n_estimators": 10}, (), True, "prediction"),
    "lightgbm.LGBMClassifier": ({"n_estimators": 10, "verbose": -1}, THREE, True, "log_probability"),
    "lightgbm.LGBMRegressor": ({"n_estimators": 10, "verbose": -1}, (), True, "prediction"),
    "catboost.CatBoostClassifier": ({"iterations": 10, "verbose": False, "allow_writing_files": False}, TWO, True, "log_odds"),
}
LINKS = {
    "log_odds": lambda sums: 1 / (1 + np.exp(-sums)),
    "probability": lambda sums: sums,
    "prediction": lambda sums: sums,
    "log_prediction": np.exp,
}


@pytest.mark.parametrize("name", MODELS)
def test_base_and_contributions_add_up_to_the_prediction(name: str) -> None:
    estimator, classes, accepts_missing, unit = MODELS[name]
    if "." in name:
        need_library(name)
        library, _, kind = name.partition(".")
        estimator = getattr(__import__(library), kind)(**estimator)
    model = loaded(estimator, classes, accepts_missing=accepts_missing, threshold=0.3 if classes == TWO else None)
    some = rows(50)
    found = explainer_of(model)({column: some[column].where(some[column].notna(), None).tolist() for column in some})
    assert (found.unit, found.method) == (unit, "exact")
    assert len(found.rows) == 50
    expected = model.get_raw_model().predict_proba(some) if classes else model.get_raw_model().predict(some)["prediction"]
    for at, row in enumerate(found.rows):
        assert set(row.contributions) == {"a", "b", "c", "d"}
        total = row.base + sum(row.contributions.values())
        if classes == TWO:
            assert row.of == "late"
        if not classes:
            assert LINKS[unit](total) == pytest.approx(expected[at], rel=1e-4)
        elif unit != "log_probability":
            assert LINKS[unit](total) == pytest.approx(expected[at][classes.index(row.of)], rel=1e-4)
        if classes == THREE:
            assert classes.index(row.of) == expected[at].argmax()


def test_large_numbers_of_a_library_with_32_bit_floats_are_explained() -> None:
    need_library("xgboost.XGBRegressor")
    from xgboost import XGBRegressor

    frame = raw_frame(rows(2000), MODEL.numeric, MODEL.categorical, TYPES)
    labels = np.random.default_rng(5).normal(size=len(frame)) * 1.4e6
    pipeline = make_pipeline(build_transform(COLUMNS, accepts_missing=True), XGBRegressor()).fit(frame, labels)
    cells = {name: frame[name].astype("object").where(frame[name].notna(), None).tolist() for name in frame}
    assert explainer_of(Loaded(RowModel.of(pipeline, MODEL)))(cells).unit == "prediction"


def test_contributions_of_a_tree_are_shapley_values() -> None:
    chance = np.random.default_rng(3)
    features = chance.normal(size=(300, 3))
    tree = DecisionTreeRegressor(max_depth=4).fit(features, features[:, 0] * features[:, 1] + features[:, 2])
    nodes = tree.tree_

    def expected(row: np.ndarray, known: set[int], node: int = 0) -> float:
        """What the tree predicts if only some features are known: the mean over both branches of the others."""
        left, right, feature = nodes.children_left[node], nodes.children_right[node], nodes.feature[node]
        if left < 0:
            return float(nodes.value[node].item())
        if feature in known:
            return expected(row, known, left if np.float32(row[feature]) <= nodes.threshold[node] else right)
        weights = nodes.weighted_n_node_samples
        parts = [expected(row, known, child) * weights[child] / weights[node] for child in (left, right)]
        return sum(parts)

    contribute = contributions(tree, None)
    assert contribute is not None
    for row, found in zip(features[:5], contribute(features[:5]), strict=True):
        brute = shapley(lambda known, row=row: expected(row, known), 3)
        assert found[:, 0] == pytest.approx([*brute, expected(row, set())])


def test_contributions_of_a_linear_model_are_shapley_values() -> None:
    chance = np.random.default_rng(4)
    features = chance.normal(size=(200, 3))
    model = LogisticRegression().fit(features, features[:, 0] > features[:, 1])
    means = features.mean(axis=0)
    contribute = contributions(model, means.tolist())
    assert contribute is not None
    for row, found in zip(features[:5], contribute(features[:5]), strict=True):

        def value(known: set[int], row: np.ndarray = row) -> float:
            mixed = np.array([row[at] if at in known else means[at] for at in range(3)])
            return float(model.decision_function(mixed[None])[0])

        assert found[:, 0] == pytest.approx([*shapley(value, 3), value(set())])


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (HistGradientBoostingClassifier(max_iter=5, categorical_features=[2, 3]), "do not add up to its predictions"),
        (GaussianNB(), "its estimator is a GaussianNB"),
        (GradientBoostingClassifier(n_estimators=3, init="zero"), "its estimator is a GradientBoostingClassifier"),
    ],
)
def test_a_model_that_cannot_be_explained_says_why(estimator: Any, why: str) -> None:
    model = loaded(estimator, TWO, accepts_missing=isinstance(estimator, HistGradientBoostingClassifier))
    outcome = explain(
        lambda: explainer_of(model), MODEL, Rows(("a", "b", "c", "d"), [[1.0, 2.0, "x", "k"], [0.0, 0.0, "y", "l"]])
    )
    assert outcome.status == 422
    assert why in outcome.error


def test_the_other_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    old = loaded(LogisticRegression(), TWO)
    old.get_raw_model().means = None
    fit = Rows(("a", "b", "c", "d"), [[None, 1, None, "k"]])
    assert "train it again" in explain(lambda: explainer_of(old), MODEL, fit).error
    model = loaded(HistGradientBoostingClassifier(max_iter=5), TWO, accepts_missing=True)
    assert explain(lambda: explainer_of(model), MODEL, Rows(("a",), [[1]])).status == 400
    assert (
        explain(lambda: explainer_of(model), MODEL, Rows(("a", "b", "c", "d"), [["not a number", 1, "x", "k"]])).status == 400
    )
    with pytest.raises(DataError):
        explainer_of(model)({"a": ["?"], "b": [1], "c": ["x"], "d": ["k"]})
    answer = json.loads(explain(lambda: explainer_of(model), MODEL, fit).predictions)
    assert (answer["unit"], len(answer["rows"]), set(answer["rows"][0])) == ("log_odds", 1, {"of", "base", "contributions"})
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ConfigError, match=r"pip install 'taxiway\[explain\]'"):
        explainer_of(model)
