"""When the performance of a chunk of rows is an alert: limits from the chunks of reference rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from taxiway.spec.metrics import facts_of

_DEVIATIONS = 3


@dataclass(frozen=True)
class AlertLimits:
    """The range of a metric that is not an alert.

    Attributes:
        low: The lower limit.
        high: The upper limit.
    """

    low: float
    high: float

    def alert(self, value: float) -> bool:
        """Whether a value is outside of the limits. NaN is not an alert."""
        return value < self.low or value > self.high


def alert_limits(metric: str, reference: Sequence[float]) -> AlertLimits:
    """The mean of the reference chunks plus and minus three standard deviations, within the metric's possible values, as in NannyML.

    A value that is too good is an alert as well: a label may have leaked into the features.

    The standard deviation is itself estimated. If the metric of chunks is distributed normally, a chunk without any change is outside
    with a probability of 2.4% with 10 reference chunks, of 0.82% with 25 and of 0.50% with 50, not of 0.27%. Each metric and each chunk adds
    to the false alerts. Smaller chunks than the reference's vary more, so the chunks should be of one size.

    Args:
        metric: The name of the metric.
        reference: The realised metric of each chunk of reference rows.
    """
    mean, margin, facts = fmean(reference), _DEVIATIONS * pstdev(reference), facts_of(metric)
    return AlertLimits(max(mean - margin, facts.low), min(mean + margin, facts.high))
