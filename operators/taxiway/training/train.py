"""Fit the estimator on the transformed rows, and combine it with the transform into the object that is served."""

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from taxiway.errors import FitError
from taxiway.features.build import same_codes
from taxiway.features.columns import FeatureColumns
from taxiway.features.own_transform import feature_names
from taxiway.features.signature import ModelColumns
from taxiway.features.transform import load_fitted
from taxiway.messages import error_text
from taxiway.records import FeatureSet
from taxiway.records.recorder import Recorder
from taxiway.spec.metrics import Problem
from taxiway.spec.model.command import inputs_in
from taxiway.spec.model.section import EarlyStopping, Model
from taxiway.spec.own_metric import OwnMetric
from taxiway.spec.python_refs import code_digest, short_name
from taxiway.store import StageKey, Store
from taxiway.tracking import tags
from taxiway.training.costs import measured_costs
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit, fit_on_few, training_data
from taxiway.training.history import Curve, Watch, curves_of, findings, saturated_trees
from taxiway.training.libraries import any_packages, packages_of
from taxiway.training.own.data import TrainingData
from taxiway.training.own.raw_rows import RawRows
from taxiway.training.own.training import OwnTraining, first_rows, require_predictions, takes_frame
from taxiway.training.rows import TrainingRows, read_training_rows

if TYPE_CHECKING:
    from taxiway.models.row_model import RowModel

_log = logging.getLogger(__name__)
NO_TRANSFORM = "passthrough"
"""Instead of the transform in the pipeline of a model that takes the raw columns."""


def candidate_key(
    features: FeatureSet,
    report: str | None,
    model: Model,
    overrides: Mapping[str, Any],
    previous: int | None = None,
    costs: OwnMetric | None = None,
    renamed: Mapping[str, str] | None = None,
    recalibrates: bool = False,
) -> StageKey:
    """The cache key of a candidate; with the same key, a retry finds the version that was already registered.

    Args:
        features: The feature set.
        report: The digest of the DataReport; None for a trial of a sweep.
        model: The `model` section. For `build` and `train`, the key has the content of the file that defines the function, and for
            `command` that of the files and folders that it names, but not their paths or the files that they import. The weights of a
            function are a part of the feature set.
        overrides: Parameters that replace those of `model.params`.
        previous: The champion's version, if the model is trained from it.
        costs: The costs by which the decision threshold is chosen.
        renamed: The present name of columns that the source has renamed, by their former name.
        recalibrates: Whether nothing is trained, and `previous` is recalibrated.
    """
    functions = {"build": model.build, "train": model.train, "weight": model.weight_function}
    described = {
        **model.model_dump(mode="json", exclude_defaults=True),
        **{key: short_name(function) for key, function in functions.items() if function is not None},
    }
    command, inputs = inputs_in(model.command or ())
    if command:
        described["command"] = list(command)
    if previous is not None:
        described["previous"] = previous
    if costs is not None:
        described["costs"] = costs.model_dump(mode="json", exclude_defaults=True)
    if renamed:
        described["renamed"] = dict(renamed)
    if recalibrates:
        described["recalibrates"] = True
    return StageKey(
        "train",
        {"features": features.digest, "report": report},
        {"model": described, "overrides": dict(overrides)},
        code={**code_digest(model.build, "build"), **code_digest(model.train, "train"), **inputs},
        packages=("scikit-learn", "numpy", "skops", *(packages_of([model.estimator]) if model.estimator else any_packages())),
    )


def train(
    features: FeatureSet,
    model: Model,
    overrides: Mapping[str, Any],
    *,
    store: Store,
    recorder: Recorder,
    check: Callable[[Any], object] | None = None,
    previous: "Callable[[], RowModel | None]" = lambda: None,
) -> Any:
    """Fit the estimator on the rows of a feature set. The result is deterministic.

    Args:
        features: The feature set.
        model: The `model` section.
        overrides: Parameters that replace those of `model.params`.
        store: Where rows and transform are.
        recorder: Where to report parameters and costs; see `measured_costs`.
        check: Called with the pipeline fitted on few rows, before it is fitted on all; it raises an error if it cannot be used.
        previous: Returns the champion, for `warm_start` or a function that asks for its estimator; None if there is none.

    Returns:
        A fitted scikit-learn Pipeline from raw columns to probabilities of the classes, or to numbers for a regression.

    Raises:
        ConfigError: The estimator or a parameter is not valid.
        FitError: The estimator could not be fitted.
    """
    from sklearn.pipeline import Pipeline

    problem: Problem = "classification" if features.classes else "regression"
    estimator = build_estimator(model, overrides, problem)
    rows, names = read_training_rows(features, store)
    recorder.params({f"model.{name}": value for name, value in {**model.params, **overrides}.items()})
    transform = load_fitted(features.transform, store)

    def start_from() -> Any:
        return _to_start_from(previous(), names, features, transform)

    if isinstance(estimator, OwnTraining):
        data = training_data(rows, features.classes, names, Watch(model.stop_on), RawRows(features, store))
        result = _fit_own(estimator, data, problem, start_from, rows)
    else:
        unstable = _try_on_few(estimator, rows, transform, check, model.early_stopping) if check is not None else None
        result = _fit_estimator(estimator, rows, model, start_from, unstable)
    require_predictions(result.estimator, result.few_rows, len(features.classes), type(result.estimator).__name__)
    recorder.metrics({**result.costs, "train.rows": features.row_count})
    _record_history(result.estimator, result.curves, result.warnings, recorder)
    return Pipeline([("transform", NO_TRANSFORM if result.takes_frame else transform), ("model", result.estimator)])


@dataclass(frozen=True)
class _FitResult:
    """A fitted estimator, and how its fit went.

    Attributes:
        estimator: The estimator.
        costs: What the fit cost; see `measured_costs`.
        few_rows: Some rows, as the estimator takes them.
        curves: How its losses developed; empty if that is not known.
        warnings: What is wrong with the fit.
        takes_frame: Whether it predicts for raw columns, and not for transformed features.
    """

    estimator: Any
    costs: Mapping[str, float]
    few_rows: Any
    curves: Sequence[Curve]
    warnings: Sequence[str]
    takes_frame: bool = False


def _fit_own(
    own: OwnTraining, data: TrainingData, problem: Problem, start_from: Callable[[], Any], rows: TrainingRows
) -> _FitResult:
    """Train by a function or program of the team's own."""
    with measured_costs() as costs:
        estimator = own.fit(data, problem, start_from)
    on_frame = takes_frame(estimator, data)
    few_rows = first_rows(estimator, data) if on_frame else rows.few().matrix
    stopped = data.history.watch.stopped
    curves = data.history.curves or curves_of(estimator)
    return _FitResult(estimator, costs, few_rows, curves, [] if stopped is None else [stopped], on_frame)


def _fit_estimator(
    estimator: Any, rows: TrainingRows, model: Model, start_from: Callable[[], Any], unstable: str | None
) -> _FitResult:
    """Fit an estimator, from the champion's with `warm_start`; `unstable` is why two fits differ, None if they do not."""
    watch = Watch(model.stop_on)
    start = start_from() if model.warm_start else None
    if start is not None and type(start) is not type(estimator):
        _log.warning("trained anew: the champion is a %s", type(start).__name__)
        start = None
    with measured_costs() as costs:
        fit(estimator, rows, model.early_stopping, watch, start)
    curves = curves_of(estimator) or watch.printed
    return _FitResult(estimator, costs, rows.few().matrix, curves, [*filter(None, (watch.stopped, unstable))])


def _try_on_few(
    estimator: Any, rows: TrainingRows, transform: Any, check: Callable[[Any], object], stopping: EarlyStopping | None
) -> str | None:
    """Fit the estimator on few rows, and check what it consists of; why two fits are not the same, None if they are."""
    import numpy as np
    from sklearn.pipeline import Pipeline

    few, answers = rows.few(), []
    try:
        for _ in range(2):
            trial = deepcopy(estimator)  # clone refuses some of CatBoost's parameters
            fit_on_few(trial, few, stopping)
            answers.append(answers_of(trial, few.matrix))
        check(Pipeline([("transform", transform), ("model", trial)]))
    except FitError:  # on so few rows, which says nothing about all
        return None
    if np.array_equal(answers[0], answers[1], equal_nan=True):
        return None
    return (
        f"two fits of {type(estimator).__name__} on the same rows predict differently, so a second run would not make the same model; give "
        "it a fixed seed, or one thread"
    )


def answers_of(fitted: Any, matrix: Any) -> Any:
    """What a fitted estimator predicts; a parameter that its library accepted may still be an error now.

    Raises:
        FitError: It cannot predict.
    """
    try:
        return fitted.predict_proba(matrix) if hasattr(fitted, "predict_proba") else fitted.predict(matrix)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # of any library
        raise FitError(f"{type(fitted).__name__} could not predict: {error_text(error)}") from error


def _record_history(estimator: Any, curves: Sequence[Curve], warnings: Sequence[str], recorder: Recorder) -> None:
    """Report how the losses developed, and what is wrong with them and with the trees; the gate decides nothing by it."""
    trees = saturated_trees(estimator)
    if not curves and trees is None and not warnings:
        return
    recorder.history({curve.name: curve.steps() for curve in curves})
    messages = [*warnings, *([trees] if trees is not None else [])]
    messages += [message for curve in curves for message in findings(curve)]
    for message in messages:
        _log.warning("%s", message)
    recorder.tags({tags.TRAINING_FINDINGS: "; ".join(messages) or "none"})


def _to_start_from(champion: "RowModel | None", names: Sequence[str], features: FeatureSet, transform: Any) -> Any:
    """The champion's fitted estimator; None if it has other features or classes, so that its weights mean something else."""
    if champion is None:
        return None
    from taxiway.models.own_model import OwnModel
    from taxiway.models.row_model import RowModel

    if not isinstance(champion, RowModel):
        _log.warning("trained anew: the champion is a %s, of an older version of Taxiway", type(champion).__name__)
        return None
    its_transform, estimator = (step for _, step in champion.estimator.steps)
    if its_transform == NO_TRANSFORM:
        ours, theirs = model_columns(features), champion.columns
        same = (ours.numeric, ours.categorical, ours.types) == (theirs.numeric, theirs.categorical, theirs.types)
    else:
        same = feature_names(its_transform, len(names)) == [*names] and same_codes(its_transform, transform)
    named = [str(name) for name in getattr(estimator, "classes_", [])]
    by_position = not named or named == [str(at) for at in range(len(features.classes))]
    if not same or not by_position or tuple(champion.classes) != features.classes:
        _log.warning(
            "trained anew: the champion has other features, categories or classes than this training data, or a transform of its own"
        )
        return None
    return estimator.loaded if isinstance(estimator, OwnModel) else estimator


def row_model(
    fitted: Any,
    features: FeatureSet,
    threshold: float | None = None,
    renamed: Mapping[str, str] | None = None,
    means: Sequence[float] | None = None,
    background: bytes | None = None,
) -> "RowModel":
    """The model that is saved: the fitted pipeline with the types and former names of the raw columns; for the rest, see `RowModel`."""
    from taxiway.models.row_model import RowModel

    columns = replace(model_columns(features), renamed=dict(renamed or {}))
    return RowModel.of(fitted, columns, features.classes, threshold, means, background)


def feature_means(fitted: Any, features: FeatureSet, store: Store) -> list[float] | None:
    """The mean of each feature in the training rows, which the contributions of a linear model are measured from; None for others."""
    estimator = fitted.steps[-1][1]
    if not hasattr(estimator, "coef_"):
        return None
    rows, _ = read_training_rows(features, store)
    return [float(mean) for mean in rows.matrix.mean(axis=0)]


def model_columns(features: FeatureSet) -> ModelColumns:
    """The raw columns that a model of a feature set takes."""
    columns = FeatureColumns.of(features)
    return ModelColumns(columns.as_numbers, columns.as_text, dict(features.types), features.optional)
