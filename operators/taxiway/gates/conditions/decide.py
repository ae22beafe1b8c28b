"""Conditions are decided by interval arithmetic: true, false, or unknown if an interval includes the bound."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from taxiway.gates.bounds.clause import Seen
from taxiway.gates.sample_size import GuaranteedCondition, log_errors, rows_suffice
from taxiway.records import Status
from taxiway.spec.conditions.model import Clause, Range


class Truth(Enum):
    """The value of a comparison or of a condition."""

    FALSE = "false"
    UNKNOWN = "unknown"
    TRUE = "true"


@dataclass(frozen=True)
class ClauseAnswer:
    """What the rows say about one comparison.

    Attributes:
        clause: The comparison.
        value: The estimate of its left side.
        interval: The interval of its left side.
        method: The bound that the interval is from.
        truth: Whether the comparison holds for the whole interval, or for no point of it.
    """

    clause: Clause
    value: float
    interval: Range
    method: str
    truth: Truth


@dataclass(frozen=True)
class Answer:
    """What the rows say about a condition.

    Attributes:
        truth: Whether it holds.
        status: The decision, which depends on the mode if nothing else is known.
        clauses: The comparisons.
    """

    truth: Truth
    status: Status
    clauses: tuple[ClauseAnswer, ...]


def answer(guaranteed: GuaranteedCondition, seen: Seen) -> Answer:
    """Decide a condition.

    A comparison is decided if its interval does not include the bound. If it does, and there are as many rows as the tolerance needs, the
    estimate is within the tolerance of the bound: the model does not pass (`fp-free`), or it passes (`fn-free`). With fewer rows the
    condition is UNDECIDED.

    Args:
        guaranteed: The condition with its guarantee.
        seen: What the rows say.
    """
    parts = log_errors(guaranteed, seen.rows)
    clauses = []
    for clause, bound, part in zip(guaranteed.condition.clauses, guaranteed.bounds, parts, strict=True):
        low, high, method = bound.interval(seen, part)
        interval = (low, high)
        clauses.append(ClauseAnswer(clause, clause.value(seen.values), interval, method, truth_of(clause, interval)))
    truth = kleene_and([each.truth for each in clauses])
    return Answer(truth, _status(guaranteed, truth, seen), tuple(clauses))


def with_disagreement(guaranteed: GuaranteedCondition, seen: Seen) -> GuaranteedCondition:
    """The condition with the disagreement that was seen, on which the number of rows that it needs depends."""
    return dataclasses.replace(guaranteed, disagreement=seen.values["d"]) if "d" in seen.values else guaranteed


def truth_of(clause: Clause, interval: Range) -> Truth:
    """Whether a comparison holds for all numbers of an interval, for none, or only for some."""
    low, high = interval if clause.comparison == ">" else (-interval[1], -interval[0])
    bound = clause.bound if clause.comparison == ">" else -clause.bound
    return Truth.TRUE if low > bound else Truth.FALSE if high <= bound else Truth.UNKNOWN


def kleene_and(truths: Iterable[Truth]) -> Truth:
    """Conjunction of three values: false if any is false, else unknown if any is unknown (Kleene 1938)."""
    found = set(truths)
    return Truth.FALSE if Truth.FALSE in found else Truth.UNKNOWN if Truth.UNKNOWN in found else Truth.TRUE


def shown_at(guaranteed: GuaranteedCondition, seen: Seen, part: float) -> bool:
    """Whether the answer that the mode protects is given at a part of the error: true for `fp-free`, false for `fn-free`."""
    truth = answer(dataclasses.replace(guaranteed, error_share=part), seen).truth
    return truth is (Truth.TRUE if guaranteed.mode == "fp-free" else Truth.FALSE)


def _status(guaranteed: GuaranteedCondition, truth: Truth, seen: Seen) -> Status:
    if truth is not Truth.UNKNOWN:
        return Status.PASS if truth is Truth.TRUE else Status.FAIL
    if not rows_suffice(with_disagreement(guaranteed, seen), seen.rows):
        return Status.UNDECIDED
    return Status.FAIL if guaranteed.mode == "fp-free" else Status.PASS
