"""The evidence for training again: the performance of a champion, its inputs, labels and earlier trainings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from taxiway.messages import decimal_texts
from taxiway.monitoring.retraining.expected_gain import ExpectedGain, Training, interval_text
from taxiway.monitoring.retraining.learning_curve import MeasuredCurve, Unknown
from taxiway.records import Interval
from taxiway.spec.metrics import facts_of


@dataclass(frozen=True)
class Evidence:
    """What is known of the champion.

    Attributes:
        at: When it is known, with a time zone.
        metric: The metric.
        reference: Its value on the evaluation rows of the champion.
        trainings: All trainings, oldest first, also those whose model was not promoted.
        realised: The value in the newest window, from labels; None if there are too few.
        estimated: The same, estimated without labels: for the rows of `realised` if it is known, else for all rows of the
            window; None if it cannot be estimated.
        drifted: The inputs that have drifted in the newest window.
        new_labels: The rows with a label that have come since the last training, whether its model was promoted or not.
        curve: The learning curve of the last training, or why it does not count; None if it was to measure none.
    """

    at: datetime
    metric: str
    reference: Interval
    trainings: Sequence[Training]
    realised: Interval | None = None
    estimated: Interval | None = None
    drifted: Sequence[str] = ()
    new_labels: int = 0
    curve: MeasuredCurve | Unknown | None = None


@dataclass(frozen=True)
class Loss:
    """A performance that is worse than it should be.

    Attributes:
        message: What it is compared with, for people.
        gain: What the metric has lost, which a training can regain at most.
    """

    message: str
    gain: ExpectedGain


def loss_since_evaluation(evidence: Evidence) -> Loss | None:
    """The loss since the evaluation of the champion.

    Returns:
        The loss; None if the interval of the performance is not entirely on the worse side of that of the evaluation rows.
    """
    _, now = _current(evidence)
    if now is None or not is_worse(evidence.metric, now, evidence.reference):
        return None
    return Loss(performance_text(evidence), _gain(evidence.metric, now, evidence.reference, _margin(now)))


def loss_by_concept_drift(evidence: Evidence) -> Loss | None:
    """The loss because the relation of features and label has changed.

    The estimate without labels contains how hard the rows are, so it is a fairer comparison than other rows. Its interval is
    where the realised value of the same rows is expected, if the relation has not changed.

    Returns:
        The loss; None if the realised value is not on the worse side of the interval of the estimate.
    """
    metric, now, expected = evidence.metric, evidence.realised, evidence.estimated
    if now is None or expected is None:
        return None
    if not is_worse(metric, now.model_copy(update={"low": now.value, "high": now.value}), expected):
        return None
    message = f"{_compared(metric, 'realised', now, expected, is_clear=True)} that was estimated for the same rows"
    return Loss(message, _gain(metric, now, expected, 0.0))


def performance_text(evidence: Evidence) -> str:
    """`the realised accuracy 0.782 (0.769 to 0.795) is below the 0.840 (0.829 to 0.851) of the evaluation rows`."""
    name, now = _current(evidence)
    if now is None:
        return f"{evidence.metric} is not known in the newest window"
    is_clear = is_worse(evidence.metric, now, evidence.reference)
    return f"{_compared(evidence.metric, name, now, evidence.reference, is_clear=is_clear)} of the evaluation rows"


def _current(evidence: Evidence) -> tuple[str, Interval | None]:
    """The performance in the newest window that counts, and what it is called."""
    return ("estimated", evidence.estimated) if evidence.realised is None else ("realised", evidence.realised)


def is_worse(metric: str, now: Interval, before: Interval) -> bool:
    """Whether an interval is entirely on the worse side of another one of the same metric."""
    return now.high < before.low if facts_of(metric).direction > 0 else now.low > before.high


def _margin(interval: Interval) -> float:
    return (interval.high - interval.low) / 2


def _gain(metric: str, now: Interval, before: Interval, margin: float) -> ExpectedGain:
    """What has been lost; `margin` is what the interval of the present value adds to that of the earlier."""
    loss, both = facts_of(metric).direction * (before.value - now.value), math.hypot(_margin(before), margin)
    low, high = loss - both, loss + both
    return ExpectedGain(loss, low, high, f"a training can regain up to {interval_text(loss, low, high)}")


def _compared(metric: str, name: str, now: Interval, before: Interval, *, is_clear: bool) -> str:
    """The present value and the earlier one, with as many decimals as it takes to see that it is worse, if that `is_clear`."""
    up = facts_of(metric).direction > 0
    borders = ((now.high, before.low) if up else (now.low, before.high)) if is_worse(metric, now, before) else ()
    decimals = len(decimal_texts(now.value, before.value, *borders)[0].partition(".")[2])
    value, low, high, *others = (
        f"{each:.{decimals}f}" for each in (now.value, now.low, now.high, before.value, before.low, before.high)
    )
    is_better = now.value > before.value if up else now.value < before.value
    side = "below" if up is not is_better else "above"
    clearly = "" if is_clear or is_better else "not clearly "
    return f"the {name} {metric} {value} ({low} to {high}) is {clearly}{side} the {others[0]} ({others[1]} to {others[2]})"
