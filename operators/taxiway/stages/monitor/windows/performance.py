"""The performance of a served version by window: estimated without labels, and realised with the labels that have come."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.evaluation.predictions import Predictions, positive_class, predictions_of
from taxiway.messages import counted
from taxiway.monitoring.retraining.evidence import Evidence, is_worse, loss_by_concept_drift
from taxiway.records import Interval
from taxiway.records.served import CalibrationCheck
from taxiway.serving.request_log.repeated_requests import AT_ONCE_MINUTES
from taxiway.stages.monitor.windows.log_windows import NEARLY_ALL, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from taxiway.monitoring.calibration import Calibration

    Floats = NDArray[np.float64]

CONFIDENCE = 0.99
MIN_ROWS = 100
"""With fewer rows, a window has no alert."""


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
        alike: The share of the evaluation rows that have the most frequent answer.
    """

    metric: str
    classes: tuple[str, ...]
    threshold: float | None
    performance: Interval
    calibration: "Calibration | None"
    evaluated: Evaluated | None
    not_estimated: str
    alike: float = 0.0

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
        repeated: The ids of the requests that repeat an earlier one; their rows do not count.
        alike: How many rows are the same, if nearly all are; 0 if not. Then the performance is not known: it would be that of one row.
        calibration: Whether the probabilities hold that the estimate is made of; None for a regression, and without `realised`.
        concept_drift: The evidence that the relation of inputs and label has changed, for people; empty without.
    """

    first: date
    rows: int
    labelled: int
    estimated: Interval | None
    estimated_of_labelled: Interval | None
    realised: Interval | None
    alert: str
    repeated: frozenset[str] = frozenset()
    alike: int = 0
    calibration: CalibrationCheck | None = None
    concept_drift: str = ""

    @property
    def messages(self) -> tuple[str, ...]:
        """What is to be known about it, for people: concept drift, calibration, repeated requests, and rows that are nearly all the same."""
        check = self.calibration
        uncalibrated = f"{check.describe()}: the probabilities do not hold" if check is not None and not check.holds else ""
        repeated = counted(len(self.repeated), "repeated request")
        of = (
            self.concept_drift,
            uncalibrated,
            f"{repeated} {'is' if len(self.repeated) == 1 else 'are'} left out: the same caller sent the same rows at most "
            f"{AT_ONCE_MINUTES} minutes before or after",
            f"{self.alike:,} of {self.rows:,} rows are the same, so the performance of others is not known",
        )
        return tuple(
            message
            for message, is_so in zip(of, (self.concept_drift, uncalibrated, self.repeated, self.alike), strict=True)
            if is_so
        )


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
        yield _performance(reference, window, np.flatnonzero(~np.isnan(window.labels)))


def _performance(reference: Reference, window: Window, known: "NDArray[np.intp]") -> WindowPerformance:
    """The performance in a window, which is not known if nearly all of its rows are the same."""
    rows = len(window.labels)
    if window.alike >= NEARLY_ALL * rows and reference.alike < NEARLY_ALL:
        return WindowPerformance(window.first, rows, len(known), None, None, None, "", window.repeated, window.alike)
    found = predictions_of(
        window.answers, reference.classes, reference.classes, positive_class(reference.classes), reference.threshold
    )
    labelled = found.take(known)
    real = _realised(reference, labelled, window.labels[known])
    estimate, is_whole = _estimated(reference, found), len(known) == rows
    of_labelled = None if real is None else estimate if is_whole else _estimated(reference, labelled)
    check = _calibration(reference, labelled, window.labels[known]) if real is not None else None
    made = WindowPerformance(
        window.first, rows, len(known), estimate, of_labelled, real, "", window.repeated, calibration=check
    )
    return judged(reference, made)


def judged(reference: Reference, found: WindowPerformance) -> WindowPerformance:
    """A window with its alert, and whether its inputs and labels are related otherwise."""
    alert = _alert_of(reference, found)
    drift = _concept_drift(reference, found) if alert == "realised" else ""
    return replace(found, alert=alert, concept_drift=drift)


def _concept_drift(reference: Reference, found: WindowPerformance) -> str:
    """The evidence for concept drift: the realised performance is worse than it was estimated for the same rows, and the estimate is not
    worse than on the evaluation rows.
    """
    expected = found.estimated_of_labelled
    if expected is None or is_worse(reference.metric, expected, reference.performance):
        return ""
    evidence = Evidence(
        at=datetime.combine(found.first, time.min, UTC),
        metric=reference.metric,
        reference=reference.performance,
        trainings=(),
        realised=found.realised,
        estimated=expected,
    )
    loss = loss_by_concept_drift(evidence)
    return (
        f"concept drift, or wrong labels: {loss.message}, which is not worse than on the evaluation rows"
        if loss is not None
        else ""
    )


def _calibration(reference: Reference, predictions: Predictions, labels: "Floats") -> CalibrationCheck | None:
    from taxiway.monitoring.calibration_check import check_calibration

    if reference.calibration is None:
        return None
    probabilities = reference.calibration.probabilities(predictions.values)
    return check_calibration(probabilities, labels, reference.classes, reference.performance.rows, CONFIDENCE)


def _alert_of(reference: Reference, found: WindowPerformance) -> str:
    """Which performance of a window is worse than the reference's: `realised` or `estimated`.

    Returns:
        Empty if none is worse, and with few rows.
    """
    if found.rows < MIN_ROWS:
        return ""
    if found.realised is not None:
        return "realised" if is_worse(reference.metric, found.realised, reference.performance) else ""
    estimate = found.estimated
    if estimate is None or estimate.low == estimate.high:  # no labels would change it
        return ""
    return "estimated" if is_worse(reference.metric, estimate, reference.performance) else ""


def _estimated(reference: Reference, predictions: Predictions) -> Interval | None:
    from taxiway.monitoring.estimate import estimated

    if reference.calibration is None:
        return None
    probabilities = reference.calibration.probabilities(predictions.values)
    try:
        found = estimated(reference.metric, predictions, probabilities, reference.classes, CONFIDENCE)
    except DataError:  # there are too many rows for so many classes
        return None
    return found if is_known(found) else None


def _realised(reference: Reference, predictions: Predictions, labels: "Floats") -> Interval | None:
    from taxiway.monitoring.realised import realised

    if len(labels) < MIN_ROWS:
        return None
    found = realised(reference.metric, predictions, labels, reference.classes, CONFIDENCE)
    return found if is_known(found) else None


def is_known(found: Interval) -> bool:
    """Whether a metric and its interval are defined, unlike those of very few rows of a class."""
    return all(map(math.isfinite, (found.value, found.low, found.high)))
