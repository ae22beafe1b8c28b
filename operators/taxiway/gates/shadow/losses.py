"""The losses of champion and challenger on requests whose labels are known, one difference for each request.

A request counts once all of its rows have labels: its rows may be of one customer or one minute, so only requests are independent.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from taxiway.evaluation.metrics.labels import right_rows
from taxiway.evaluation.metrics.probabilities import brier_rows, clipped_log_loss_rows
from taxiway.evaluation.predictions import Predictions, positive_class, predictions_of
from taxiway.features.encoding import category_text
from taxiway.gates.shadow.estimates import VersionClasses, normalize_prediction
from taxiway.records.shadow_pairs import Pair
from taxiway.spec.metrics import MIN_PROBABILITY
from taxiway.spec.shadow import ShadowLabels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROUNDING = 1e-6
_LOSSES: Mapping[str, Callable[[Predictions, "Floats"], "Floats"]] = {
    "accuracy": lambda predictions, labels: 1 - right_rows(predictions, labels),
    "brier": brier_rows,
    "clipped_log_loss": clipped_log_loss_rows,
}


def largest_loss(labels: ShadowLabels, classes: VersionClasses) -> float:
    """The largest possible loss of a row; the smallest is 0."""
    if labels.compared == "mae":
        assert labels.max_error is not None
        return labels.max_error
    brier = 1.0 if len(_all_classes(classes)) == 2 else 2.0
    return {"accuracy": 1.0, "brier": brier, "clipped_log_loss": math.log(1 / MIN_PROBABILITY)}[labels.compared]


def loss_differences(pairs: Sequence[Pair], labels: ShadowLabels, classes: VersionClasses) -> "Floats":
    """The mean loss of the challenger minus that of the champion, for each request that can be compared.

    Args:
        pairs: Pairs with labels. Those with an error, or with labels that a version cannot have predicted, are left out.
        labels: What is compared.
        classes: The classes of both versions; needed for a classification.
    """
    import numpy as np

    known = frozenset(_all_classes(classes))
    compared = [pair for pair in pairs if _is_comparable(pair, labels, classes, known)]
    if not compared:
        return np.empty(0)
    sizes = [len(pair.labels or ()) for pair in compared]
    rows = _row_differences(compared, labels, classes)
    found: Floats = np.add.reduceat(rows, np.cumsum([0, *sizes[:-1]])) / sizes
    return found


def _row_differences(pairs: Sequence[Pair], labels: ShadowLabels, classes: VersionClasses) -> "Floats":
    import numpy as np

    given = list(chain.from_iterable(pair.labels or () for pair in pairs))
    champion, challenger = (
        [normalize_prediction(row) for pair in pairs for row in (pair.champion if side else pair.challenger).predictions or ()]
        for side in (True, False)
    )
    if labels.compared == "mae":
        numbers, most = np.array(given, dtype=float), largest_loss(labels, classes)
        new_errors, old_errors = (
            np.minimum(abs(np.array(side, dtype=float) - numbers), most) for side in (challenger, champion)
        )
        return np.asarray(new_errors - old_errors, dtype=float)
    names = _all_classes(classes)
    positions = {name: position for position, name in enumerate(names)}
    actual = np.array([positions[category_text(label)] for label in given], dtype=float)
    loss, positive = _LOSSES[labels.compared], positive_class(names)
    new = predictions_of(challenger, classes.challenger, names, positive, classes.challenger_threshold)
    old = predictions_of(champion, classes.champion, names, positive, classes.champion_threshold)
    return loss(new, actual) - loss(old, actual)


def _all_classes(classes: VersionClasses) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*classes.champion, *classes.challenger)))


def _is_comparable(pair: Pair, labels: ShadowLabels, classes: VersionClasses, known: frozenset[str]) -> bool:
    champion, challenger = (
        None if answer.predictions is None else [normalize_prediction(row) for row in answer.predictions]
        for answer in (pair.champion, pair.challenger)
    )
    if not pair.labels or champion is None or challenger is None:
        return False
    if labels.compared == "mae":
        return all(_is_number(value) for value in (*pair.labels, *champion, *challenger))
    return (
        all(category_text(label) in known for label in pair.labels)
        and all(_are_probabilities(row, len(classes.champion)) for row in champion)
        and all(_are_probabilities(row, len(classes.challenger)) for row in challenger)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_probabilities(row: Any, classes: int) -> bool:
    return isinstance(row, list) and len(row) == classes and all(-_ROUNDING <= value <= 1 + _ROUNDING for value in row)
