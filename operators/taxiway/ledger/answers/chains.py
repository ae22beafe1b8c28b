"""Read the chains of queries and answers in MLflow, by the model or by the rows, and check that they are whole."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.gates.evaluation_sets import Entry, smallest_hashes
from taxiway.ledger.chain import Ledger, links, newest_links
from taxiway.ledger.links import Link, broken_links
from taxiway.ledger.runs import active_experiment
from taxiway.ledger.segments import first_run, marked_runs, own_links
from taxiway.records import Answered, Asked, EvaluationSet
from taxiway.tracking import tags
from taxiway.tracking.paging import all_pages

EXPERIMENT = "taxiway/answers"
"""Followed by a slash and the model: the MLflow experiment of its chain."""
BEGINNING = "Answers"
"""The kind of the link of the ledger that says that a model has such a chain."""
_NOT_BEGUN = re.compile(r" [0-9a-f]{32}$")
"""The end of the name of an experiment that a process has made for a chain, and was killed before it was given its name."""
_MARKS = 4
"""The hashes of rows by which a set is found. Of two sets of equal size with nine tenths of their rows in common, 99.9% share one."""

if TYPE_CHECKING:
    from mlflow import MlflowClient


def experiment_of(model: str) -> str:
    """The MLflow experiment with the queries about a model."""
    return f"{EXPERIMENT}/{model}"


def marks_of(rows: EvaluationSet) -> tuple[str, ...]:
    """The tags of the MLflow runs with queries about a set: identical sets have the same, and overlapping sets probably one of them."""
    return tuple(f"{tags.EVALUATION_ROW_PREFIX}{each:016x}" for each in smallest_hashes(rows, _MARKS))


def all_entries(ledger: Ledger, model: str) -> list[Entry]:
    """All queries about the versions of a model with their answers, oldest first.

    Raises:
        TerminalError: The chain was edited.
    """
    found = list(links(ledger.client, experiment_of(model)))
    if not found:
        require_never_begun(ledger, model)
    _require_whole(model, list(_problems(ledger, model, found)))
    return entries_of([each for each in found if isinstance(each, Link)])


def newest_of(ledger: Ledger, asked: Asked) -> list[Link]:
    """The last links of the model's chain, and all about sets with rows of the query's.

    Raises:
        TerminalError: The chain was edited.
    """
    known = newest_links(ledger.client, experiment_of(asked.model), marks_of(asked.evaluation_set))
    _require_whole(asked.model, list(_problems(ledger, asked.model, known, from_start=False)))
    return known


def entries_elsewhere(ledger: Ledger, rows: EvaluationSet, model: str) -> list[Entry]:
    """What other models' chains have about sets that probably have rows in common with a set.

    Args:
        ledger: The ledger.
        rows: The set.
        model: The model whose chain is left out.

    Returns:
        Queries with their answers.

    Raises:
        TerminalError: One of the chains was edited, or its experiment is deleted in MLflow.
    """
    active, deleted = _chains(ledger.client)
    others = {experiment: name for experiment, name in active.items() if name != model}
    for run in marked_runs(ledger.client, sorted(deleted), marks_of(rows), deleted=True) if deleted else []:
        # Raises the error that says how to restore it.
        active_experiment(ledger.client, experiment_of(deleted[run.info.experiment_id]))
    runs = marked_runs(ledger.client, sorted(others), marks_of(rows)) if others else []
    found: dict[str, list[Link]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: str(run.data.tags[tags.CHAIN_FIRST])):
        found[others[run.info.experiment_id]] += own_links(run)
    for name, links_ in found.items():
        _require_whole(name, list(_problems(ledger, name, links_, from_start=False)))
    return [entry for links_ in found.values() for entry in entries_of(links_)]


def entries_of(known: Iterable[Link]) -> list[Entry]:
    """The queries among links, with their answers."""
    asked: dict[str, Asked] = {}
    answers: dict[str, list[Answered]] = {}
    for link in known:
        if link.kind == "Asked":
            asked.setdefault(link.entry, Asked.from_json(link.content or ""))
        elif link.kind == "Answered":
            answers.setdefault(link.entry, []).append(Answered.from_json(link.content or ""))
    return [Entry(one, tuple(answers.get(key, ()))) for key, one in asked.items()]


def first_run_of(client: "MlflowClient", model: str) -> str | None:
    """The id of the MLflow run with the first query about a model; None if there is none."""
    experiment = client.get_experiment_by_name(experiment_of(model))
    run = None if experiment is None else first_run(client, experiment.experiment_id)
    return None if run is None else str(run.info.run_id)


def require_never_begun(ledger: Ledger, model: str) -> None:
    """Check in the ledger, which is read as a whole, that a model has no chain: once for each model.

    Raises:
        TerminalError: It had one, which was removed.
    """
    if any(isinstance(link, Link) and (link.kind, link.model) == (BEGINNING, model) for link in links(ledger.client)):
        raise TerminalError(
            f"the answers about {model} are not in MLflow any more, and nothing can be decided without them: the experiment "
            f"{experiment_of(model)} was removed or renamed. Restore it, or MLflow's database",
            key="ledger",
        )


def missing_chains(client: "MlflowClient", found: Iterable[Link]) -> Iterator[str]:
    """The chains of queries that were begun, by the links of the ledger, and are not there any more: a message for each.

    Args:
        client: The MLflow client.
        found: The links of the ledger.
    """
    for link in found:
        if link.kind == BEGINNING and first_run_of(client, link.model) != link.entry:
            yield f"the answers about {link.model} were removed from MLflow, or their experiment {experiment_of(link.model)} was renamed"


def chain_problems(ledger: Ledger) -> list[str]:
    """What is wrong with the chains of all models: a message for each edited, removed or inserted link."""
    problems = []
    active, _ = _chains(ledger.client)  # for the deleted ones, see `missing_chains`
    for model in active.values():
        read = list(links(ledger.client, experiment_of(model)))
        problems += [f"answers about {model}: {problem}" for problem in _problems(ledger, model, read)]
    return problems


def _chains(client: "MlflowClient") -> tuple[dict[str, str], dict[str, str]]:
    """The model of each chain, by the id of its experiment: the chains of active experiments, and of those deleted in MLflow."""
    from mlflow.entities import ViewType

    prefix, active, deleted = f"{EXPERIMENT}/", dict[str, str](), dict[str, str]()
    wanted = f"name LIKE '{prefix}%'"
    pages = all_pages(lambda token: client.search_experiments(ViewType.ALL, filter_string=wanted, page_token=token))
    for each in pages:
        model = each.name.removeprefix(prefix)
        if not _NOT_BEGUN.search(model):
            (active if each.lifecycle_stage == "active" else deleted)[str(each.experiment_id)] = model
    return active, deleted


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
