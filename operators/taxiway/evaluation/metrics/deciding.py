"""How many rows decide a metric, on which the width of its interval depends if they are few."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.evaluation.metrics.by_name import arguments_of
from taxiway.evaluation.metrics.labels import rows_of_class
from taxiway.evaluation.predictions import Predictions
from taxiway.spec.metrics import parse_metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Groups = NDArray[np.intp] | None

_SHARES = ("accuracy", "precision", "recall", "top_k_accuracy")
_BY_CLASS = ("average_precision", "balanced_accuracy", "f1_macro", "matthews_corrcoef", "roc_auc")


def is_share(metric: str) -> bool:
    """Whether a metric is the share of its deciding rows that are predicted correctly."""
    return parse_metric(metric).name in _SHARES


def deciding_rows(
    metric: str, predictions: Predictions, labels: "Floats", classes: Sequence[str], groups: "Groups" = None
) -> float:
    """The number of independent rows whose predictions decide a metric.

    These are the rows of the class for `recall`, those that are predicted as it for `precision`, and those that are either for `f1`. Of a
    mean over classes, every class has the same weight, so it is the harmonic mean of their rows times their number; to tell two classes
    apart, as `roc_auc` does, it takes rows of both, so it is the fewer. For all other metrics, every row decides.

    Args:
        metric: The name of the metric.
        predictions: The predictions.
        labels: The labels: positions of classes, or numbers (n).
        classes: The classes; empty for a regression.
        groups: The number of each row's group; then groups are counted instead of rows. None if each row is on its own.
    """
    import numpy as np

    def count(rows: "Flags") -> int:
        return int(rows.sum()) if groups is None else len(np.unique(groups[rows]))

    parsed = parse_metric(metric)
    given = arguments_of(parsed, classes)
    if parsed.facts.of_one_class:
        predicted, actual = rows_of_class(predictions, labels, **given)
        return count({"precision": predicted, "recall": actual}.get(parsed.name, predicted | actual))
    if parsed.name not in _BY_CLASS:
        return count(np.ones(len(labels), dtype=bool))
    if "of" in given:
        return min(count(labels == given["of"]), count(labels != given["of"]))
    rows = [count(labels == each) for each in np.unique(labels)]
    if len(rows) == 2 and parsed.name in ("average_precision", "roc_auc"):
        return min(rows)
    return len(rows) ** 2 / sum(1 / each for each in rows)
