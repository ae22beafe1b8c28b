"""Rules that stop a training, and its progress: of boosting libraries by their callbacks, of functions by what they report."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helping import need_library
from taxiway.errors import ConfigError, FitError
from taxiway.spec.model.section import EarlyStopping, Model
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit, training_data
from taxiway.training.history import PROGRESS, Curve, ReportedHistory, Watch, curves_of, findings, saturated_trees
from taxiway.training.history.rules import STOPPING, exploding_gradient, overtraining, vanishing_gradient
from taxiway.training.rows import TrainingRows

BOOSTING = ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier", "catboost.CatBoostClassifier"]
TREES = [*BOOSTING, "sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.ensemble.GradientBoostingClassifier"]


def noise(rows: int = 600) -> TrainingRows:
    """Labels that hardly depend on anything, so that boosting overfits."""
    rng = np.random.default_rng(4)
    matrix = rng.random((rows, 4))
    return TrainingRows(matrix, matrix[:, 0] + rng.normal(size=rows) > 0.5, "y")


def built(path: str, **params: Any) -> Any:
    need_library(path)
    quiet = {"verbose": -1} if "LGBM" in path else {}
    return build_estimator(Model(estimator=path, params={**quiet, **params}), {}, "classification")


@pytest.mark.parametrize("early", [None, EarlyStopping(rounds=400, fraction=0.2)])
@pytest.mark.parametrize("path", BOOSTING)
def test_boosting_stops_when_a_rule_finds_a_mistake_and_keeps_its_best_iteration(
    path: str, early: EarlyStopping | None
) -> None:
    rate = 0.1 if "catboost" in path else 0.5  # else its first iteration is its best one
    estimator, watch = built(path, n_estimators=500, learning_rate=rate), Watch(["not_finite", "overfit"])
    fit(estimator, noise(), early, watch)
    (curve,) = (curve for curve in curves_of(estimator) if curve.part == "validation")
    assert len(curve.values) < 100
    assert curve.kept == 1 + int(np.argmin(curve.values))
    assert watch.stopped is not None
    assert watch.stopped.startswith(f"stopped in iteration {len(curve.values)} by the rule overfit: the validation ")
    assert "overfitted" not in watch.stopped, "it is that of the best iteration"
    assert watch.total == 500
    # It predicts as one that is fitted for as long as the best iteration, on the same rows.
    whole, rounds = built(path, n_estimators=500, learning_rate=rate), len(curve.values) - curve.kept
    fit(whole, noise(), EarlyStopping(rounds=rounds, fraction=early.fraction if early else 0.1))
    assert np.array_equal(whole.predict_proba(noise().matrix), estimator.predict_proba(noise().matrix))
    assert estimator.get_params().get("callbacks") is None, "a callback is no part of the model"


@pytest.mark.parametrize("path", BOOSTING)
def test_following_a_fit_does_not_change_it(path: str) -> None:
    estimator, alone = built(path, n_estimators=20), built(path, n_estimators=20)
    watch = Watch()
    fit(estimator, noise(), None, watch)
    labels = noise().labels
    alone.fit(noise().matrix, labels if "lightgbm" in path else labels.astype(int))
    assert np.array_equal(alone.predict_proba(noise().matrix), estimator.predict_proba(noise().matrix))
    assert watch.stopped is None


@pytest.mark.parametrize(
    "path",
    ["sklearn.linear_model.LogisticRegression", "sklearn.ensemble.HistGradientBoostingClassifier", "xgboost.XGBRFClassifier"],
)
def test_an_estimator_without_callbacks_cannot_be_stopped(path: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.stop_on: \w+ cannot be stopped by rules; allowed: XGBoost's, LightGBM's"):
        build_estimator(Model(estimator=path, stop_on=("overfit",)), {}, "classification")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"estimator": "a.B", "stop_on": ["overfitting"]}, "'overfit'"),
        ({"estimator": "a.B", "stop_on": ["vanishing_gradient"]}, "needs a train function that reports gradient_norm"),
        ({"command": ["a", "{train.csv}", "{model.onnx}"], "stop_on": ["overfit"]}, "a command stops by itself"),
    ],
)
def test_a_rule_that_cannot_stop_is_a_mistake(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Model.model_validate(section)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("early", [None, EarlyStopping(rounds=100, fraction=0.2)])
@pytest.mark.parametrize("path", TREES)
def test_trees_without_a_split_at_the_end_are_found(path: str, early: EarlyStopping | None) -> None:
    """Of a column with two values, everything is learned in a few iterations; with a large minimum of rows, nothing ever."""
    least = {
        "xgboost": {"min_child_weight": 1e6},
        "lightgbm": {"min_child_samples": 10**6},
        "catboost": {"min_data_in_leaf": 10**6, "grow_policy": "Depthwise"},
        "sklearn": {"min_samples_leaf": 10**6} if "Hist" in path else {"min_impurity_decrease": 1e6},
    }[path.partition(".")[0]]
    name = "max_iter" if "Hist" in path else "n_estimators"
    stuck, fine = built(path, **{name: 15}, **least), built(path, **{name: 15})
    fit(stuck, noise(), early)
    fit(fine, noise(), early)
    assert saturated_trees(fine) is None
    found = saturated_trees(stuck)
    assert found is not None
    assert "have no split and predict the same for every row" in found


@pytest.mark.parametrize("path", ["sklearn.linear_model.LogisticRegression", "xgboost.XGBRFClassifier"])
def test_other_models_have_no_trees_of_iterations(path: str) -> None:
    estimator = built(path)
    fit(estimator, noise())
    assert saturated_trees(estimator) is None


def loss(*values: float, part: Any = "validation", **more: Any) -> Curve:
    return Curve(part, "loss", values, **more)


def gradient(*values: float) -> Curve:
    return Curve("training", "gradient_norm", values, iterations=[5 * at for at in range(len(values))])


FLAT = [1 - 0.05 * min(at, 10) for at in range(30)]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (overtraining(loss(*FLAT)), "gained 0.0% of its improvement after iteration 15 of 30 (limit: 1%)"),
        (overtraining(loss(*FLAT[:19])), None),
        (overtraining(loss(*FLAT, kept=11)), None),
        (overtraining(loss(*FLAT, part="training")), None),
        (overtraining(loss(*(1 / (1 + at) for at in range(30)))), None),
        (
            vanishing_gradient(gradient(1, 1e-8, 1e-9, 1e-9)),
            "the training gradient_norm is 1e-09 in iteration 15 (limit: 1e-07)",
        ),
        (vanishing_gradient(gradient(1e-9, 1e-9, 1)), None),
        (vanishing_gradient(gradient(1e-9, 1e-9)), None),
        (vanishing_gradient(loss(1e-9, 1e-9, 1e-9)), None),
        (
            exploding_gradient(gradient(*[2.0] * 10, 2_001)),
            "is 2001 in iteration 50, more than 1,000 times the median before it, 2;",
        ),
        (exploding_gradient(gradient(*[2.0] * 9, 2_001)), None),
        (exploding_gradient(gradient(*[0.0] * 10, 1)), None),
        (exploding_gradient(loss(*[2.0] * 10, 2_001)), None),
        (STOPPING["overfit"](loss(1, 0.5, *[0.9] * 9)), None),
        (STOPPING["overfit"](loss(1, 0.5, *[0.9] * 10)), "80.0% of the improvement is lost again"),
    ],
)
def test_a_rule_fires_at_its_limit(found: str | None, words: str | None) -> None:
    assert (found is None) == (words is None), found
    assert words is None or words in str(found)


def test_a_gradient_is_no_loss() -> None:
    assert findings(gradient(*range(1, 30))) == []
    assert findings(gradient(1, math.nan)) == ["the training gradient_norm is nan in iteration 5"]


def test_what_a_function_reports_becomes_curves_and_stops_it() -> None:
    history = ReportedHistory(Watch(["overfit"]))
    stopped = [history.add(5 * at, [("training", "loss", 1 / (1 + at)), ("validation", "loss", value)]) for at, value in
               enumerate([1, 0.5, *[0.9] * 11])]  # fmt: skip
    assert stopped == [False] * 11 + [True] * 2
    assert history.watch.stopped is not None
    assert (
        "stopped in iteration 55 by the rule overfit: the validation loss is best in iteration 5, 0.5" in history.watch.stopped
    )
    assert {curve.name: curve.steps()[60] for curve in history.curves} == {
        "history.training.loss": 1 / 13,
        "history.validation.loss": 0.9,
    }
    history.kept = 5
    assert [message for curve in history.curves for message in findings(curve)] == [], "the model is that of the best iteration"
    with pytest.raises(ValueError, match="iteration 60 after 60; allowed: each iteration once, in ascending order"):
        history.add(60, [("training", "loss", 1.0)])


def test_a_function_reports_by_its_data(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from sklearn.linear_model import SGDClassifier\n\n\n"
        "def train(data, params):\n"
        "    model = SGDClassifier(loss='log_loss', random_state=data.seed)\n"
        "    for step in range(100):\n"
        "        model.partial_fit(data.matrix, data.labels, classes=[0, 1])\n"
        "        if data.report(step, validation_loss=1.0, gradient_norm=params['norm']):\n"
        "            break\n"
        "    data.keep(0)\n"
        "    return model\n"
    )
    data = training_data(TrainingRows.made_up("classification"), ("a", "b"), tuple("abcd"), Watch(["vanishing_gradient"]))
    own = build_estimator(Model(train=f"{tmp_path / 'own.py'}:train", params={"norm": 1e-9}), {}, "classification")
    own.fit(data, "classification", lambda: None)
    assert {curve.name: list(curve.steps()) for curve in data.history.curves} == {
        "history.validation.loss": [0, 1, 2],
        "history.training.gradient_norm": [0, 1, 2],
    }
    assert {curve.kept for curve in data.history.curves} == {0}
    with pytest.raises(FitError, match=r"raised ValueError: data\.report: iteration 0 after 2"):
        own.fit(data, "classification", lambda: None)


def test_progress_is_a_line_at_a_time_for_a_terminal_and_rare_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, PROGRESS)
    now = [0.0]
    watch = Watch(total=2_000, clock=lambda: now[0])
    for iteration in range(1, 1_001):
        now[0] = 0.1 * iteration
        watch.after(iteration, lambda: [loss(0.5)])
    lines = [(record.levelno, record.getMessage()) for record in caplog.records if record.name == PROGRESS]
    assert next(text for level, text in lines if level == logging.INFO) == (
        "iteration 300 of 2,000, 10 per second, validation loss 0.5"
    )
    assert sum(level == logging.INFO for level, _ in lines) == 3
    assert 150 < len(lines) <= 200


def test_the_history_is_only_read_when_it_is_looked_at() -> None:
    """Each look reads all of it, so a look after each of very many iterations would cost more than the fit."""
    read: list[int] = []

    def history() -> list[Curve]:
        read.append(1)
        return []

    for watch, looks in ((Watch(clock=lambda: 0.0), 0), (Watch(["overfit"], clock=lambda: 0.0), 800)):
        read.clear()
        for iteration in range(1, 20_001):
            watch.after(iteration, history)
        assert len(read) <= looks
