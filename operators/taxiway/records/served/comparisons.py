"""What a champion is compared with in production: the version before, slices of the evaluation rows, and its own earlier losses."""

from datetime import UTC, date

from pydantic import AwareDatetime

from taxiway.messages import decimal_texts, percent
from taxiway.records.base import Record
from taxiway.records.evaluation import Interval, Version


class PreviousPerformance(Record):
    """How the version before the champion predicts the champion's rows that have a label.

    Attributes:
        version: The version before; None if there is none.
        since: When the champion was promoted; rows before do not count. None if it was not.
        rows: How many rows were compared.
        served: The metric of the champion; None if nothing was compared.
        previous: The metric of the version before on the same rows.
        difference: Champion minus the version before, with its paired interval.
        log_evidence: The logarithm of the evidence that the champion's rows have larger losses, see `taxiway.monitoring.row_losses`; None if
            the metric has no loss of single rows.
        not_compared: Why nothing was compared; empty if it was.
    """

    version: Version | None = None
    since: AwareDatetime | None = None
    rows: int = 0
    served: Interval | None = None
    previous: Interval | None = None
    difference: Interval | None = None
    log_evidence: float | None = None
    not_compared: str = ""

    def describe(self, metric: str, champion: int) -> str:
        """What was found, in a sentence; `metric` is its name, and `champion` the version that was served."""
        if self.served is None or self.previous is None or self.difference is None or self.since is None:
            return f"not compared with the version before: {self.not_compared}"
        served, previous, difference = _texts(self.served, self.previous, self.difference)
        return (
            f"{metric} of {self.rows:,} rows with a label since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {served} of version "
            f"{champion}, {previous} of version {self.version} for the same rows, difference {difference}"
        )


class WorseSlice(Record):
    """The rows of a window in which an input has a value, whose realised performance is worse than that of such evaluation rows.

    Attributes:
        column: The input.
        value: The value, as text.
        realised: The metric of the rows with a label.
        evaluation: The metric of the evaluation rows with this value.
    """

    column: str
    value: str
    realised: Interval
    evaluation: Interval

    def describe(self, metric: str) -> str:
        """`carrier = "UA": accuracy 0.612 (0.552 to 0.672) of 1,204 rows; 0.790 (0.760 to 0.820) of the evaluation rows`."""
        now, then = _texts(self.realised, self.evaluation)
        return f"{self.column} = {self.value}: {metric} {now} of {self.realised.rows:,} rows; {then} of the evaluation rows"


class LossChange(Record):
    """A change of the mean loss of the rows with a label, see `taxiway.monitoring.changes`.

    Attributes:
        loss: The loss of a row, such as `error rate`.
        day: The first day after the change, in UTC.
        earliest: The lower end of the 99% interval of this day.
        latest: The upper end.
        before: The mean loss before it, since the change before or the first window.
        after: The mean loss after it, until the next change or the newest label.
        rows_before: The rows of `before`.
        rows_after: The rows of `after`.
    """

    loss: str
    day: date
    earliest: date
    latest: date
    before: float
    after: float
    rows_before: int
    rows_after: int

    def describe(self, version: int) -> str:
        """`the error rate of version 2 rose from 18.0% to 27.0% at about 2013-06-03 (2013-06-02 to 2013-06-05; 5,600 rows with ...)`."""
        is_share = self.loss == "error rate"
        before, after = map(percent, (self.before, self.after)) if is_share else decimal_texts(self.before, self.after)
        way = "rose" if self.after > self.before else "fell"
        return (
            f"the {self.loss} of version {version} {way} from {before} to {after} at about {self.day} ({self.earliest} to {self.latest}; "
            f"{self.rows_before:,} rows with a label before, {self.rows_after:,} after)"
        )


def _texts(*intervals: Interval) -> list[str]:
    """Values with their intervals, all with as many decimals."""
    texts = iter(decimal_texts(*(number for each in intervals for number in (each.value, each.low, each.high))))
    return [f"{value} ({low} to {high})" for value, low, high in zip(texts, texts, texts, strict=True)]
