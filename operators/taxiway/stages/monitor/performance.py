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
from taxiway.stages.monitor.windows import Window
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


@dataclass(frozen=True)
class Reference:
    """How a version performs on its evaluation rows, which it was not trained on.

    Attributes:
        metric: The metric.
        classes: The classes; empty for a regression.
        threshold: The decision threshold; None for 0.5.
        performance: The metric of these rows, with its interval.
        calibration: The calibration of the probabilities; None if the performance cannot be estimated.
        not_estimated: Why it cannot; empty if it can.
    """

    metric: str
    classes: tuple[str, ...]
    threshold: float | None
    performance: Interval
    calibration: "Calibration | None"
    not_estimated: str


@dataclass(frozen=True)
class WindowPerformance:
    """The performance in a window.

    Attributes:
        first: Its first day.
        rows: How many rows were predicted.
        labelled: How many of them have a label by now.
        estimated: The metric of all rows, estimated from the probabilities; None if it cannot be estimated.
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
    from taxiway.data.engine.read_rows import read_rows
    from taxiway.evaluation.scoring import LoadedModel, score
    from taxiway.features.encoding import category_text
    from taxiway.features.labels import true_labels
    from taxiway.monitoring.calibration import calibrate
    from taxiway.monitoring.realised import realised

    classes = tuple(model.classes)
    _require_metric(metric, classes)
    rows = read_rows(snapshot.evaluation, store, [*model.columns.names, label])
    rows = rows[rows[label].map(category_text, na_action="ignore").isin(classes)] if classes else rows[rows[label].notna()]
    labels = true_labels(rows[label], classes, snapshot.evaluation)
    predictions = score(LoadedModel(0, pyfunc, classes), rows, classes, positive_class(classes))
    found = realised(metric, predictions, labels, classes, CONFIDENCE)
    if not _is_known(found):
        raise DataError(
            f"{metric} of the {len(labels):,} evaluation rows has no interval, as with very few rows of a class; give another metric"
        )
    calibration, problem = None, "there are no estimates for a regression"
    if classes:
        try:
            calibration, problem = calibrate(predictions.values, labels), ""
        except DataError as error:
            problem = str(error)
    return Reference(metric, classes, model.threshold, found, calibration, problem)


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
        of_labelled = _estimated(reference, labelled) if real is not None else None
        enough = len(window.labels) >= MIN_ROWS
        alert = (
            "realised" if _is_worse(real, reference) else "estimated" if real is None and _is_worse(estimate, reference) else ""
        )
        yield WindowPerformance(
            window.first, len(window.labels), len(known), estimate, of_labelled, real, alert if enough else ""
        )


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


def _is_worse(found: Interval | None, reference: Reference) -> bool:
    return found is not None and is_worse(reference.metric, found, reference.performance)
