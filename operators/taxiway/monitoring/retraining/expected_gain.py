"""What another training is expected to gain, from what earlier trainings gained.

Gains are improvements of the metric: they are positive if the metric is better, also for a metric of which lower values are
better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import fmean, stdev
from typing import Any

from taxiway.messages import counted, decimal_texts
from taxiway.spec.monitor.action import RETRAIN_AS_BEFORE, Action

GAIN_CONFIDENCE = 0.95
"""The confidence level of the intervals of gains."""
_MIN_TRAININGS = 3
_MAX_TRAININGS = 6
_SIMILAR = 2


class TriggerKind(StrEnum):
    """What can be a reason to train again.

    Attributes:
        PERFORMANCE: The performance is worse than on the evaluation rows.
        CONCEPT_DRIFT: The realised performance is worse than the estimate for the same rows, so the relation of features and
            label has changed.
        NEW_LABELS: There are many rows with a label that no training has seen.
        INPUT_DRIFT: Inputs have drifted.
        AGE: The last training was long ago.
    """

    PERFORMANCE = "performance"
    CONCEPT_DRIFT = "concept_drift"
    NEW_LABELS = "new_labels"
    INPUT_DRIFT = "input_drift"
    AGE = "age"


@dataclass(frozen=True)
class Trigger:
    """A reason to train again.

    Attributes:
        kind: What it is.
        size: How large it is: the loss of the metric, the number of rows or of columns, or the age in days.
    """

    kind: TriggerKind
    size: float

    def described(self) -> dict[str, Any]:
        """The trigger as content for JSON."""
        return {"kind": str(self.kind), "size": self.size}


@dataclass(frozen=True)
class Training:
    """A training that has ended.

    Attributes:
        at: When the decision for it was made.
        trigger: Why the model was trained; None for another reason, such as a person's wish.
        gain: The improvement of the metric over the champion on the evaluation rows if the model was promoted, and 0 if it was
            not; None if it is not known, as for the first champion.
        action: What the run did.
        failed: Whether it failed before a decision, so that its gain is not known.
    """

    at: datetime
    trigger: Trigger | None = None
    gain: float | None = None
    action: Action = RETRAIN_AS_BEFORE
    failed: bool = False


@dataclass(frozen=True)
class ExpectedGain:
    """What a training is expected to gain.

    Attributes:
        value: The expected improvement of the metric.
        low: The lower end of its interval: at 95% confidence, or for a loss of performance at that of the performance.
        high: The upper end.
        message: What was measured, for people.
        is_extrapolated: Whether no training has shown it, but the learning curve of the last one.
    """

    value: float
    low: float
    high: float
    message: str
    is_extrapolated: bool = False

    def is_less(self, least: float) -> bool:
        """Whether it is less than a gain: the value, and of an extrapolated gain, the whole interval."""
        return (self.high if self.is_extrapolated else self.value) < least


def gain_after_similar(
    trigger: Trigger, trainings: Sequence[Training], action: Action = RETRAIN_AS_BEFORE
) -> ExpectedGain | None:
    """The mean gain of the newest trainings that had a similar trigger: one of the same kind, and at least half as large.

    A trigger that has become twice as large as those of all trainings before it is therefore something new, whatever they
    gained.

    Args:
        trigger: The trigger.
        trainings: The trainings, oldest first.
        action: What the training would do; only those that did the same count.

    Returns:
        The mean of at most six gains, with an interval by Student's distribution; None with fewer than three.
    """
    from scipy.special import stdtrit

    similar = (each for each in trainings if is_similar(each, trigger, action))
    gains = [each.gain for each in similar if each.gain is not None][-_MAX_TRAININGS:]
    if len(gains) < _MIN_TRAININGS:
        return None
    mean = fmean(gains)
    margin = float(stdtrit(len(gains) - 1, (1 + GAIN_CONFIDENCE) / 2)) * stdev(gains) / math.sqrt(len(gains))
    low, high = mean - margin, mean + margin
    message = f"the last {len(gains)} trainings for such a reason gained {interval_text(mean, low, high)} on average"
    return ExpectedGain(mean, low, high, message)


def interval_text(value: float, low: float, high: float) -> str:
    """`0.021 (0.010 to 0.032)`."""
    texts = decimal_texts(value, low, high)
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def total_gain_text(trainings: Sequence[Training]) -> str:
    """`6 trainings gained 0.002 in total`; empty if no gain is known."""
    gains = [each.gain for each in trainings if each.gain is not None]
    return f"{counted(len(gains), 'training')} gained {decimal_texts(math.fsum(gains))[0]} in total" if gains else ""


def is_similar(training: Training, trigger: Trigger, action: Action) -> bool:
    """Whether a training did an action for a trigger of this kind that was at least half as large."""
    before = training.trigger
    return (
        before is not None
        and before.kind is trigger.kind
        and _SIMILAR * before.size >= trigger.size
        and training.action.what == action.what
    )
