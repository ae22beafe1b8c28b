"""What each feature contributes to the raw predictions of a fitted estimator: Shapley values.

For trees, they are exact (Lundberg et al., "From local explanations to global understanding with explainable AI for trees", 2020), with the
training rows that reached each node as the distribution of the features. XGBoost, LightGBM and CatBoost compute them themselves; SHAP does it
for scikit-learn's trees. For a linear model, the contribution of a feature is its coefficient times its difference from the mean of the
training rows (Strumbelj and Kononenko, "Explaining prediction models and individual predictions with feature contributions", 2014).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_TREES = ("DecisionTree", "ExtraTrees", "GradientBoosting", "HistGradientBoosting", "RandomForest")


def has_exact_contributions(estimator: Any) -> bool:
    """Whether the contributions to predictions of a fitted estimator are computed exactly; SHAP is not imported.

    It is False for a few that `contributions` takes, and whose predictions its sums may differ from.
    """
    library, kind = type(estimator).__module__.partition(".")[0], type(estimator).__name__
    if library in _OF_LIBRARY:
        return True
    if library != "sklearn":
        return False
    if kind.startswith(_TREES):
        categorical = getattr(estimator, "is_categorical_", None)  # which splits TreeExplainer does not know
        return getattr(estimator, "init", None) is None and not (categorical is not None and any(categorical))
    return hasattr(estimator, "coef_") and ".linear_model." in type(estimator).__module__ and not kind.startswith("SGD")


def contributions(estimator: Any, means: Sequence[float] | None) -> "Callable[[Floats], Floats] | None":
    """The function that returns the contributions (rows, features + 1, outputs) for features (rows, features); the last one is the base.

    The sum over the features and the base is the raw prediction: for a classifier, usually the log odds of its second class, or a
    score for each class.

    Args:
        estimator: The fitted estimator.
        means: The mean of each feature in the training rows, for a linear model; None if it is not known.

    Returns:
        The function; None for an estimator of another kind.

    Raises:
        ConfigError: SHAP is needed, and not installed.
    """
    library = type(estimator).__module__.partition(".")[0]
    if library in _OF_LIBRARY:
        return lambda features: _OF_LIBRARY[library](estimator, features)
    if library != "sklearn":
        return None
    if type(estimator).__name__.startswith(_TREES):
        return _of_trees(estimator)
    if means is not None and hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        return _of_linear(estimator, means)
    return None


def _of_trees(estimator: Any) -> "Callable[[Floats], Floats] | None":
    try:
        from shap import TreeExplainer
    except ImportError:
        raise ConfigError(
            "SHAP, which explains scikit-learn's trees, is not installed where the gateway runs; to install it: pip install 'taxiway[explain]'"
        ) from None
    try:
        explainer = TreeExplainer(estimator, feature_perturbation="tree_path_dependent")
    except Exception:  # SHAP does not know some losses and some numbers of classes
        return None

    def explained(features: "Floats") -> "Floats":
        import numpy as np

        values = np.asarray(explainer.shap_values(features, check_additivity=False), dtype="float64")
        base = np.atleast_1d(np.asarray(explainer.expected_value, dtype="float64"))
        return _with_base(values.reshape(len(features), features.shape[1], len(base)), base)

    return explained


def _of_linear(estimator: Any, means: Sequence[float]) -> "Callable[[Floats], Floats]":
    import numpy as np

    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype="float64"))
    center = np.asarray(means, dtype="float64")
    base = np.broadcast_to(np.ravel(estimator.intercept_), len(coefficients)) + coefficients @ center

    def explained(features: "Floats") -> "Floats":
        return _with_base((features - center)[:, :, None] * coefficients.T[None], base)

    return explained


def _of_xgboost(estimator: Any, features: "Floats") -> "Floats":
    import numpy as np
    import xgboost

    used = estimator._get_iteration_range(None)
    found = estimator.get_booster().predict(xgboost.DMatrix(features), pred_contribs=True, iteration_range=used)
    return _outputs_last(np.asarray(found, dtype="float64"), features)


def _of_lightgbm(estimator: Any, features: "Floats") -> "Floats":
    import numpy as np

    found = np.asarray(estimator.predict(features, pred_contrib=True), dtype="float64")
    return _outputs_last(found.reshape(len(features), -1, features.shape[1] + 1), features)


def _of_catboost(estimator: Any, features: "Floats") -> "Floats":
    import numpy as np
    from catboost import Pool

    found = estimator.get_feature_importance(Pool(features), type="ShapValues", thread_count=1)
    return _outputs_last(np.asarray(found, dtype="float64"), features)


_OF_LIBRARY: "Mapping[str, Callable[[Any, Floats], Floats]]" = {
    "xgboost": _of_xgboost,
    "lightgbm": _of_lightgbm,
    "catboost": _of_catboost,
}


def _outputs_last(found: "Floats", features: "Floats") -> "Floats":
    """From (rows, outputs, features + 1), or (rows, features + 1), to (rows, features + 1, outputs)."""
    return found.reshape(len(features), -1, features.shape[1] + 1).transpose(0, 2, 1)


def _with_base(values: "Floats", base: "Floats") -> "Floats":
    import numpy as np

    return np.concatenate([values, np.broadcast_to(base, (len(values), 1, len(base)))], axis=1)
