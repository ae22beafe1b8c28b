"""Fit an estimator: with early stopping on rows of its own, and labels in the form that its library takes."""

import warnings
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, FitError, TaxiwayError
from taxiway.messages import error_text
from taxiway.records import FeatureSet
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import EarlyStopping
from taxiway.store import Store
from taxiway.training.estimator import SEED
from taxiway.training.history import ReportedHistory, Watch
from taxiway.training.history.callbacks import lightgbm_callback, xgboost_watched
from taxiway.training.own.data import VALIDATION, TrainingData
from taxiway.training.own.raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_TRIAL_ROWS_PER_CLASS = 20
_TRIAL_ROWS = 200
_FEW_TREES = 3
_NEVER = 1_000_000_000
"""More iterations than any fit has."""
_HELD_WEIGHTS = {"lightgbm": "eval_sample_weight", "xgboost": "sample_weight_eval_set"}
"""The name of the argument with the weights of the rows that are held out."""
_CONTINUED = {"lightgbm": "init_model", "xgboost": "xgb_model"}
"""The name of the argument with the model to start from."""


@dataclass(frozen=True)
class TrainingRows:
    """The rows to fit on.

    Attributes:
        matrix: The transformed features (n, features).
        labels: The label of each row.
        name: The name of the label.
        weights: The weight of each row; None if all weigh alike.
    """

    matrix: "Matrix"
    labels: Any
    name: str
    weights: Any = None

    @classmethod
    def made_up(cls, problem: Problem, *, weighted: bool = False) -> "TrainingRows":
        """Rows of four numbers in 0 to 1, with labels of two classes or positive numbers that depend on them."""
        import numpy as np

        matrix = np.random.default_rng(SEED).random((_TRIAL_ROWS, 4))
        numbers = matrix.sum(axis=1) + 0.1
        return cls(
            matrix,
            numbers if problem == "regression" else numbers > np.median(numbers),
            "made up",
            np.ones(_TRIAL_ROWS) if weighted else None,
        )

    def take(self, positions: "NDArray[np.intp]") -> "TrainingRows":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[positions]
        return TrainingRows(self.matrix[positions], self.labels[positions], self.name, weights)

    def few(self) -> "TrainingRows":
        """At most 200 rows, or 20 of each class of a label with few classes: enough to see what a fitted estimator consists of."""
        import numpy as np
        import pandas as pd

        counted = np.arange(len(self.labels)) if self.weights is None else np.flatnonzero(self.weights > 0)
        codes, values = pd.factorize(self.labels[counted])
        if len(values) > len(codes) / _TRIAL_ROWS_PER_CLASS:
            chosen = np.arange(min(len(codes), _TRIAL_ROWS))
        else:
            chosen = np.flatnonzero(pd.Series(codes).groupby(codes).cumcount().to_numpy() < _TRIAL_ROWS_PER_CLASS)
        return self.take(counted[chosen])


def read_training_rows(features: FeatureSet, store: Store) -> tuple[TrainingRows, tuple[str, ...]]:
    """The rows of a feature set, and the names of the features."""
    import pyarrow.parquet as pq

    with store.local_file(features.rows) as path:
        table = pq.read_table(path)
    # By position: a feature may be called label.
    *features_at, label_at = range(table.num_columns - (features.weight is not None))
    weights = table.column(table.num_columns - 1).to_numpy() if features.weight is not None else None
    made = table.select(features_at)
    rows = TrainingRows(made.to_pandas().to_numpy(), table.column(label_at).to_numpy(), features.label, weights)
    return rows, tuple(made.column_names)


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
        watch: Watches a fit of XGBoost or LightGBM, and stops it.
        previous: A fitted estimator of the same type to start from, without early stopping; None to begin anew. XGBoost and LightGBM add iterations to it;
            estimators of scikit-learn learn from the rows by `partial_fit`.

    Raises:
        ConfigError: The estimator has no early stopping.
        FitError: The estimator raised an error about its parameters or the rows.
    """
    watch = watch or Watch()
    try:
        if watch.stop_on and early_stopping is None:
            early_stopping = EarlyStopping(rounds=_NEVER)  # it only keeps the best iteration
        if early_stopping is not None:
            _fit_until_no_better(estimator, rows, early_stopping, watch)
        elif previous is not None and _library(estimator) == "sklearn":
            further = deepcopy(previous).set_params(**estimator.get_params(deep=False))
            further.partial_fit(rows.matrix, rows.labels, **_weighted(estimator, rows.weights))
            vars(estimator).update(vars(further))
        else:
            with _watched(estimator, watch) as options:
                options |= {**_weighted(estimator, rows.weights), **_started(estimator, previous)}
                estimator.fit(rows.matrix, _labels_for(estimator, rows.labels), **options)
    except (MemoryError, TaxiwayError, OSError):
        raise  # not about parameters or rows
    except Exception as error:
        raise FitError(
            f"{type(estimator).__name__} could not be fitted to the label {rows.name} on {len(rows.labels):,} rows: "
            f"{error_text(error)}"
        ) from error


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


def _labels_for(estimator: Any, labels: Any) -> Any:
    """The labels; for an XGBoost classifier their positions among the classes, because it takes no others."""
    import numpy as np

    if _library(estimator) == "xgboost" and hasattr(estimator, "predict_proba"):
        return np.unique(labels, return_inverse=True)[1]
    return labels


@contextmanager
def _watched(estimator: Any, watch: Watch) -> "Iterator[dict[str, Any]]":
    """Let a watch follow the fit inside, if the library has callbacks: with these arguments of `fit`."""
    library = _library(estimator)
    if library in _HELD_WEIGHTS:
        watch.total = estimator.get_params().get("n_estimators")
    if library == "xgboost":
        with xgboost_watched(estimator, watch):
            yield {}
    elif library == "lightgbm":
        yield {"callbacks": [lightgbm_callback(watch)]}
    else:
        yield {}


def _started(estimator: Any, previous: Any) -> dict[str, Any]:
    """The argument of `fit` with the model to start from, if there is one."""
    if previous is None:
        return {}
    if (
        _library(estimator) == "xgboost"
    ):  # a part of the model, without the iterations after its best and without its mark of the best
        booster = previous.get_booster()
        best = booster.attr("best_iteration")
        previous = booster[: int(best) + 1] if best is not None else booster
    return {_CONTINUED[_library(estimator)]: previous}


def _fit_until_no_better(estimator: Any, rows: TrainingRows, stopping: EarlyStopping, watch: Watch) -> None:
    known = estimator.get_params()
    if "n_iter_no_change" in known:  # scikit-learn's own: it holds rows out itself
        own = {"early_stopping": True} if "early_stopping" in known else {}
        estimator.set_params(n_iter_no_change=stopping.rounds, validation_fraction=stopping.fraction, **own)
        estimator.fit(rows.matrix, rows.labels, **_weighted(estimator, rows.weights))
        return
    library = _library(estimator)
    if library not in ("xgboost", "lightgbm"):
        raise ConfigError(
            f"model.early_stopping: {type(estimator).__name__} has no early stopping; allowed: XGBoost's and LightGBM's estimators, and those "
            "of scikit-learn with the parameter n_iter_no_change, such as HistGradientBoostingClassifier; remove the key, or use one of them",
            key="model.early_stopping",
        )
    learned, held = split_rows(rows, stopping.fraction, stratified=hasattr(estimator, "predict_proba"))
    labels = _labels_for(estimator, rows.labels)
    options = {"eval_set": [(rows.matrix[held], labels[held])]}
    if rows.weights is not None:
        options |= {"sample_weight": rows.weights[learned], _HELD_WEIGHTS[library]: [rows.weights[held]]}
    if library == "xgboost":
        estimator.set_params(early_stopping_rounds=stopping.rounds)
        with _watched(estimator, watch):
            estimator.fit(rows.matrix[learned], labels[learned], verbose=False, **options)
    else:
        import lightgbm

        with warnings.catch_warnings(), _watched(estimator, watch) as watched:
            callbacks = [lightgbm.early_stopping(stopping.rounds, verbose=False), *watched["callbacks"]]
            warnings.simplefilter("ignore", FutureWarning)  # older versions have no other name for the rows that are held out
            estimator.fit(rows.matrix[learned], labels[learned], callbacks=callbacks, **options)


def _weighted(estimator: Any, weights: Any) -> dict[str, Any]:
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


def split_rows(rows: TrainingRows, fraction: float, *, stratified: bool) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """The positions of the rows to learn from, which have every class, and of those held out, which have as many as possible."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(rows.labels))
    if not stratified:
        learned, held = train_test_split(positions, test_size=fraction, random_state=SEED)
        return learned, held
    codes, counts = np.unique(rows.labels, return_inverse=True, return_counts=True)[1:]
    common = positions[counts[codes] >= 2]
    by = codes[common] if fraction * len(common) >= (counts >= 2).sum() else None
    learned, held = train_test_split(common, test_size=fraction, random_state=SEED, stratify=by)
    # Every class has to be learned, so what would leave one out stays with the training rows.
    missing = np.setdiff1d(codes, codes[learned])
    back = np.isin(codes[held], missing)
    return np.concatenate([positions[counts[codes] < 2], learned, held[back]]), held[~back]


def _library(estimator: Any) -> str:
    return type(estimator).__module__.partition(".")[0]
