"""Fitting: labels of any kind, early stopping on rows that are held out, the same model twice."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helping import need_library
from taxiway.errors import ConfigError, FitError
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import EarlyStopping, Model
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit, fit_on_few
from taxiway.training.rows import TrainingRows

BOOSTING: list[tuple[Problem, str, dict[str, Any]]] = [
    ("classification", "xgboost.XGBClassifier", {"n_estimators": 500, "learning_rate": 0.3}),
    ("regression", "xgboost.XGBRegressor", {"n_estimators": 500, "learning_rate": 0.3}),
    ("classification", "lightgbm.LGBMClassifier", {"n_estimators": 500, "learning_rate": 0.3, "verbose": -1}),
    ("regression", "lightgbm.LGBMRegressor", {"n_estimators": 500, "learning_rate": 0.3, "verbose": -1}),
    ("classification", "catboost.CatBoostClassifier", {"n_estimators": 500, "learning_rate": 0.3}),
    ("regression", "catboost.CatBoostRegressor", {"n_estimators": 500, "learning_rate": 0.3}),
    ("classification", "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 500, "learning_rate": 0.3}),
    ("regression", "sklearn.ensemble.GradientBoostingRegressor", {"n_estimators": 500, "learning_rate": 0.3}),
]


FEW = {path: {"n_estimators": 30} for _, path, _ in BOOSTING if "Hist" not in path} | {
    path: {"max_iter": 30} for _, path, _ in BOOSTING if "Hist" in path
}


def noisy(problem: Problem) -> TrainingRows:
    """Rows whose labels are mostly noise, so that boosting soon gets worse on other rows."""
    rng = np.random.default_rng(4)
    matrix = rng.random((600, 4))
    numbers = matrix[:, 0] + rng.normal(size=600)
    return TrainingRows(matrix, numbers if problem == "regression" else np.where(numbers > 0.5, "yes", "no"), "y")


def iterations(estimator: Any) -> int:
    for name in ("best_iteration", "best_iteration_", "n_iter_", "n_estimators_"):
        if getattr(estimator, name, None) is not None:
            return int(getattr(estimator, name))
    raise AssertionError(vars(estimator))


@pytest.mark.parametrize(("problem", "path", "params"), BOOSTING, ids=lambda value: str(value).rpartition(".")[2][:30])
def test_boosting_stops_when_it_gets_no_better_and_the_same_twice(problem: Problem, path: str, params: dict[str, Any]) -> None:
    need_library(path)
    rows, answers = noisy(problem), []
    for _ in range(2):
        estimator = build_estimator(Model(estimator=path, params=params), {}, problem)
        fit(estimator, rows, EarlyStopping(rounds=5, fraction=0.2))
        assert iterations(estimator) < 100
        answers.append(estimator.predict(rows.matrix))
    assert np.array_equal(*answers)


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("xgboost.XGBRegressor", {"eval_metric": "nope"}, "XGBoostError: Unknown metric function nope"),
        ("xgboost.XGBRegressor", {"objective": "nope"}, "XGBoostError: Unknown objective function: `nope`"),
        (
            "xgboost.XGBRegressor",
            {"monotone_constraints": (1,) * 99},
            "XGBoostError: The size of monotone constraint should be less or equal to the number of features.",
        ),
        ("lightgbm.LGBMRegressor", {"num_leaves": -1}, "LightGBMError: Check failed: (num_leaves) > (1)"),
        ("catboost.CatBoostRegressor", {"depth": 99}, "CatBoostError: Maximum tree depth is 16"),
    ],
)
def test_an_error_of_a_library_in_cpp_is_its_first_sentence(path: str, params: dict[str, Any], words: str) -> None:
    need_library(path)
    estimator = build_estimator(Model(estimator=path, params=params), {}, "regression")
    with pytest.raises(FitError) as refused:
        fit(estimator, noisy("regression"), EarlyStopping())
    assert str(refused.value).endswith(f"rows: {words}")


def test_an_estimator_without_early_stopping_says_so() -> None:
    estimator = build_estimator(Model(estimator="sklearn.linear_model.LogisticRegression"), {}, "classification")
    with pytest.raises(ConfigError, match="LogisticRegression has no early stopping"):
        fit(estimator, noisy("classification"), EarlyStopping())


@pytest.mark.parametrize("labels", [["b", "a", "c"], [3, 1, 2], [True, False, True], ["10", "9", "a"], [10, 9, 8]])
@pytest.mark.parametrize("path", ["xgboost.XGBClassifier", "catboost.CatBoostClassifier"])
def test_labels_of_any_kind_are_learned_in_the_order_of_the_classes(path: str, labels: list[Any]) -> None:
    need_library(path)
    chosen = np.arange(300) % 3
    matrix = np.column_stack([chosen, np.zeros(300)]).astype(float)
    estimator = build_estimator(Model(estimator=path, params={"n_estimators": 5}), {}, "classification")
    fit(estimator, TrainingRows(matrix, np.array(labels)[chosen], "y"))
    classes = np.unique(labels)
    predicted = classes[estimator.predict_proba(matrix).argmax(axis=1)]
    assert (predicted == np.array(labels)[chosen]).all()


@pytest.mark.parametrize("count", [2, 50, 3000])
def test_few_rows_have_every_class_of_a_label_with_few(count: int) -> None:
    rows = TrainingRows(np.zeros((6000, 1)), np.arange(6000) % count, "y").few()
    assert len(rows.labels) <= 1000
    assert len(set(rows.labels)) == min(count, 200)


@pytest.mark.parametrize(
    ("problem", "path", "params"),
    [
        *BOOSTING,
        ("classification", "sklearn.linear_model.LogisticRegression", {}),
        ("regression", "sklearn.linear_model.Ridge", {}),
    ],
    ids=lambda value: str(value).rpartition(".")[2][:30],
)
def test_a_row_without_weight_is_a_row_that_is_not_there(problem: Problem, path: str, params: dict[str, Any]) -> None:
    """Half of the rows have the opposite label and the weight 0: nothing is learned from them, not even when to stop."""
    need_library(path)
    rows = noisy(problem)
    opposite = -rows.labels if problem == "regression" else np.where(rows.labels == "yes", "no", "yes")
    weights = np.repeat([1.0, 0.0], len(rows.labels))
    both = TrainingRows(np.vstack([rows.matrix, rows.matrix]), np.concatenate([rows.labels, opposite]), "y", weights)
    estimator = build_estimator(Model(estimator=path, params={**params, **FEW.get(path, {})}), {}, problem)
    fit(estimator, both)
    right = estimator.predict(rows.matrix)
    if problem == "regression":
        assert np.corrcoef(right, rows.labels)[0, 1] > 0.2
    else:
        labels = np.unique(rows.labels, return_inverse=True)[1] if right.dtype.kind in "iu" else rows.labels
        assert (right == labels).mean() > 0.55


def test_an_estimator_that_takes_no_weights_says_so() -> None:
    rows = noisy("classification")
    weighted = TrainingRows(rows.matrix, rows.labels, "y", np.ones(len(rows.labels)))
    estimator = build_estimator(Model(estimator="sklearn.neighbors.KNeighborsClassifier"), {}, "classification")
    with pytest.raises(ConfigError, match="KNeighborsClassifier takes no sample_weight"):
        fit(estimator, weighted)


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("path", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier", "catboost.CatBoostClassifier"])
def test_a_class_of_one_row_is_learned_wherever_the_row_is(path: str, at: int) -> None:
    """It is never held out, so that every class is known, and the others are still stratified."""
    need_library(path)
    names = ["a", "b", "c"]
    rare = names.pop(at)
    rng = np.random.default_rng(7)
    for place in range(0, 300, 60):
        labels = np.array(names)[rng.integers(0, 2, 300)]
        labels[place] = rare
        params = {"n_estimators": 3, **({"verbose": -1} if "lightgbm" in path else {})}
        estimator = build_estimator(Model(estimator=path, params=params), {}, "classification")
        fit(estimator, TrainingRows(rng.random((300, 2)), labels, "y"), EarlyStopping(rounds=2))
        assert estimator.predict_proba(rng.random((4, 2))).shape == (4, 3)


def test_few_rows_are_those_that_count() -> None:
    """The first half of the rows weighs nothing."""
    weights = np.repeat([0.0, 1.0], 3000)
    few = TrainingRows(np.zeros((6000, 1)), np.arange(6000) % 2, "y", weights).few()
    assert few.weights is not None
    assert few.weights.min() == 1


WARM: list[tuple[Problem, str, dict[str, Any]]] = [
    *((problem, path, {**params, "n_estimators": 4}) for problem, path, params in BOOSTING if "sklearn" not in path),
    ("classification", "sklearn.linear_model.SGDClassifier", {"loss": "log_loss"}),
    ("regression", "sklearn.linear_model.SGDRegressor", {}),
    ("classification", "sklearn.naive_bayes.GaussianNB", {}),
]


@pytest.mark.parametrize(("problem", "path", "params"), WARM, ids=lambda value: str(value).rpartition(".")[2][:30])
def test_a_warm_start_trains_the_other_estimator_further_and_leaves_it_alone(
    problem: Problem, path: str, params: dict[str, Any]
) -> None:
    need_library(path)
    rows = noisy(problem)
    older, newer = rows.take(np.arange(300)), rows.take(np.arange(300, 600))
    model = Model(estimator=path, params=params, warm_start="champion")
    first, second, oracle = (build_estimator(model, {}, problem) for _ in range(3))
    fit(first, older)
    before = first.predict(rows.matrix)
    fit(second, newer, previous=first)
    assert np.array_equal(first.predict(rows.matrix), before)
    if hasattr(oracle, "partial_fit"):
        labels = np.unique(rows.labels, return_inverse=True)[1] if problem == "classification" else rows.labels
        oracle.fit(older.matrix, labels[:300]).partial_fit(newer.matrix, labels[300:])
        assert np.array_equal(second.predict(rows.matrix), oracle.predict(rows.matrix))
    else:
        assert trees_of(second) == 8
        assert not np.array_equal(second.predict(rows.matrix), before)


def trees_of(estimator: Any) -> int:
    if hasattr(estimator, "tree_count_"):
        return int(estimator.tree_count_)
    return int(
        estimator.get_booster().num_boosted_rounds() if hasattr(estimator, "get_booster") else estimator.booster_.num_trees()
    )


def test_an_estimator_that_cannot_be_trained_further_says_so() -> None:
    with pytest.raises(ConfigError, match="LinearRegression cannot be trained further; allowed: XGBoost's, LightGBM's and"):
        build_estimator(Model(estimator="sklearn.linear_model.LinearRegression", warm_start="champion"), {}, "regression")


@pytest.mark.parametrize(
    ("name", "params", "trees"),
    [
        ("sklearn.ensemble.HistGradientBoostingClassifier", {}, lambda fitted: fitted.n_iter_),
        ("sklearn.ensemble.RandomForestClassifier", {"oob_score": True}, lambda fitted: len(fitted.estimators_)),
        ("lightgbm.LGBMClassifier", {"n_estimators": 500}, trees_of),
        ("catboost.CatBoostClassifier", {}, trees_of),
        ("catboost.CatBoostClassifier", {"num_trees": 500}, trees_of),
    ],
)
def test_a_trial_grows_three_trees_and_warns_of_nothing(name: str, params: dict[str, Any], trees: Callable[[Any], int]) -> None:
    need_library(name)
    estimator = build_estimator(Model(estimator=name, params=params), {}, "classification")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_on_few(estimator, TrainingRows.made_up("classification"))
    assert trees(estimator) == 3


def test_estimators_inside_others_get_a_seed_too(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier\n"
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\n\n\n"
        "def build(params):\n    return make_pipeline(StandardScaler(), BaggingClassifier(ExtraTreesClassifier(3), n_estimators=2))\n"
    )
    rows, answers = noisy("classification"), []
    for _ in range(2):
        estimator = build_estimator(Model(build=f"{tmp_path}/own.py:build"), {}, "classification")
        fit(estimator, rows)
        answers.append(estimator.predict_proba(rows.matrix))
    assert np.array_equal(*answers)


def test_a_warm_start_of_xgboost_continues_from_the_best_iteration_and_uses_the_new_trees() -> None:
    rows = noisy("classification")
    model = Model(estimator="xgboost.XGBClassifier", params={"n_estimators": 40, "learning_rate": 0.5})
    first, second = (build_estimator(model, {}, "classification") for _ in range(2))
    fit(first, rows, EarlyStopping(rounds=5, fraction=0.2))
    fit(second, rows, previous=first)
    assert second.get_booster().num_boosted_rounds() == first.best_iteration + 1 + 40
    assert not np.array_equal(second.predict_proba(rows.matrix), first.predict_proba(rows.matrix))


@pytest.mark.parametrize("beside", [{"early_stopping": {}}, {"stop_on": ["overfit"]}, {"threshold": {"by": "f1"}}])
def test_a_warm_start_is_refused_beside_what_judges_on_training_rows(beside: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"warm_start cannot be combined with {next(iter(beside))}: the champion has learned"):
        Model.model_validate({"estimator": "xgboost.XGBClassifier", "warm_start": "champion", **beside})
