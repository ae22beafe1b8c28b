"""Ask an evaluation set about a model, and record the answer."""

from taxiway.ledger.answers.chains import (
    BEGINNING,
    entries_elsewhere,
    experiment_of,
    first_run_of,
    marks_of,
    newest_of,
    require_never_begun,
)
from taxiway.ledger.answers.standing import Standing, asked_at, standing_by
from taxiway.ledger.chain import Ledger, append, append_to
from taxiway.ledger.links import Link, NewEntry
from taxiway.ledger.promotions import before_the_chain
from taxiway.records import Answered, Asked

_FIRST_LINKS = 4
"""So many links of a new chain may be there before its beginning is noted, if processes ask at once or are killed."""


def standing_of(ledger: Ledger, asked: Asked) -> Standing:
    """What is left for a query, without asking it.

    Args:
        ledger: The ledger.
        asked: The query.

    Returns:
        What is left, and the answers if it was asked before.

    Raises:
        TerminalError: A chain was edited.
    """
    return _standing(ledger, newest_of(ledger, asked), asked)


def ask(ledger: Ledger, asked: Asked) -> Standing:
    """Record a query about a model, unless it was asked before, or the evaluation set is spent.

    Args:
        ledger: The ledger.
        asked: The query.

    Returns:
        What was left before the query, and the answers if it was asked before.

    Raises:
        TerminalError: A chain was edited or removed, or is signed and there is no key.
    """
    known = newest_of(ledger, asked)
    found = _standing(ledger, known, asked)
    if known and len(known) <= _FIRST_LINKS:  # the first process may have been killed before it noted this
        _note_beginning(ledger, known[0])
    if found.answers or found.is_spent or asked_at(known, asked.key):
        return found
    if not known:
        require_never_begun(ledger, asked.model)
    content = NewEntry("Asked", asked.model, asked.key, asked.key, asked.to_json(), marks_of(asked.evaluation_set))
    link = append_to(ledger, experiment_of(asked.model), content)
    if link.number == 1:
        _note_beginning(ledger, link)
    if not asked.guaranteed and link.number == (known[-1].number + 1 if known else 1):
        return found
    return standing_of(ledger, asked)  # another process may have asked in between


def answer(ledger: Ledger, asked: Asked, answered: Answered) -> None:
    """Record an answer, or that more of it is shown; call it before anybody sees it.

    Args:
        ledger: The ledger.
        asked: The query.
        answered: The answer.

    Raises:
        TerminalError: The chain is signed and there is no key.
    """
    marks = marks_of(asked.evaluation_set)
    new = NewEntry("Answered", asked.model, answered.key, answered.digest, answered.to_json(), marks)
    append_to(ledger, experiment_of(asked.model), new)


def _standing(ledger: Ledger, known: list[Link], asked: Asked) -> Standing:
    """Other models are looked for only if the gate promises something, which their answers could break."""
    others = entries_elsewhere(ledger, asked.evaluation_set, asked.model) if asked.guaranteed else []
    return standing_by(known, others, asked)


def _note_beginning(ledger: Ledger, first: Link) -> None:
    """Record in the ledger that a model has a chain of queries, so that it cannot be removed without a trace."""
    run = first_run_of(ledger.client, first.model)
    assert run is not None  # it holds this link
    append(ledger, NewEntry(BEGINNING, first.model, run, first.record), lambda: before_the_chain(ledger))
