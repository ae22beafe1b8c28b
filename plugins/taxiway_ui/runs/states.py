"""How a pipeline is: the state in which the first page lists it."""

from collections.abc import Sequence
from enum import StrEnum

from taxiway.records import Outcome, RunSummary
from taxiway_ui.airflow_db import LastRun, Question


class State(StrEnum):
    """How a pipeline is, the most urgent first."""

    FAILED = "failed"
    WAITING = "waiting"
    BLOCKED = "blocked"
    UNDECIDED = "undecided"
    REJECTED = "rejected"
    RUNNING = "running"
    PROMOTED = "promoted"
    NEW = "no decision"


_STATES = {
    Outcome.BLOCKED: State.BLOCKED,
    Outcome.UNDECIDED: State.UNDECIDED,
    Outcome.REJECTED: State.REJECTED,
    Outcome.PROMOTED: State.PROMOTED,
    Outcome.FIRST_CHAMPION: State.PROMOTED,
}


def state_of(last: LastRun | None, decision: RunSummary | None, questions: Sequence[Question]) -> State:
    """How a pipeline is.

    Args:
        last: Its latest run; None if it has not run.
        decision: Its latest decision; None if there is none.
        questions: What its runs ask a person.
    """
    if questions:
        return State.WAITING
    if last is not None and last.state in ("running", "queued"):
        return State.RUNNING
    if last is not None and last.state == "failed" and (decision is None or decision.run != last.run):
        return State.FAILED
    return _STATES[decision.outcome] if decision is not None else State.NEW
