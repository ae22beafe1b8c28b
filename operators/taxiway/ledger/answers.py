"""What was asked about evaluation sets, and answered: a chain for each model, signed like the ledger, of which no link is left out.

A question is appended before the gate decides, which fixes its place among all questions, also if two processes ask at once. The answer
is appended before anybody sees it. A retry after a crash is not counted twice.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.gates.evaluation_sets import Entry, account_of, is_spent, overlaps
from taxiway.ledger.chain import Ledger, append, append_to, links, newest_links
from taxiway.ledger.links import Link, NewEntry, broken_links
from taxiway.ledger.promotions import before_the_chain
from taxiway.ledger.segments import first_run
from taxiway.records import Answered, Asked
from taxiway.stats.spending import Account
from taxiway.tracking import tags
from taxiway.tracking.paging import all_pages

EXPERIMENT = "taxiway/answers"
"""Followed by a slash and the model: the MLflow experiment of its chain."""
BEGINNING = "Answers"
"""The kind of the link of the ledger that says that a model has such a chain."""
_FIRST_LINKS = 4
"""So many links of a new chain may be there before its beginning is noted, if processes ask at once or are killed."""
_NOT_BEGUN = re.compile(r" [0-9a-f]{32}$")
"""The end of the name of an experiment that a process has made for a chain, and was killed before it was given its name."""

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Standing:
    """What an evaluation set has left for a question.

    Attributes:
        account: What was spent of it before the question.
        answers: The answers to this very question, oldest first; empty if it is new.
        is_spent: Whether nothing is left, so that the question must not be answered.
        sets: The number of other sets with rows of this one about which something was asked.
    """

    account: Account
    answers: tuple[Answered, ...] = ()
    is_spent: bool = False
    sets: int = 0


def standing_of(ledger: Ledger, asked: Asked) -> Standing:
    """What is left for a question, without asking it.

    Args:
        ledger: The ledger.
        asked: The question.

    Returns:
        What is left, and the answers if it was asked before.

    Raises:
        TerminalError: The chain was edited.
    """
    return _standing(_newest(ledger, asked), asked)


def ask(ledger: Ledger, asked: Asked) -> Standing:
    """Record a question about a model, unless it was asked before, or the evaluation set is spent.

    Args:
        ledger: The ledger.
        asked: The question.

    Returns:
        What was left before the question, and the answers if it was asked before.

    Raises:
        TerminalError: The chain was edited or removed, or is signed and there is no key.
    """
    known = _newest(ledger, asked)
    found = _standing(known, asked)
    if known and len(known) <= _FIRST_LINKS:  # the first process may have been killed before it noted this
        _note_beginning(ledger, known[0])
    if found.answers or found.is_spent or _asked_at(known, asked.key):
        return found
    if not known:
        _require_never_begun(ledger, asked.model)
    content = NewEntry("Asked", asked.model, asked.key, asked.key, asked.to_json(), _mark(asked))
    link = append_to(ledger, experiment_of(asked.model), content)
    if link.number == 1:
        _note_beginning(ledger, link)
    if link.number == (known[-1].number + 1 if known else 1):
        return found
    return _standing(_newest(ledger, asked), asked)  # another process has asked in between


def answer(ledger: Ledger, model: str, answered: Answered) -> None:
    """Record an answer, or that more of it is shown; call it before anybody sees it.

    Args:
        ledger: The ledger.
        model: The model of the question.
        answered: The answer.

    Raises:
        TerminalError: The chain is signed and there is no key.
    """
    new = NewEntry("Answered", model, answered.key, answered.digest, answered.to_json())
    append_to(ledger, experiment_of(model), new)


def all_entries(ledger: Ledger, model: str) -> list[Entry]:
    """All questions about the versions of a model with their answers, oldest first.

    Raises:
        TerminalError: The chain was edited.
    """
    found = list(links(ledger.client, experiment_of(model)))
    if not found:
        _require_never_begun(ledger, model)
    _require_whole(model, list(_problems(ledger, model, found)))
    return _entries([each for each in found if isinstance(each, Link)])


def missing_chains(client: "MlflowClient", found: Iterable[Link]) -> Iterator[str]:
    """The chains of questions that were begun, by the links of the ledger, and are not there any more: a message for each.

    Args:
        client: The MLflow client.
        found: The links of the ledger.
    """
    for link in found:
        if link.kind == BEGINNING and _first_run(client, link.model) != link.entry:
            yield f"the answers about {link.model} were removed from MLflow, or their experiment {experiment_of(link.model)} was renamed"


def experiment_of(model: str) -> str:
    """The MLflow experiment with the questions about a model."""
    return f"{EXPERIMENT}/{model}"


def chain_problems(ledger: Ledger) -> list[str]:
    """What is wrong with the chains of all models: a message for each edited, removed or inserted link."""
    prefix = f"{EXPERIMENT}/"
    found = all_pages(lambda token: ledger.client.search_experiments(filter_string=f"name LIKE '{prefix}%'", page_token=token))
    problems = []
    for experiment in found:
        model = experiment.name.removeprefix(prefix)
        if _NOT_BEGUN.search(model):
            continue
        read = list(links(ledger.client, experiment.name))
        problems += [f"answers about {model}: {problem}" for problem in _problems(ledger, model, read)]
    return problems


def _require_never_begun(ledger: Ledger, model: str) -> None:
    """Raise TerminalError if the chain of a model was begun before, by the ledger, which is read as a whole: once for each model."""
    if any(isinstance(link, Link) and (link.kind, link.model) == (BEGINNING, model) for link in links(ledger.client)):
        raise TerminalError(
            f"the answers about {model} are not in MLflow any more, and nothing can be decided without them: the experiment "
            f"{experiment_of(model)} was removed or renamed. Restore it, or MLflow's database",
            key="ledger",
        )


def _note_beginning(ledger: Ledger, first: Link) -> None:
    """Record in the ledger that a model has a chain of questions, so that it cannot be removed without a trace."""
    run = _first_run(ledger.client, first.model)
    assert run is not None  # it holds this link
    append(ledger, NewEntry(BEGINNING, first.model, run, first.record), lambda: before_the_chain(ledger))


def _first_run(client: "MlflowClient", model: str) -> str | None:
    """The id of the MLflow run with the first question about a model; None if there is none."""
    experiment = client.get_experiment_by_name(experiment_of(model))
    run = None if experiment is None else first_run(client, experiment.experiment_id)
    return None if run is None else str(run.info.run_id)


def _newest(ledger: Ledger, asked: Asked) -> list[Link]:
    known = newest_links(ledger.client, experiment_of(asked.model), _mark(asked))
    _require_whole(asked.model, list(_problems(ledger, asked.model, known, from_start=False)))
    return known


def _problems(ledger: Ledger, model: str, found: Sequence[Link | str], *, from_start: bool = True) -> Iterator[str]:
    """What is wrong with links of a model's chain: those that cannot be read, are about another model, or do not fit together."""
    whole = [each for each in found if isinstance(each, Link)]
    yield from (each for each in found if isinstance(each, str))
    yield from (f"link {link.number} is about {link.model}" for link in whole if link.model != model)
    yield from broken_links(ledger.keys, whole, from_start=from_start)


def _require_whole(model: str, problems: Sequence[str]) -> None:
    if problems:
        raise TerminalError(
            f"the ledger of answers about {model} was edited: {problems[0]}; nothing can be decided by it. See: taxiway ledger verify. "
            "Restore MLflow's database",
            key="ledger",
        )


def _standing(known: Sequence[Link], asked: Asked) -> Standing:
    """What is left for a question, by the links before it, or by all if it is not among them."""
    own = _asked_at(known, asked.key)
    entries = _entries(known)
    earlier = _entries([link for link in known if own is None or link.number < own])
    overlapping = [entry for entry in earlier if overlaps(asked.evaluation_set, entry.asked.evaluation_set)]
    answers = next((entry.answers for entry in entries if entry.asked.key == asked.key), ())
    account = account_of(overlapping)
    others = {entry.asked.evaluation_set.content for entry in overlapping} - {asked.evaluation_set.content}
    return Standing(account, answers, not answers and is_spent(account, asked), len(others))


def _asked_at(known: Sequence[Link], key: str) -> int | None:
    """The number of the link with a question; None if there is none."""
    return next((link.number for link in known if (link.kind, link.entry) == ("Asked", key)), None)


def _entries(known: Sequence[Link]) -> list[Entry]:
    asked: dict[str, Asked] = {}
    answers: dict[str, list[Answered]] = {}
    for link in known:
        if link.kind == "Asked":
            asked.setdefault(link.entry, Asked.from_json(link.content or ""))
        elif link.kind == "Answered":
            answers.setdefault(link.entry, []).append(Answered.from_json(link.content or ""))
    return [Entry(one, tuple(answers.get(key, ()))) for key, one in asked.items()]


def _mark(asked: Asked) -> str:
    return f"{tags.EVALUATION_SET_PREFIX}{asked.evaluation_set.content}"
