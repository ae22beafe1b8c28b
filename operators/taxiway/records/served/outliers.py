"""The outliers of a window: rows that are unlike the evaluation rows."""

from typing import Literal

from taxiway.messages import counted, percent
from taxiway.records.base import Record
from taxiway.records.evaluation import Interval


class Outlier(Record):
    """A row of a request.

    Attributes:
        request: The id of the request.
        row: Its row, from 0 on.
        score: The larger, the more outlying.
        tail: The share of evaluation rows whose score is at least as large.
        inputs: The inputs that make it outlying, with their values, a phrase each; the most important first.
    """

    request: str
    row: int
    score: float
    tail: float
    inputs: tuple[str, ...] = ()

    def describe(self) -> str:
        """`request 4f2a, row 0: score 31.2 (0.0% of the evaluation rows have as much); distance 99,999 (above all evaluation rows)`."""
        inputs = f"; {', '.join(self.inputs)}" if self.inputs else ""
        return (
            f"request {self.request}, row {self.row}: score {self.score:.3g} ({percent(self.tail)} of the evaluation rows have "
            f"at least as much){inputs}"
        )


class WindowOutliers(Record):
    """The outliers of a window.

    Attributes:
        method: How rows are scored.
        share: The share of outliers among the rows that were scored, with its 99% interval.
        usual: The share of a window whose inputs are distributed as the evaluation rows are.
        by_chance: The largest share that is not too many for such a window.
        too_many: Whether there are too many of them.
        most: The most outlying requests, each with its most outlying row.
    """

    method: Literal["ecod", "isolation_forest"]
    share: Interval
    usual: float
    by_chance: float
    too_many: bool
    most: tuple[Outlier, ...] = ()

    def describe(self) -> str:
        """`3.1% (2.8% to 3.5%) of 19,214 rows are outliers; without a change it would be 1.0%, by chance up to 1.3%`."""
        value, low, high, usual, by_chance = map(
            percent, (self.share.value, self.share.low, self.share.high, self.usual, self.by_chance)
        )
        return (
            f"{value} ({low} to {high}) of {counted(self.share.rows, 'row')} are outliers ({self.method}); without a change it would be "
            f"{usual}, by chance up to {by_chance}"
        )
