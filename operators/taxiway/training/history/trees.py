"""The trees of boosted models: whether they learn anything."""

import logging
from typing import Any

from taxiway.messages import error_line
from taxiway.training.history.curves import last_step

_log = logging.getLogger(__name__)
_PATIENCE = 10


def saturated_trees(estimator: Any) -> str | None:
    """Whether the trees of the last ten iterations that a boosted model uses, or of all if there are fewer, have no split."""
    last = last_step(estimator)
    try:
        total = _iterations(last)
        if total == 0 or any(_splits(last, max(0, total - _PATIENCE), total)):
            return None
        splits = _splits(last, 0, total)
    except Exception as error:  # of any library
        _log.warning("the trees of %s could not be read: %s", type(last).__name__, error_line(error))
        return None
    useless = next((at for at, has_split in enumerate(reversed(splits)) if has_split), total)
    return (
        f"the trees of the last {useless:,} of {total:,} iterations have no split and predict the same for every row; use fewer iterations, or "
        "limit the trees less"
    )


def _iterations(estimator: Any) -> int:
    """The number of iterations that a boosted model of trees uses; 0 for other models."""
    match _kind(estimator):
        case "xgboost":
            stopped = getattr(estimator, "early_stopping_rounds", None)
            return int(estimator.best_iteration) + 1 if stopped else int(estimator.get_booster().num_boosted_rounds())
        case "lightgbm":
            booster = estimator.booster_
            return int(booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration())
        case "catboost":
            return int(estimator.tree_count_)
        case "HistGradientBoosting":
            return len(estimator._predictors)
        case "GradientBoosting":
            return len(estimator.estimators_)
    return 0


def _splits(estimator: Any, start: int, stop: int) -> list[bool]:
    """For each of some iterations, whether one of its trees has a split."""
    match _kind(estimator):
        case "xgboost":
            found = ["\n\t" in dump for dump in estimator.get_booster()[start:stop].get_dump()]
        case "lightgbm":
            dumped = estimator.booster_.dump_model(start_iteration=start, num_iteration=stop - start)
            found = [tree["num_leaves"] > 1 for tree in dumped["tree_info"]]
        case "catboost":
            return [bool(leaves > 1) for leaves in estimator.get_tree_leaf_counts()[start:stop]]
        case "HistGradientBoosting":
            return [any(tree.get_n_leaf_nodes() > 1 for tree in trees) for trees in estimator._predictors[start:stop]]
        case _:
            return [any(tree.tree_.node_count > 1 for tree in trees) for trees in estimator.estimators_[start:stop]]
    each = len(found) // (stop - start)
    return [any(found[at : at + each]) for at in range(0, len(found), each)]


def _kind(estimator: Any) -> str:
    library, name = type(estimator).__module__.partition(".")[0], type(estimator).__name__
    if library == "xgboost":
        return library if name.startswith("XGB") and estimator.get_params().get("booster") in (None, "gbtree") else ""
    if library == "lightgbm":
        return library if name.startswith("LGBM") else ""
    if library == "catboost":
        return library if name in ("CatBoostClassifier", "CatBoostRegressor") else ""
    return next((kind for kind in ("HistGradientBoosting", "GradientBoosting") if name.startswith(kind)), "")
