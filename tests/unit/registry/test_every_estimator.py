"""Every classifier and regressor of scikit-learn, XGBoost, LightGBM and CatBoost: saved and loaded with the same answers, or refused before training."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.utils import all_estimators

from helping import need_library
from taxiway.errors import ConfigError, FitError, UntrustedModelError
from taxiway.registry.register import check_savable
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import Model
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit
from taxiway.training.rows import TrainingRows

LOGISTIC, RIDGE = "sklearn.linear_model.LogisticRegression", "sklearn.linear_model.Ridge"
OTHERS = [
    ("classification", "xgboost.sklearn.XGBClassifier"),
    ("classification", "xgboost.sklearn.XGBRFClassifier"),
    ("classification", "lightgbm.sklearn.LGBMClassifier"),
    ("regression", "xgboost.sklearn.XGBRegressor"),
    ("regression", "xgboost.sklearn.XGBRFRegressor"),
    ("regression", "lightgbm.sklearn.LGBMRegressor"),
    ("classification", "catboost.core.CatBoostClassifier"),
    ("regression", "catboost.core.CatBoostRegressor"),
]
PARAMS: dict[str, dict[str, Any]] = {
    "sklearn.ensemble._voting.VotingClassifier": {"voting": "soft"},
    "xgboost.sklearn.XGBClassifier": {"n_estimators": 3},
    "xgboost.sklearn.XGBRegressor": {"n_estimators": 3},
    "lightgbm.sklearn.LGBMClassifier": {"n_estimators": 3, "verbose": -1},
    "lightgbm.sklearn.LGBMRegressor": {"n_estimators": 3, "verbose": -1},
    "catboost.core.CatBoostClassifier": {"iterations": 3},
    "catboost.core.CatBoostRegressor": {"iterations": 3, "loss_function": "Quantile:alpha=0.9"},
}
NO_PROBABILITIES = {
    *("LinearSVC", "NuSVC", "OneVsOneClassifier", "OutputCodeClassifier", "PassiveAggressiveClassifier", "Perceptron"),
    *("RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "SVC"),
}
# For several labels at once, or a single feature; the error is the one of scikit-learn.
OTHER_TASKS = {
    *("CCA", "ClassifierChain", "IsotonicRegression", "MultiOutputClassifier", "MultiOutputRegressor", "MultiTaskElasticNet"),
    *("MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "PLSCanonical", "RegressorChain"),
}
BY_MATRIX = {"LabelPropagation", "LabelSpreading"}
NO_EFFECT = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}


def every() -> list[tuple[Problem, str]]:
    problems: dict[str, Problem] = {"classifier": "classification", "regressor": "regression"}
    found = [
        (problem, f"{kind.__module__}.{kind.__name__}")
        for filter_, problem in problems.items()
        for _, kind in all_estimators(type_filter=filter_)
    ]
    return [*found, *OTHERS]  # type: ignore[list-item]


def built(path: str, problem: Problem) -> Any:
    """The estimator with its defaults, around a simple one if it needs one."""
    inner = build_estimator(Model(estimator=LOGISTIC if problem == "classification" else RIDGE), {}, problem)
    for given in ({}, {"estimator": inner}, {"estimators": [("one", inner), ("two", inner)]}):
        try:
            model = Model(estimator=path, params={**PARAMS.get(path, {}), **given})
            return build_estimator(model, {}, problem)
        except ConfigError as error:
            refusal = error
            if not any(words in str(error) for words in ("rejects its", "has no parameter", "cannot be used with its")):
                break
    raise refusal


@pytest.mark.parametrize(("problem", "path"), every(), ids=lambda value: str(value).rpartition(".")[2])
def test_an_estimator_is_saved_or_refused_before_training(problem: Problem, path: str) -> None:
    need_library(path)
    name, rows = path.rpartition(".")[2], TrainingRows.made_up(problem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in NO_PROBABILITIES | NO_EFFECT:
            with pytest.raises(ConfigError, match="no predict_proba" if name in NO_PROBABILITIES else "would have no effect"):
                built(path, problem)
            return
        estimator = built(path, problem)
        if name in OTHER_TASKS:
            with pytest.raises(FitError):
                fit(estimator, rows)
            return
        fit(estimator, rows)
        trusted = check_savable(estimator)
        loaded = skops.io.loads(skops.io.dumps(estimator), trusted=trusted)
        answer = "predict_proba" if problem == "classification" else "predict"
        answers = [getattr(each, answer)(rows.matrix) for each in (estimator, loaded)]
        # With another order of an array in memory, BLAS sums in another order.
        assert np.allclose(*answers, rtol=1e-12) if name in BY_MATRIX else np.array_equal(*answers)


def test_a_custom_kernel_is_refused_with_its_type() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import PairwiseKernel

    estimator = GaussianProcessRegressor(PairwiseKernel())
    fit(estimator, TrainingRows.made_up("regression"))
    with pytest.raises(UntrustedModelError, match="PairwiseKernel"):
        check_savable(estimator)


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("lightgbm.LGBMRegressor", {"forcedsplits_filename": "/etc/passwd"}, 'has no parameter "forcedsplits_filename"'),
        ("lightgbm.LGBMRegressor", {"input_model": "model.txt"}, 'has no parameter "input_model"'),
        ("lightgbm.LGBMRegressor", {"objective": "poisson forcedsplits_filename=x"}, "without blanks"),
        ("lightgbm.LGBMRegressor", {"metric": ["l1 input_model=x"]}, "without blanks"),
        ("xgboost.XGBRegressor", {"lambda_l1": 1}, 'has no parameter "lambda_l1"'),
        ("xgboost.XGBRegressor", {"callbacks": [print]}, "callbacks has a builtin_function_or_method"),
        ("xgboost.XGBRegressor", {"objective": abs}, "objective has a builtin_function_or_method"),
        ("catboost.CatBoostRegressor", {"train_dir": "/tmp"}, 'has no parameter "train_dir"'),
        ("catboost.CatBoostRegressor", {"input_borders": "/etc/passwd"}, 'has no parameter "input_borders"'),
        ("catboost.CatBoostRegressor", {"callback": print}, 'has no parameter "callback"'),
        ("catboost.CatBoostRegressor", {"allow_writing_files": True}, "allow_writing_files is True; allowed: false"),
        ("catboost.CatBoostRegressor", {"loss_function": "nope"}, "its parameters: CatBoostError: nope loss is not supported"),
        ("catboost.CatBoostRegressor", {"loss_function": abs}, "loss_function has a builtin_function_or_method"),
        ("catboost.CatBoostRegressor", {"custom_metric": ["MAE", "a b"]}, 'custom_metric has the text "a b"'),
    ],
)
def test_parameters_that_touch_files_or_call_code_are_refused(path: str, params: dict[str, Any], words: str) -> None:
    need_library(path)
    with pytest.raises(ConfigError, match=words):
        build_estimator(Model(estimator=path, params=params), {}, "regression")


def test_catboost_writes_no_files_and_nothing_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also inside of another estimator; and a saved model that would write is not used."""
    catboost = pytest.importorskip("catboost")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "from catboost import CatBoostClassifier\nfrom sklearn.calibration import CalibratedClassifierCV\n\n\n"
        "def build(params):\n    return CalibratedClassifierCV(CatBoostClassifier(3), cv=2)\n"
    )
    for model in (
        Model(estimator="catboost.CatBoostClassifier", params={"n_estimators": 3}),
        Model(build=f"{tmp_path}/own.py:build"),
    ):
        estimator = build_estimator(model, {}, "classification")
        fit(estimator, TrainingRows.made_up("classification"))
        check_savable(estimator)
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"own.py"}
    assert capfd.readouterr().out == ""
    with pytest.raises(UntrustedModelError, match="allow_writing_files"):
        check_savable(catboost.CatBoostClassifier(iterations=3, allow_writing_files=True))


def test_parameters_of_boosting_that_are_numbers_and_names_are_not() -> None:
    for path, params in (
        ("lightgbm.LGBMRegressor", {"feature_fraction": 0.5, "objective": "poisson", "monotone_constraints": [0, 1]}),
        ("xgboost.XGBRegressor", {"objective": "count:poisson", "tree_method": "hist", "monotone_constraints": (0, 1)}),
    ):
        build_estimator(Model(estimator=path, params=params), {}, "regression")
