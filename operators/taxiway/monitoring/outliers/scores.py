"""Outlier scores, and whether a window has more outliers than the reference rows.

A half of the reference rows is learned from. The other half is scored like the rows of a window, so if nothing has changed, the scores of
both are exchangeable: the number of rows of the window above the k-th largest of n reference scores is beta-binomial, whatever has been
learned and however the scores are distributed. Ties make the number smaller.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.monitoring.drift import COMPARISON_FALSE_ALERTS
from taxiway.monitoring.outliers.coded import Coding
from taxiway.monitoring.outliers.detectors import DETECTORS, Detector, Method
from taxiway.records import Interval
from taxiway.stats.binomial import lower_limit, upper_limit
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FALSE_ALERTS = COMPARISON_FALSE_ALERTS
"""The probability of a window without a change to have too many outliers, in addition to that of drift."""
USUAL_SHARE = 0.01
"""The share of the reference rows that are outliers."""
SMALLEST_FACTOR = 2
"""A window has too many outliers if it has at least this many times the usual share, and not by chance."""
FEWEST_ROWS = 200
"""The smallest number of reference rows: a half of them has one outlier."""
_MAX_LEARNED, _MAX_SCORED = 5_000, 50_000
_ALPHA = 0.01
_REPLACEMENTS = 30
_MAX_REASONS = 3
_SMALLEST_REASON = 0.1
"""An input is a reason if the score is nearer to the usual one by this share without it."""


@dataclass(frozen=True)
class OutlierShare:
    """How many rows of a window are outliers.

    Attributes:
        share: Their share of the rows that were scored, with its 99% interval.
        usual: The share of a window without a change, on average.
        by_chance: The largest share that is not too many for such a window.
        p_value: The probability of such a window to have as many.
    """

    share: Interval
    usual: float
    by_chance: float
    p_value: float

    @property
    def too_many(self) -> bool:
        """Whether these are more than the reference rows have."""
        return self.p_value <= FALSE_ALERTS and self.share.value >= SMALLEST_FACTOR * self.usual


class OutlierScores:
    """Scores rows by what it has learned from reference rows, and has the scores of others of them.

    Args:
        reference: At least `FEWEST_ROWS` rows, as from `raw_frame`, with at least one column. At most 5,000 of them are learned from,
            and at most 50,000 others are scored.
        method: What scores them.
    """

    def __init__(self, reference: "pd.DataFrame", method: Method) -> None:
        import numpy as np

        order = np.random.default_rng(SEED).permutation(len(reference))
        half = len(order) // 2
        learned, others = reference.iloc[order[: min(half, _MAX_LEARNED)]], reference.iloc[order[half:][:_MAX_SCORED]]
        self.method: Method = method
        self._coding = Coding(learned)
        values = self._coding.coded(learned)
        self._detector: Detector = DETECTORS[method](values)
        self._typical = values[:_REPLACEMENTS]
        self._reference = np.sort(self.scores(others))
        self._outliers = max(1, math.floor(USUAL_SHARE * len(others)))
        self.threshold = float(self._reference[-self._outliers])
        """Rows with a larger score are outliers."""

    @property
    def names(self) -> list[str]:
        """The columns."""
        return self._coding.names

    def scores(self, rows: "pd.DataFrame") -> "Floats":
        """The scores of rows: the larger, the more outlying."""
        return self._detector.scores(self._coding.coded(rows))

    def tail(self, score: float) -> float:
        """The share of the reference rows whose score is at least as large."""
        position = int(self._reference.searchsorted(score, side="left"))
        return (len(self._reference) - position) / len(self._reference)

    def share(self, scores: "Floats") -> OutlierShare:
        """How many rows of a window are outliers, by their scores; at least one."""
        from scipy.stats import betabinom

        rows, count, error = len(scores), int((scores > self.threshold).sum()), math.log(_ALPHA / 2)
        chance = betabinom(rows, self._outliers, len(self._reference) - self._outliers + 1)
        low, high = lower_limit(count, rows, error), upper_limit(count, rows, error)
        usual = self._outliers / (len(self._reference) + 1)
        by_chance = float(chance.isf(FALSE_ALERTS)) / rows
        return OutlierShare(
            Interval(value=count / rows, low=low, high=high, rows=rows), usual, by_chance, float(chance.sf(count - 1))
        )

    def reasons(self, rows: "pd.DataFrame") -> list[tuple[str, ...]]:
        """The inputs that make rows outlying, for each row at most three, the most important first.

        An input is as important as the score decreases on average if its value is replaced by those of 30 reference rows.
        """
        import numpy as np

        values, typical = self._coding.coded(rows), self._typical
        before, usual = self._detector.scores(values), float(np.median(self._reference))
        decreases = np.empty(values.shape)
        for at in range(values.shape[1]):
            replaced = np.repeat(values, len(typical), axis=0)
            replaced[:, at] = np.tile(typical[:, at], len(values))
            decreases[:, at] = before - self._detector.scores(replaced).reshape(len(values), -1).mean(axis=1)
        found = []
        for of_row, smallest in zip(decreases, _SMALLEST_REASON * (before - usual), strict=True):
            largest = np.argsort(-of_row, kind="stable")[:_MAX_REASONS]
            found.append(tuple(self.names[at] for at in largest if of_row[at] >= max(smallest, 0)))
        return found
