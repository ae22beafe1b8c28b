"""The labels that classifiers get: the positions of the classes, 0, 1 and so on, so that the columns of their probabilities are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from taxiway.errors import FitError
from taxiway.features.encoding import category_text
from taxiway.messages import clipped, listed, quoted
from taxiway.training.rows import TrainingRows

_WEIGHTS = ("class_weight", "class_weights")
_SEARCHED = ("param_distributions", "param_grid")
"""Parameters with values of other parameters."""


def by_position(estimator: Any, rows: TrainingRows) -> TrainingRows:
    """The rows with the positions of the classes as labels, if the estimator is a classifier; its weights by class are set likewise.

    Libraries order other labels differently: CatBoost has "9" before "10".

    Args:
        estimator: The estimator, in which keys of a `class_weight` become positions, also in estimators inside.
        rows: The rows.

    Raises:
        FitError: A `class_weight` names another class.
    """
    import numpy as np
    from sklearn.base import is_classifier

    if not is_classifier(estimator):
        return rows
    classes, positions = np.unique(rows.labels, return_inverse=True)
    known = estimator.get_params()
    last = {name: name.rpartition("__")[2] for name in known}
    translated = {
        name: _by_class_position(last[name], known[name], classes.tolist())
        for name in known
        if last[name] in (*_WEIGHTS, *_SEARCHED)
    }
    if changed := {name: value for name, value in translated.items() if value is not known[name]}:
        estimator.set_params(**changed)
    return replace(rows, labels=positions)


def require_positions(estimator: Any, rows: TrainingRows) -> None:
    """Check that the classes of a fitted classifier are the positions, in this order.

    Raises:
        FitError: They are not.
    """
    from sklearn.base import is_classifier

    if not is_classifier(estimator):
        return
    found, wanted = [str(name) for name in getattr(estimator, "classes_", [])], [str(at) for at in range(len(set(rows.labels)))]
    if found and found != wanted:
        raise FitError(
            f"{type(estimator).__name__} was fitted to the classes {clipped(', '.join(found), 100)}; required: "
            f"{clipped(', '.join(wanted), 100)}, the positions of the classes of {rows.name}; remove its parameters that name classes"
        )


def _by_class_position(name: str, value: Any, classes: Sequence[Any]) -> Any:
    if isinstance(value, Mapping):
        if name not in _WEIGHTS:
            return {key: _by_class_position(str(key).rpartition("__")[2], member, classes) for key, member in value.items()}
        # Sorted, because CatBoost takes the order of the classes from it.
        return dict(sorted((_position(name, key, classes), weight) for key, weight in value.items()))
    if isinstance(value, list | tuple) and (name in _SEARCHED or any(isinstance(member, Mapping) for member in value)):
        return [_by_class_position(name, member, classes) for member in value]
    return value


def _position(name: str, key: Any, classes: Sequence[Any]) -> int:
    for index, value in enumerate(classes):
        if value == key or category_text(value) == category_text(key):
            return index
    texts = [category_text(value) for value in classes]
    raise FitError(f"{name} has a weight of the class {quoted(key)}; the classes are {listed(texts[:5], len(texts))}")
