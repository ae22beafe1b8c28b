"""How a champion has predicted in production, by windows of its requests."""

from datetime import date

from pydantic import AwareDatetime

from taxiway.records.base import Record
from taxiway.records.evaluation import Interval


class ServedWindow(Record):
    """A window of requests.

    Attributes:
        first: Its first day, in UTC.
        rows: How many rows were predicted.
        labelled: How many of them have a label.
        estimated: The metric of all rows, estimated without labels; None if it cannot be estimated.
        realised: The metric of the rows with a label; None with too few of them.
        worse: `realised` or `estimated` if this is worse than on the evaluation rows; empty if it is not.
        drifted: The inputs that have drifted.
        messages: What is known about its inputs: anomalies by the schema, and drift.
    """

    first: date
    rows: int
    labelled: int
    estimated: Interval | None = None
    realised: Interval | None = None
    worse: str = ""
    drifted: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


class ServedPerformance(Record):
    """What a run of monitoring has found.

    Attributes:
        model: The registered model.
        version: The champion.
        metric: The metric.
        evaluation: Its value on the evaluation rows of the version.
        windows: The windows, oldest first.
        cause: Which inputs the newest estimate comes from; empty if that is not known, or if it is not worse.
        at: When it was found.
    """

    model: str
    version: int
    metric: str
    evaluation: Interval
    windows: tuple[ServedWindow, ...]
    cause: str = ""
    at: AwareDatetime
