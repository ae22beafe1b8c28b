"""The records of what was asked about an evaluation set, and of the answers."""

import math
from typing import Literal

from pydantic import AwareDatetime

from taxiway.messages import counted
from taxiway.records.base import Record, Status

SAMPLE_HASHES = 256
"""The hashes of a set that are kept."""
Show = Literal["exact", "rounded", "decision"]
"""How much is shown of the scores on evaluation rows: all of them; rounded means of the conditions; only the decision."""


class EvaluationSet(Record):
    """The evaluation rows of a run, by their content without the label.

    Attributes:
        content: The digest of the rows, whatever their order.
        rows: The number of rows.
        different: The number of different rows.
        once: The number of rows that no other row equals.
        sample: The smallest hashes of the rows, as base64 of big-endian numbers of 64 bits: a sample by which sets are compared (Bar-Yossef
            et al. 2002, Counting distinct elements in a data stream).
    """

    content: str
    rows: int
    different: int
    once: int
    sample: str


class Asked(Record):
    """A query about a model that an evaluation set has to answer.

    Attributes:
        key: The digest of what the answer depends on: the rows, the labels, the predictions of both models, and the rules.
        model: The name of the registered model.
        version: Its version.
        champion: The version that it is compared with; None if there is none.
        evaluation_set: The rows.
        steps: The models of the budget.
        passes: The passes of the budget; None if nobody sees an answer before the last one.
        guaranteed: Whether the gate has conditions, whose error the budget limits.
        shared: Whether what these rows have answered about other models counts.
        by: The run that asked, `DAG/RUN`, or a person.
        at: When.
    """

    key: str
    model: str
    version: int
    champion: int | None = None
    evaluation_set: EvaluationSet
    steps: int
    passes: int | None
    guaranteed: bool = True
    shared: bool = True
    by: str
    at: AwareDatetime

    @property
    def counted_passes(self) -> int:
        """The passes by which the error is divided: if nobody sees an answer, as many models can be reached as with one pass."""
        return self.passes or 1


class Answered(Record):
    """What an evaluation set answered, recorded before anybody sees it.

    Attributes:
        key: The key of the query.
        log_share: The logarithm of the share of the gate's error with which it was decided; None if the gate promises nothing.
        status: The decision.
        shown: What is shown with the decision.
        log_values: The logarithm of the number of values that this could have; None if everything about the rows may be known from it.
        by: Who asked to see it.
        at: When.
    """

    key: str
    log_share: float | None
    status: Status
    shown: Show
    log_values: float | None = 0.0
    by: str
    at: AwareDatetime

    @property
    def values(self) -> float:
        """`log_values`; infinity if everything may be known."""
        return math.inf if self.log_values is None else self.log_values


class SpentRows(Record):
    """What is spent of the evaluation rows after a decision.

    Attributes:
        rows: The number of rows.
        models: The models that were tried on them, this one included.
        steps: The models of the budget.
        passes: Those of them that passed.
        allowed_passes: The passes after which new rows are needed; None if they do not count.
        error_left: The share of the gate's error that is left for other models, from 0 to 1; None if nothing is promised about it.
        shown: What is shown of the scores.
        is_spent: Whether no other model can be decided by these rows.
    """

    rows: int
    models: int
    steps: int
    passes: int = 0
    allowed_passes: int | None = None
    error_left: float | None = None
    shown: Show
    is_spent: bool

    def describe(self) -> str:
        """`1 of 8 models tried on these 27,564 rows, none passed; up to 7 more may be tried`."""
        tried = f"{self.models:,} of {counted(self.steps, 'model')} tried on these {counted(self.rows, 'row')}"
        if self.allowed_passes is not None:
            tried += f", {self.passes or 'none'} passed"
        if self.is_spent:
            return f"{tried}; they are spent, and the next span brings new ones"
        return f"{tried}; up to {self.steps - self.models:,} more may be tried"
