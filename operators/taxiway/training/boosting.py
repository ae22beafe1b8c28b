"""How XGBoost, LightGBM and CatBoost are fitted: their early stopping and callbacks, and models to start from."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from taxiway.training.history import Watch
from taxiway.training.history.callbacks import catboost_callback, lightgbm_callback, xgboost_watched
from taxiway.training.libraries import library_of
from taxiway.training.rows import TrainingRows

_CONTINUED = {"catboost": "init_model", "lightgbm": "init_model", "xgboost": "xgb_model"}
"""The name of the argument with the model to start from."""
_CATBOOST_ITERATIONS = ("iterations", "n_estimators", "num_boost_round", "num_trees")
_CATBOOST_DEFAULT = 1_000


def catboost_iterations(estimator: Any) -> dict[str, Any]:
    """The number of iterations of CatBoost, by the one of its names that is set."""
    known = estimator.get_params()
    return {name: known[name] for name in _CATBOOST_ITERATIONS if name in known} or {"iterations": _CATBOOST_DEFAULT}


@contextmanager
def watched(estimator: Any, watch: Watch) -> Iterator[dict[str, Any]]:
    """Let a watch follow the fit inside, if the library has callbacks: with these arguments of `fit`."""
    library = library_of(estimator)
    if library in ("lightgbm", "xgboost"):
        watch.total = estimator.get_params().get("n_estimators")
    if library == "xgboost":
        with xgboost_watched(estimator, watch):
            yield {}
    elif library == "lightgbm":
        yield {"callbacks": [lightgbm_callback(watch)]}
    elif library == "catboost" and watch.stop_on:  # else without, because it copies the whole history for each call
        watch.total = next(iter(catboost_iterations(estimator).values()))
        yield {"callbacks": [catboost_callback(watch)]}
    else:
        yield {}


def started_from(estimator: Any, previous: Any) -> dict[str, Any]:
    """The argument of `fit` with the model to start from, if there is one."""
    if previous is None:
        return {}
    library = library_of(estimator)
    if library == "xgboost":  # a part of the model, without the iterations after its best and without its mark of the best
        booster = previous.get_booster()
        best = booster.attr("best_iteration")
        previous = booster[: int(best) + 1] if best is not None else booster
    return {_CONTINUED[library]: previous}


def fit_until_no_better(estimator: Any, rows: TrainingRows, held: TrainingRows, rounds: int, watch: Watch) -> None:
    """Fit until the loss on held-out rows has not become smaller for some iterations, and keep the best iteration.

    Args:
        estimator: An estimator of one of the libraries.
        rows: The rows to learn from, which have every class.
        held: The held-out rows.
        rounds: The number of iterations without an improvement.
        watch: Watches the fit.
    """
    weights = {} if rows.weights is None else {"sample_weight": rows.weights}
    with warnings.catch_warnings(), watched(estimator, watch) as options:
        match library_of(estimator):
            case "xgboost":
                estimator.set_params(early_stopping_rounds=rounds)
                options |= {"eval_set": [(held.matrix, held.labels)], "verbose": False}
                options |= {} if held.weights is None else {"sample_weight_eval_set": [held.weights]}
            case "lightgbm":
                import lightgbm

                # Older versions have no other name for the rows that are held out.
                warnings.simplefilter("ignore", FutureWarning)
                options["callbacks"].insert(0, lightgbm.early_stopping(rounds, verbose=False))
                options |= {"eval_set": [(held.matrix, held.labels)]}
                options |= {} if held.weights is None else {"eval_sample_weight": [held.weights]}
            case _:
                import catboost

                options |= {"eval_set": catboost.Pool(held.matrix, held.labels, weight=held.weights), "use_best_model": True}
                options |= {"early_stopping_rounds": rounds}
        estimator.fit(rows.matrix, rows.labels, **weights, **options)
