"""The performance of a served version by window: estimated without labels, and realised with the labels that have come."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, DataError
from taxiway.evaluation.predictions import Predictions, positive_class, predictions_of
from taxiway.monitoring.evidence import is_worse
from taxiway.records import Interval, Snapshot
from taxiway.spec.metrics import Problem, facts_of, metrics_of, require_classes
from taxiway.spec.monitor import NOT_MONITORED, not_monitored_text
from taxiway.stages.monitor.windows.log_windows import Window
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from taxiway.models.row_model import RowModel
    from taxiway.monitoring.calibration import Calibration

    Floats = NDArray[np.float64]

CONFIDENCE = 0.99
MIN_ROWS = 100
"""With fewer rows, a window has no alert."""
_ESTIMATED_ERRORS = ("mae", "rmse")
_NO_ESTIMATES = f"of a regression, only {' and '.join(_ESTIMATED_ERRORS)} can be estimated without labels"


@dataclass(frozen=True)
class Evaluated:
    """What a regression predicts for its evaluation rows.

    Attributes:
        positions: The positions of those with a label among all evaluation rows (n).
        predictions: Their predictions (n).
        labels: Their labels (n).
    """

    positions: "NDArray[np.intp]"
    predictions: "Floats"
    labels: "Floats"


@dataclass(frozen=True)
class Reference:
    """How a version performs on its evaluation rows, which it was not trained on.

    Attributes:
        metric: The metric.
        classes: The classes; empty for a regression.
        threshold: The decision threshold; None for 0.5.
        performance: The metric of these rows, with its interval.
        calibration: The calibration of the probabilities; None for a regression, and if the performance cannot be estimated.
        evaluated: What a regression predicts for the rows; None for a classifier.
        not_estimated: Why the performance cannot be estimated; empty if it can.
    """

    metric: str
    classes: tuple[str, ...]
    threshold: float | None
    performance: Interval
    calibration: "Calibration | None"
    evaluated: Evaluated | None
    not_estimated: str

    @property
    def condition(self) -> str:
        """When the estimates hold, or why there are none, for people."""
        from taxiway.monitoring import direct_loss, estimate

        return self.not_estimated or (estimate.CONDITION if self.classes else direct_loss.CONDITION)


@dataclass(frozen=True)
class WindowPerformance:
    """The performance in a window.

    Attributes:
        first: Its first day.
        rows: How many rows were predicted.
        labelled: How many of them have a label by now.
        estimated: The metric of all rows, estimated without labels; None if it cannot be estimated.
        estimated_of_labelled: The same of the rows with a label only; None if it cannot be estimated, or without `realised`.
        realised: The metric of the rows with a label; None with too few, or if it is not defined for them.
        alert: Why it is an alert: `realised` or `estimated` performance is worse than the reference's; empty if it is not.
    """

    first: date
    rows: int
    labelled: int
    estimated: Interval | None
    estimated_of_labelled: Interval | None
    realised: Interval | None
    alert: str


def reference_of(model: "RowModel", pyfunc: Any, snapshot: Snapshot, label: str, metric: str, store: Store) -> Reference:
    """Score the evaluation rows of a version.

    Args:
        model: The model.
        pyfunc: The same, as it was loaded.
        snapshot: The snapshot that it was trained and evaluated on.
        label: The column of the label.
        metric: The metric.
        store: Where the rows are.

    Raises:
        ConfigError: The metric cannot be computed for the label.
        DataError: The rows lack a label, or the metric has no interval.
        NotStoredError: The rows are not in the store any more.
    """
    import numpy as np

    from taxiway.data.engine.read_rows import read_rows
    from taxiway.evaluation.scoring import LoadedModel, score
    from taxiway.features.encoding import category_text
    from taxiway.features.labels import true_labels
    from taxiway.monitoring.calibration import calibrate
    from taxiway.monitoring.realised import realised

    classes = tuple(model.classes)
    _require_metric(metric, classes)
    rows = read_rows(snapshot.evaluation, store, [*model.columns.names, label])
    has_label = rows[label].map(category_text, na_action="ignore").isin(classes) if classes else rows[label].notna()
    rows = rows[has_label]
    labels = true_labels(rows[label], classes, snapshot.evaluation)
    predictions = score(LoadedModel(0, pyfunc, classes), rows, classes, positive_class(classes))
    found = realised(metric, predictions, labels, classes, CONFIDENCE)
    if not _is_known(found):
        raise DataError(
            f"{metric} of the {len(labels):,} evaluation rows has no interval, as with very few rows of a class; give another metric"
        )
    if not classes:
        positions = np.flatnonzero(has_label)
        evaluated, problem = (
            Evaluated(positions, predictions.values, labels),
            "" if metric in _ESTIMATED_ERRORS else _NO_ESTIMATES,
        )
        return Reference(metric, classes, model.threshold, found, None, evaluated, problem)
    try:
        calibration, problem = calibrate(predictions.values, labels), ""
    except DataError as error:
        calibration, problem = None, str(error)
    return Reference(metric, classes, model.threshold, found, calibration, None, problem)


def _require_metric(metric: str, classes: Sequence[str]) -> None:
    problem: Problem = "classification" if classes else "regression"
    try:
        of = facts_of(metric).problem
    except ValueError as error:
        raise ConfigError(f"{metric} is not a metric: {error}") from None
    if of != problem:
        raise ConfigError(
            f"{metric} is a metric for {of}, and the model is for {problem}; allowed: {', '.join(metrics_of(problem))}"
        )
    if metric == NOT_MONITORED:
        raise ConfigError(not_monitored_text(problem))
    require_classes([metric], classes)


def performance(reference: Reference, windows: Iterable[Window]) -> Iterator[WindowPerformance]:
    """The performance in each window.

    A window is an alert if the 99% interval of its performance is entirely on the worse side of that of the evaluation rows. Realised
    performance decides if it is known; without labels, the estimate does.

    Args:
        reference: The performance on the evaluation rows.
        windows: The windows.
    """
    import numpy as np

    for window in windows:
        if not len(window.labels):
            continue
        known = np.flatnonzero(~np.isnan(window.labels))
        found = predictions_of(
            window.answers, reference.classes, reference.classes, positive_class(reference.classes), reference.threshold
        )
        estimate = _estimated(reference, found)
        labelled = found.take(known)
        real = _realised(reference, labelled, window.labels[known])
        is_whole = len(known) == len(window.labels)
        of_labelled = None if real is None else estimate if is_whole else _estimated(reference, labelled)
        alert = alert_of(reference, len(window.labels), real, estimate)
        yield WindowPerformance(window.first, len(window.labels), len(known), estimate, of_labelled, real, alert)


def alert_of(reference: Reference, rows: int, real: Interval | None, estimate: Interval | None) -> str:
    """Which performance of a window is worse than the reference's, `realised` or `estimated`; empty if none is, or with few rows."""
    if rows < MIN_ROWS:
        return ""
    if real is not None:
        return "realised" if is_worse(reference.metric, real, reference.performance) else ""
    return "estimated" if estimate is not None and is_worse(reference.metric, estimate, reference.performance) else ""


def _estimated(reference: Reference, predictions: Predictions) -> Interval | None:
    from taxiway.monitoring.estimate import estimated

    if reference.calibration is None:
        return None
    probabilities = reference.calibration.probabilities(predictions.values)
    try:
        found = estimated(reference.metric, predictions, probabilities, reference.classes, CONFIDENCE)
    except DataError:  # there are too many rows for so many classes
        return None
    return found if _is_known(found) else None


def _realised(reference: Reference, predictions: Predictions, labels: "Floats") -> Interval | None:
    from taxiway.monitoring.realised import realised

    if len(labels) < MIN_ROWS:
        return None
    found = realised(reference.metric, predictions, labels, reference.classes, CONFIDENCE)
    return found if _is_known(found) else None


def _is_known(found: Interval) -> bool:
    """Whether a metric and its interval are defined, unlike those of very few rows of a class."""
    return all(map(math.isfinite, (found.value, found.low, found.high)))
