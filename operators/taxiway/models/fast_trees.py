"""The predict function of gradient boosted trees for few rows, with the trees evaluated by Treelite (https://treelite.readthedocs.io).

scikit-learn calls each tree on its own, which takes longer than the tree. Treelite returns what each tree adds, and this module adds it up
in scikit-learn's order, so the predictions are equal bit for bit. Treelite's own sum differs in the last bit.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_ROWS = 512  # with more, scikit-learn is as fast


def fast_trees(estimator: Any) -> "Callable[[Floats], Any] | None":
    """The probabilities of the classes, or numbers, of a fitted `HistGradientBoosting` estimator, for features (rows, columns).

    Returns:
        The function; None for another estimator, and if Treelite is not installed.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    is_classifier = type(estimator) is HistGradientBoostingClassifier
    if not is_classifier and type(estimator) is not HistGradientBoostingRegressor:
        return None
    try:
        import treelite.sklearn
    except ImportError:
        return None
    trees = treelite.sklearn.import_model(estimator)
    original = estimator.predict_proba if is_classifier else estimator.predict

    def predict(features: "Floats") -> Any:
        if len(features) > _MAX_ROWS:
            return original(features)
        sums = _sums(treelite.gtil.predict_per_tree(trees, features, nthread=1), estimator)
        return estimator._loss.predict_proba(sums) if is_classifier else estimator._loss.link.inverse(sums.ravel())

    return predict


def _sums(added: Any, estimator: Any) -> "Floats":
    """The raw predictions (rows, outputs), from what the trees add (rows, trees, 1): one tree after the other, from the baseline.

    The trees of the outputs alternate.
    """
    import numpy as np

    outputs = estimator.n_trees_per_iteration_
    by_output = added.reshape(len(added), -1, outputs)
    baseline = np.broadcast_to(estimator._baseline_prediction.reshape(1, 1, outputs), (len(added), 1, outputs))
    return np.asarray(np.cumsum(np.concatenate([baseline, by_output], axis=1), axis=1)[:, -1])
