"""Why a champion predicts worse than on its evaluation rows."""

from datetime import date
from enum import StrEnum

from taxiway.messages import percent
from taxiway.records.base import Record


class CauseKind(StrEnum):
    """What may be the cause of a worse performance, in the order in which causes without a share are listed.

    Attributes:
        CONCEPT: The labels are worse than the estimate for the same rows: the relation of inputs and label may have changed.
        ANOMALY: Inputs have an anomaly by the schema.
        UPSTREAM: A span that the version was trained on was corrected, or a model whose predictions it reads has another champion.
        SLICE: The realised performance of a slice is worse.
        RELATION: The relation of inputs that have not drifted alone has changed.
        INPUT: An input has drifted.
    """

    CONCEPT = "concept drift"
    ANOMALY = "anomaly"
    UPSTREAM = "upstream"
    SLICE = "slice"
    RELATION = "relation"
    INPUT = "input"


class Cause(Record):
    """What may be the cause of a worse performance.

    Attributes:
        kind: What it is.
        name: The input, the column of an anomaly, the span, the model upstream, or the slice.
        message: What has changed, with its numbers.
        share: The share of the change of the estimate that it explains; None if that is not known. It is negative if the metric would be
            better by it alone.
        error: Half the width of its 95% interval, if orders of the inputs were sampled; None if the share is exact.
    """

    kind: CauseKind
    name: str
    message: str
    share: float | None = None
    error: float | None = None

    def describe(self) -> str:
        """`80.1%: carrier: the share of "UA" changed ...`; without a share, only the message."""
        if self.share is None:
            return self.message
        error = f" ± {percent(self.error)}" if self.error else ""
        return f"{percent(self.share)}{error}: {self.message}"


class Causes(Record):
    """Why the newest worse window is worse.

    Attributes:
        first: The first day of the window.
        since: The first day of the first window of this run of worse windows.
        message: The change and what explains most of it, in a sentence.
        causes: All that is known, the largest share first; those whose share is not known follow.
    """

    first: date
    since: date
    message: str
    causes: tuple[Cause, ...]
