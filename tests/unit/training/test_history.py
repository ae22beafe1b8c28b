"""Histories of training: what each library keeps, and the rules that find something wrong in them."""

import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helping import need_library
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import EarlyStopping, Model
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit
from taxiway.training.history import Curve, Watch, curves_of, printed_history
from taxiway.training.history.rules import findings, not_finite, not_improving, overfit
from taxiway.training.rows import TrainingRows

STOPPING = EarlyStopping(rounds=5, fraction=0.2)
PATHS = {
    "xgboost.XGBClassifier": ({"n_estimators": 80}, STOPPING, {"history.validation.logloss": 1}),
    "lightgbm.LGBMClassifier": ({"n_estimators": 80, "verbose": -1}, STOPPING, {"history.validation.binary_logloss": 1}),
    "catboost.CatBoostClassifier": (
        {"n_estimators": 80},
        STOPPING,
        {"history.training.Logloss": 1, "history.validation.Logloss": 1},
    ),
    "sklearn.ensemble.HistGradientBoostingClassifier": (
        {"max_iter": 80},
        STOPPING,
        {"history.training.loss": 0, "history.validation.loss": 0},
    ),
    "sklearn.ensemble.GradientBoostingClassifier": ({"n_estimators": 12}, None, {"history.training.loss": 1}),
    "sklearn.neural_network.MLPClassifier": (
        {"max_iter": 30},
        STOPPING,
        {"history.training.loss": 1, "history.validation.score": 1},
    ),
}


def fitted(path: str, params: dict[str, Any], stopping: EarlyStopping | None) -> Any:
    need_library(path)
    estimator = build_estimator(Model(estimator=path, params=params), {}, "classification")
    rows = TrainingRows.made_up("classification")
    fit(estimator, rows, stopping)
    return estimator


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", PATHS)
def test_the_curves_are_those_that_the_library_keeps(path: str) -> None:
    params, stopping, expected = PATHS[path]
    curves = curves_of(fitted(path, params, stopping))
    assert {curve.name: curve.first for curve in curves} == expected
    for curve in curves:
        assert curve.values[-1] != curve.values[0]
        improved = curve.values[len(curve.values) // 2] - curve.values[0]
        assert (improved > 0) is curve.higher_is_better, "losses fall and scores rise"


@pytest.mark.parametrize("path", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier", "catboost.CatBoostClassifier"])
def test_the_iterations_after_the_best_one_are_not_those_of_the_model(path: str) -> None:
    """It uses the best iteration, so what comes after it is no overfitting."""
    need_library(path)
    rng = np.random.default_rng(4)
    matrix = rng.random((600, 4))
    rows = TrainingRows(matrix, matrix[:, 0] + rng.normal(size=600) > 0.5, "y")
    params = {"n_estimators": 500, "learning_rate": 0.1 if "catboost" in path else 0.5} | (
        {"verbose": -1} if "LGBM" in path else {}
    )
    estimator = build_estimator(Model(estimator=path, params=params), {}, "classification")
    fit(estimator, rows, EarlyStopping(rounds=20, fraction=0.2))
    (curve,) = (curve for curve in curves_of(estimator) if curve.part == "validation")
    assert curve.kept == 1 + int(np.argmin(curve.values))
    assert overfit(curve) is None
    assert overfit(Curve("validation", "logloss", curve.values)) is not None


SGD: list[tuple[Problem, dict[str, Any], set[str]]] = [
    ("classification", {"loss": "log_loss"}, {"history.training.loss"}),
    ("classification", {"loss": "log_loss", "early_stopping": True}, {"history.training.loss", "history.validation.score"}),
    ("classification", {"loss": "modified_huber", "average": True, "warm_start": True}, {"history.training.loss"}),
    ("regression", {"learning_rate": "adaptive"}, {"history.training.loss"}),
]


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("problem", "params", "expected"), SGD)
def test_the_history_of_gradient_descent_changes_nothing(
    problem: Problem, params: dict[str, Any], expected: set[str], classes: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """The fitted estimator is bit for bit that of a plain fit, of which nothing is printed."""
    path = f"sklearn.linear_model.SGD{'Classifier' if problem == 'classification' else 'Regressor'}"
    rows = TrainingRows.made_up(problem)
    if problem == "classification":
        rows = replace(rows, labels=(rows.matrix.sum(axis=1) * classes / 4).astype(int) % classes)
    estimator, plain = (build_estimator(Model(estimator=path, params=params), {}, problem) for _ in range(2))
    watch = Watch()
    fit(estimator, rows, watch=watch)
    plain.fit(rows.matrix, rows.labels)
    assert {curve.name for curve in watch.printed} == expected
    assert np.array_equal(estimator.coef_, plain.coef_)
    assert np.array_equal(estimator.intercept_, plain.intercept_)
    assert estimator.get_params() == plain.get_params()
    assert (estimator.n_iter_, estimator.t_) == (plain.n_iter_, plain.t_)
    assert {len(curve.values) for curve in watch.printed} == {estimator.n_iter_}
    loss = watch.printed[0]
    assert loss.values[-1] < loss.values[0]
    assert capfd.readouterr() == ("", "")


def test_what_others_print_during_a_fit_is_shown_and_so_is_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    estimator = build_estimator(Model(estimator="sklearn.linear_model.SGDRegressor", params={"verbose": 1}), {}, "regression")
    quiet, rows, watch = (
        build_estimator(Model(estimator="sklearn.linear_model.SGDRegressor"), {}, "regression"),
        TrainingRows.made_up("regression"),
        Watch(),
    )
    fit(estimator, rows)
    assert capsys.readouterr().out.startswith("-- Epoch 1\nNorm: ")
    with printed_history(quiet, watch):
        print("-- Epo", "of others", sep="", end="\n")
        quiet.fit(rows.matrix, rows.labels)
        print("Norm: none", file=sys.stderr)
        print("no end", end="")
    assert capsys.readouterr() == ("-- Epoof others\nno end", "Norm: none\n")
    assert len(watch.printed[0].values) == quiet.n_iter_


def test_two_fits_at_once_leave_the_streams_of_the_process_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    """Each thread would restore the stream of the other one; so only the first of them has a history."""
    rows, watches, before = TrainingRows.made_up("regression"), (Watch(), Watch()), sys.stdout
    first, second = (build_estimator(Model(estimator="sklearn.linear_model.SGDRegressor"), {}, "regression") for _ in range(2))
    outer, inner = printed_history(first, watches[0]), printed_history(second, watches[1])
    outer.__enter__()
    first.fit(rows.matrix, rows.labels)
    inner.__enter__()
    outer.__exit__(None, None, None)
    second.fit(rows.matrix, rows.labels)
    inner.__exit__(None, None, None)
    assert sys.stdout is before
    assert (len(watches[0].printed), len(watches[1].printed)) == (1, 0)
    assert capsys.readouterr().out == ""


def test_losses_with_too_few_printed_digits_are_no_history() -> None:
    rows, watch = TrainingRows.made_up("regression"), Watch()
    estimator = build_estimator(Model(estimator="sklearn.linear_model.SGDRegressor"), {}, "regression")
    with printed_history(estimator, watch):
        estimator.fit(rows.matrix, rows.labels * 1e-4 / np.abs(rows.labels).max())
    assert watch.printed == ()


@pytest.mark.parametrize(
    "path", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier", "sklearn.linear_model.LogisticRegression"]
)
def test_an_estimator_without_a_history_has_no_curves(path: str) -> None:
    assert curves_of(fitted(path, {}, None)) == ()


def test_a_pipeline_has_the_history_of_its_last_step() -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    path = "sklearn.ensemble.GradientBoostingClassifier"
    estimator = fitted(path, {"n_estimators": 3}, None)
    assert curves_of(make_pipeline(StandardScaler(), estimator)) == curves_of(estimator)


def loss(*values: float, **more: Any) -> Curve:
    return Curve("validation", "loss", values, **more)


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (loss(1, 0.5, 0.49), None),
        (loss(1, 0.5, 0.54), None),
        (loss(1, 0.5, 0.56), "best in iteration 2, 0.5, and 0.56 in the last one, 3: 12.0% of the improvement is lost"),
        (loss(-1, -2, -1.5), "50.0% of the improvement"),
        (loss(1, 0.5, 0.56, first=0), "best in iteration 1, 0.5, and 0.56 in the last one, 2"),
        (loss(1, 0.5, 0.9, kept=2), None),
        (loss(0.5, 0.9, 0.7, higher_is_better=True), "50.0% of the improvement"),
        (loss(1, 1.5, 2), None),
        (Curve("training", "loss", (1, 0.5, 0.9)), None),
    ],
)
def test_overfitting_is_an_improvement_that_is_lost_again(curve: Curve, words: str | None) -> None:
    found = overfit(curve)
    assert (found is None) == (words is None)
    assert words is None or words in str(found)


@pytest.mark.parametrize(
    ("values", "fires"),
    [([0.7] * 11, True), ([0.7] * 10, False), ([0.7] * 10 + [0.69], False), ([0.7, *range(1, 11)], True)],
)
def test_a_loss_that_never_falls_is_found_after_ten_iterations(values: list[float], fires: bool) -> None:
    assert (not_improving(loss(*values)) is not None) is fires
    assert (not_improving(loss(*(-value for value in values), higher_is_better=True)) is not None) is fires


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_found_and_nothing_else(value: float) -> None:
    curve = loss(1, 0.5, value, *[0.9] * 20)
    assert findings(curve) == [str(not_finite(curve))]
    assert f"is {value} in iteration 3" in str(not_finite(curve))


@pytest.mark.parametrize("length", [1, 999, 1_000, 1_001, 12_345])
def test_a_long_history_is_thinned_but_keeps_its_end(length: int) -> None:
    steps = loss(*np.arange(length, dtype=float)).steps()
    assert len(steps) <= 1_000
    assert len(steps) > 500 or len(steps) == length
    assert steps[length] == length - 1
    assert all(value == step - 1 for step, value in steps.items())
