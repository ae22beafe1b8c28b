"""Fit an estimator: with early stopping on rows of its own, and the positions of the classes as labels."""

import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, FitError, TaxiwayError
from taxiway.messages import error_text
from taxiway.spec.model.section import EarlyStopping
from taxiway.stats.seed import SEED
from taxiway.training.boosting import (
    catboost_iterations,
    fit_until_no_better,
    started_from,
    watched,
)
from taxiway.training.classes import by_position, require_positions
from taxiway.training.history import ReportedHistory, Watch, printed_history
from taxiway.training.libraries import BOOSTING, library_of
from taxiway.training.own.data import VALIDATION, TrainingData
from taxiway.training.own.raw_rows import RawRows
from taxiway.training.rows import TrainingRows, split_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_FEW_TREES = 3
_NEVER = 1_000_000_000
"""More iterations than any fit has."""


def fit(
    estimator: Any,
    rows: TrainingRows,
    early_stopping: EarlyStopping | None = None,
    watch: Watch | None = None,
    previous: Any = None,
) -> None:
    """Fit an estimator in place.

    Args:
        estimator: The estimator.
        rows: The rows.
        early_stopping: When to stop boosting; None to run all iterations.
        watch: Watches a fit of XGBoost, LightGBM or CatBoost, and stops it; gets what SGDClassifier and SGDRegressor print.
        previous: A fitted estimator of the same type to start from, without early stopping; None to begin anew. XGBoost, LightGBM and
            CatBoost add iterations to it; estimators of scikit-learn learn from the rows by `partial_fit`.

    Raises:
        ConfigError: The estimator has no early stopping.
        FitError: The estimator raised an error about its parameters or the rows, or names classes itself.
    """
    watch = watch or Watch()
    try:
        if watch.stop_on and early_stopping is None:
            early_stopping = EarlyStopping(rounds=_NEVER)  # it only keeps the best iteration
        rows = by_position(estimator, rows)
        with printed_history(estimator, watch):
            _fit(estimator, rows, early_stopping, watch, previous)
        require_positions(estimator, rows)
    except (MemoryError, TaxiwayError, OSError):
        raise  # not about parameters or rows
    except Exception as error:
        raise FitError(
            f"{type(estimator).__name__} could not be fitted to the label {rows.name} on {len(rows.labels):,} rows: "
            f"{error_text(error)}"
        ) from error


def _fit(estimator: Any, rows: TrainingRows, early_stopping: EarlyStopping | None, watch: Watch, previous: Any) -> None:
    if early_stopping is not None:
        _fit_until_no_better(estimator, rows, early_stopping, watch)
    elif previous is not None and library_of(estimator) == "sklearn":
        continued = deepcopy(previous).set_params(**estimator.get_params(deep=False))
        continued.partial_fit(rows.matrix, rows.labels, **_weight_argument(estimator, rows.weights))
        vars(estimator).update(vars(continued))
    else:
        with watched(estimator, watch) as options:
            options |= {**_weight_argument(estimator, rows.weights), **started_from(estimator, previous)}
            estimator.fit(rows.matrix, rows.labels, **options)


def fit_on_few(estimator: Any, rows: TrainingRows, early_stopping: EarlyStopping | None = None) -> None:
    """Fit an estimator in place, with at most three trees: enough, on few rows, to see what a fitted estimator consists of.

    Its warnings are ignored, because they say nothing about more rows and trees.

    Args:
        estimator: The estimator, which is not used for anything else.
        rows: Few rows.
        early_stopping: See `fit`.

    Raises:
        ConfigError: The estimator has no early stopping.
        FitError: The estimator raised an error about its parameters or the rows.
    """
    known = estimator.get_params()
    of_trees = {f"{name.removesuffix('max_leaf_nodes')}max_iter" for name in known if name.endswith("max_leaf_nodes")}
    counts = {name for name in known if name.rpartition("__")[2] == "n_estimators"} | of_trees & set(known)
    if library_of(estimator) == "catboost":
        known = catboost_iterations(estimator)
        counts = set(known)
    if few := {name: _FEW_TREES for name in counts if isinstance(known[name], int) and known[name] > _FEW_TREES}:
        estimator.set_params(**few)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(estimator, rows, early_stopping)


def training_data(
    rows: TrainingRows,
    classes: tuple[str, ...],
    columns: tuple[str, ...],
    watch: Watch | None = None,
    raw: RawRows | None = None,
) -> TrainingData:
    """The rows as a team's own function or program gets them, with a tenth held out.

    Args:
        rows: All training rows.
        classes: The classes as text; empty for a regression.
        columns: The names of the features.
        watch: Watches what a function reports.
        raw: The raw rows that the features were made from; None for rows that are made up.
    """
    import numpy as np

    learned, held = split_rows(rows, VALIDATION, stratified=bool(classes))
    labels = np.unique(rows.labels, return_inverse=True)[1] if classes else np.asarray(rows.labels, dtype=float)
    weights, held_weights = (None, None) if rows.weights is None else (rows.weights[learned], rows.weights[held])
    return TrainingData(
        *(rows.matrix[learned], labels[learned], rows.matrix[held], labels[held]),
        columns,
        classes,
        SEED,
        weights,
        held_weights,
        ReportedHistory(watch or Watch()),
        raw,
        learned,
        held,
    )


def _fit_until_no_better(estimator: Any, rows: TrainingRows, stopping: EarlyStopping, watch: Watch) -> None:
    known = estimator.get_params()
    if "n_iter_no_change" in known:  # scikit-learn's own: it holds rows out itself
        own = {"early_stopping": True} if "early_stopping" in known else {}
        estimator.set_params(n_iter_no_change=stopping.rounds, validation_fraction=stopping.fraction, **own)
        estimator.fit(rows.matrix, rows.labels, **_weight_argument(estimator, rows.weights))
        return
    if library_of(estimator) not in BOOSTING:
        raise ConfigError(
            f"model.early_stopping: {type(estimator).__name__} has no early stopping; allowed: XGBoost's, LightGBM's and CatBoost's estimators, "
            "and those of scikit-learn with the parameter n_iter_no_change, such as HistGradientBoostingClassifier; remove the key, or use one of them",
            key="model.early_stopping",
        )
    learned, held = split_rows(rows, stopping.fraction, stratified=hasattr(estimator, "predict_proba"))
    fit_until_no_better(estimator, rows.take(learned), rows.take(held), stopping.rounds, watch)


def _weight_argument(estimator: Any, weights: Any) -> dict[str, Any]:
    """The argument of `fit` with the weights, if there are any.

    Raises:
        ConfigError: The estimator takes none.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    if weights is None:
        return {}
    name, last = "sample_weight", estimator
    while isinstance(last, Pipeline):
        name, last = f"{last.steps[-1][0]}__{name}", last.steps[-1][1]
    if not has_fit_parameter(last, "sample_weight"):
        raise ConfigError(
            f"model.weight: {type(last).__name__} takes no sample_weight; remove the key, or use an estimator that does, such as "
            "HistGradientBoostingClassifier",
            key="model.weight",
        )
    return {name: weights}
