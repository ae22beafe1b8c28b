"""Callbacks of the boosting libraries that let a `Watch` follow a fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from taxiway.training.history.curves import catboost_curves, evaluated_curves
from taxiway.training.history.watch import Watch


@contextmanager
def xgboost_watched(estimator: Any, watch: Watch) -> Iterator[None]:
    """Let a watch follow what XGBoost fits inside; the estimator does not keep the callback."""
    if type(estimator).__name__.startswith("XGBRF"):  # forests have one iteration, and refuse callbacks
        yield
        return
    estimator.set_params(callbacks=[_xgboost_callback(watch)])
    try:
        yield
    finally:
        estimator.callbacks = None  # set_params would hand all parameters to the fitted model, which takes no lists


def _xgboost_callback(watch: Watch) -> Any:
    from xgboost.callback import TrainingCallback

    class Follow(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            return watch.after(epoch + 1, lambda: tuple(evaluated_curves(evals_log)))

    return Follow()


def catboost_callback(watch: Watch) -> Any:
    """A callback of CatBoost that lets a watch follow a fit; a fit that is stopped keeps its best iteration."""

    class Follow:
        def after_iteration(self, info: Any) -> bool:
            return not watch.after(info.iteration, lambda: tuple(catboost_curves(info.metrics)))

    return Follow()


def lightgbm_callback(watch: Watch) -> Any:
    """A callback of LightGBM that lets a watch follow a fit; a fit that is stopped keeps its best iteration."""
    from lightgbm.callback import EarlyStopException

    history: dict[str, list[float]] = {}
    results: list[Any] = []

    def follow(env: Any) -> None:
        for result in env.evaluation_result_list or ():
            history.setdefault(result[1], []).append(float(result[2]))
        results.append(env.evaluation_result_list)
        if watch.after(env.iteration + 1, lambda: tuple(evaluated_curves({"validation": history}))):
            first = next(evaluated_curves({"validation": history}))
            best = first.values.index(max(first.values) if first.higher_is_better else min(first.values))
            raise EarlyStopException(best, results[best])

    follow.order = 25  # type: ignore[attr-defined]  # after the history is kept (20), before early stopping (30)
    return follow
