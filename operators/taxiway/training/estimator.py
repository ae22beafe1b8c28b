"""Build the unfitted scikit-learn estimator that the `model` section of a pipeline file describes."""

import inspect
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from taxiway.errors import ConfigError, allowed_values
from taxiway.messages import clipped, error_text
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import Model
from taxiway.spec.python_refs import look_up, same_process
from taxiway.stats.seed import SEED
from taxiway.training.boosting_parameters import parameter_names
from taxiway.training.libraries import BOOSTING, library_of
from taxiway.training.own.command import OwnCommand
from taxiway.training.own.function import OwnFunction
from taxiway.training.own.training import OwnTraining
from taxiway.training.safe_parameters import unsafe_parameters

_OWN_THRESHOLD = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")


def build_estimator(model: Model, overrides: Mapping[str, Any], problem: Problem) -> Any:
    """Build an estimator, with a fixed seed for each `random_state` that it, or an estimator inside, has without one.

    Args:
        model: The `model` section.
        overrides: Parameters that replace those of `model.params`.
        problem: Classification or regression.

    Returns:
        The estimator; an `OwnTraining` for `model.train` and `model.command`.

    Raises:
        ConfigError: The estimator does not exist, is not an estimator for the problem, cannot be stopped by rules, does not accept a
            parameter, or has one that is not harmless.
    """
    params = {**model.params, **overrides}
    if model.train is not None:
        return OwnFunction(model.train, params)
    if model.command is not None:
        return OwnCommand(model.command, params)
    estimator = _call(model.build, params) if model.build else _construct(str(model.estimator), params)
    _check_estimator(model, estimator, problem)
    _check_parameters(estimator)
    unseeded = [
        name for name, value in estimator.get_params().items() if name.rpartition("__")[2] == "random_state" and value is None
    ]
    estimator.set_params(**dict.fromkeys(unseeded, SEED))
    _silence(estimator)
    return estimator


def _check_estimator(model: Model, estimator: Any, problem: Problem) -> None:
    """Check that an estimator can be used for the problem and with the other keys of the `model` section."""
    if not hasattr(estimator, "fit") or not hasattr(estimator, "get_params"):
        raise ConfigError(
            f"model: {model.build or model.estimator} returns a {type(estimator).__name__}, which has no fit method; {_WANTED}"
        )
    try:
        _check_problem(model, estimator, problem)
    except ConfigError:
        raise
    except Exception as error:  # of an estimator around another one that is missing, or of any library
        raise ConfigError(
            f"model: {model.build or model.estimator} cannot be used with its parameters: {clipped(error_text(error), 300)}"
        ) from error
    if model.warm_start is not None and not _can_be_trained_further(estimator):
        raise ConfigError(
            f"model.warm_start: {type(estimator).__name__} cannot be trained further; allowed: XGBoost's, LightGBM's and CatBoost's estimators, and "
            "those of scikit-learn with partial_fit, such as SGDClassifier and GaussianNB; remove the key, or use one of them",
            key="model.warm_start",
        )
    if model.stop_on and not _has_callbacks(estimator):
        raise ConfigError(
            f"model.stop_on: {type(estimator).__name__} cannot be stopped by rules; allowed: XGBoost's, LightGBM's and CatBoost's estimators of "
            "boosting, and training functions; remove the key, or use one of them",
            key="model.stop_on",
        )


def _check_parameters(estimator: Any) -> None:
    """Check that no parameter changes what predictions mean, or makes the saved model unsafe."""
    if refused := [*_refused_of_catboost(estimator)]:
        raise ConfigError(f"model: {'; '.join(refused)}")
    if unsafe := unsafe_parameters(estimator):
        raise ConfigError(
            f"model: {'; '.join(unsafe)}. Other values could read files, write caches or call code where models are served"
        )


def _silence(estimator: Any) -> None:
    """Keep LightGBM from printing a line for each tree that cannot be split further, and CatBoost from one for each iteration, and from
    writing a folder into the working folder."""
    if type(estimator).__module__.startswith("lightgbm") and not {"verbose", "verbosity"} & estimator.get_params().keys():
        estimator.set_params(verbose=-1)
    for part in _catboost_in(estimator):
        part.set_params(allow_writing_files=False)
        if not {"logging_level", "silent", "verbose"} & part.get_params().keys():
            part.set_params(verbose=False)


def _catboost_in(estimator: Any) -> list[Any]:
    return [part for part in (estimator, *estimator.get_params().values()) if library_of(part) == "catboost"]


def _refused_of_catboost(estimator: Any) -> Iterator[str]:
    """Why parameters are refused that would change what the columns of the probabilities or the values of the history are."""
    for part in _catboost_in(estimator):
        name, params = type(part).__name__, part.get_params()
        for parameter in ("class_names", "classes_count"):
            if params.get(parameter) is not None:
                yield f"{name}.{parameter} is set, but the classes are those of the label, in ascending order; remove it"
        if params.get("metric_period", 1) != 1:
            yield f"{name}.metric_period is {params['metric_period']}, but the history has each iteration; remove it"


def _can_be_trained_further(estimator: Any) -> bool:
    return hasattr(estimator, "partial_fit") or library_of(estimator) in BOOSTING


def _has_callbacks(estimator: Any) -> bool:
    """Whether its library lets a rule look at each iteration; not with random forests, which have one."""
    library, name = library_of(estimator), type(estimator).__name__
    if library == "catboost":
        return bool(estimator.get_params().get("task_type") != "GPU")
    return library in ("xgboost", "lightgbm") and not name.startswith("XGBRF")


def _check_problem(model: Model, estimator: Any, problem: Problem) -> None:
    from sklearn.base import is_regressor

    name = model.build or model.estimator
    if hasattr(estimator, "predict_proba") and type(estimator).__name__ in _OWN_THRESHOLD:
        raise ConfigError(
            f"model: {name} is a {type(estimator).__name__}, whose threshold would have no effect, because the gate and the gateway use "
            "probabilities; use its estimator itself, with model.threshold"
        )
    if problem == "regression" and not is_regressor(estimator):
        raise ConfigError(
            f"model: {name} is not a regressor, but the gate's metrics are for regression; allowed: a regressor, such as "
            "sklearn.ensemble.HistGradientBoostingRegressor; or metrics for classification, such as roc_auc"
        )
    if problem == "classification" and not _has_probabilities(estimator):
        hint = "or metrics for regression, such as rmse" if is_regressor(estimator) else "check its parameters"
        raise ConfigError(
            f"model: {name} has no predict_proba, but the gate compares probabilities; allowed: a classifier with predict_proba, "
            f"such as sklearn.ensemble.HistGradientBoostingClassifier, or a CalibratedClassifierCV around this one; {hint}"
        )


def _has_probabilities(estimator: Any) -> bool:
    """Whether it has `predict_proba`, which some estimators of estimators have only when they are fitted."""
    import numpy as np

    if hasattr(estimator, "predict_proba") or not hasattr(estimator, "estimators"):
        return hasattr(estimator, "predict_proba")
    numbers = np.arange(60.0)
    try:
        return hasattr(deepcopy(estimator).fit(numbers[:, None] % 7, numbers % 2 > 0), "predict_proba")
    except Exception:  # of any estimator inside
        return False


def accepts_missing(estimator: Any) -> bool:
    """Whether the estimator accepts missing values; a team's own function or program gets rows without them."""
    from sklearn.utils import get_tags

    if isinstance(estimator, OwnTraining):
        return False
    return bool(get_tags(estimator).input_tags.allow_nan)


_WANTED = "allowed: a scikit-learn estimator, or a function of one dict of parameters that returns one"


def _call(build: str, params: Mapping[str, Any]) -> Any:
    name = build if not build.startswith("/") else Path(build).name
    try:
        function = look_up(build, ":", "model")
        with same_process():
            return function(dict(params))
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # user code may raise anything
        raise ConfigError(f"model.build: {name} raised {error_text(error)}") from error


def _construct(path: str, params: Mapping[str, Any]) -> Any:
    kind = look_up(path, ".", "model")
    if not inspect.isclass(kind):
        raise ConfigError(f"model.estimator: {path} is not a class; {_WANTED}")
    if not hasattr(kind, "fit"):
        raise ConfigError(f"model.estimator: {path} has no fit method; {_WANTED}")
    known = parameter_names(kind)
    for name in params:
        if name not in known:
            raise ConfigError(f'model.params: {path} has no parameter "{name}"; {allowed_values(name, known)}')
    try:
        return kind(**params)
    except Exception as error:
        raise ConfigError(f"model.params: {path} rejects its parameters: {error_text(error)}") from error
