"""Which decisions of people have had no effect, and why: answers after the first one, and forces that promoted nothing."""

from collections.abc import Iterator, Sequence

from taxiway.ledger.decisions import ANSWERS
from taxiway.ledger.entry import DECIDED, Entry, State
from taxiway.records import Decision, DecisionKind

_REFUSED = (
    "nothing was promoted: a force is refused if the champion is no longer the one that the version was compared with, or was trained on "
    "newer data"
)
_OF_STATE = {
    State.INTENT: "its promotion is in progress, or was interrupted",
    State.WITHDRAWN: "nothing was promoted, because another promotion came first",
    State.ABORTED: "nothing was promoted, because its promotion was interrupted and another one came first",
}


def without_effect(made: Sequence[Decision], known: Sequence[Entry]) -> dict[str, str]:
    """Why decisions have no effect, by their digests; those with an effect are left out.

    Args:
        made: Decisions about one model, newest first.
        known: The newest entries of the model, newest first. A force that is older than all of them is left out, if none is about it.
    """
    return dict((*_late_answers(made), *_refused_forces(made, known)))


def _late_answers(made: Sequence[Decision]) -> Iterator[tuple[str, str]]:
    first = {
        decision.about: decision for decision in made if decision.kind in ANSWERS
    }  # newest first, so that the oldest one stays
    for decision in made:
        stands = first.get(decision.about)
        if decision.kind in ANSWERS and stands is not None and stands is not decision:
            yield decision.digest, f"the {stands.kind} of {stands.by} came first, and stands"


def _refused_forces(made: Sequence[Decision], known: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    states: dict[str, set[State]] = {}
    for entry in known:
        if entry.promotion.decision is not None:
            states.setdefault(entry.promotion.decision, set()).add(entry.state)
    for decision in made:
        if decision.kind is not DecisionKind.FORCE:
            continue
        found = states.get(decision.digest, set())
        if found & DECIDED:
            continue
        if found:
            yield decision.digest, next(text for state, text in _OF_STATE.items() if state in found)
        elif known and decision.at >= known[-1].promotion.at:
            yield decision.digest, _REFUSED
