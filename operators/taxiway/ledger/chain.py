"""The chain: one list of all entries of the ledger, in which each link has the hash of the one before it.

Links are parameters of MLflow runs, and a parameter can be written once: of two processes that append at once, MLflow accepts one,
and the other appends after it. A run of the chain holds some hundreds of links and names the run that follows it, so that appending
costs the same however long the chain is. Who edits, removes or inserts an entry breaks the chain, and cannot mend it without a key.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError, TransientError
from taxiway.ledger.keys import VARIABLE, LedgerKeys
from taxiway.ledger.links import Link, NewEntry
from taxiway.ledger.runs import active_experiment
from taxiway.ledger.segments import (
    NEXT,
    continue_after,
    first_run,
    link_name,
    link_runs,
    make_run,
    mark,
    marked_runs,
    newest_runs,
    own_links,
    written,
)
from taxiway.tracking import tags
from taxiway.tracking.run import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "taxiway/ledger"
SEGMENT_LINKS = 200
"""The links of a run."""
_TRIES = 50


@dataclass(frozen=True)
class Ledger:
    """Where the ledger is, and how it is signed.

    Attributes:
        client: The client of the MLflow server with the ledger.
        keys: The keys of the installation.
    """

    client: "MlflowClient"
    keys: LedgerKeys = field(default_factory=LedgerKeys)


def is_signed(client: "MlflowClient") -> bool:
    """Whether the newest link is signed, so that only who has a key can append to the chain. Takes two requests.

    Raises:
        TerminalError: Its experiment is deleted in MLflow.
    """
    experiment = _experiment(client)
    if experiment is None:
        return False
    known = own_links(*newest_runs(client, experiment))
    return bool(known) and known[-1].signature is not None


def require_keys(ledger: Ledger) -> None:
    """Check that an entry can be appended, before anything of it is written.

    Args:
        ledger: The ledger.

    Raises:
        TerminalError: The chain is signed, and the ledger has no key to sign with.
    """
    if not ledger.keys and is_signed(ledger.client):
        raise _no_key()


def _no_key() -> TerminalError:
    return TerminalError(
        f"the ledger is signed, and there is no key here to sign with; set {VARIABLE}, or in Airflow [taxiway] ledger_keys",
        key="ledger_keys",
    )


def _experiment(client: "MlflowClient", name: str = EXPERIMENT) -> str | None:
    return active_experiment(client, name)


def append(ledger: Ledger, new: NewEntry, before: Callable[[], Iterable[NewEntry]] = tuple) -> Link:
    """Append an entry to the chain, which is begun if it does not exist, and note the link at the entry.

    An entry that is already among the newest links is not appended again.

    Args:
        ledger: The ledger.
        new: The entry.
        before: Returns the entries of before the chain, in their order, with which it begins if it does not exist.
    """
    experiment = _experiment(ledger.client) or _begin(ledger, before())
    link = _append(ledger, experiment, new)
    _note(ledger.client, link)
    return link


def append_to(ledger: Ledger, name: str, new: NewEntry) -> Link:
    """Append an entry to another chain of the ledger, which is begun if it does not exist.

    An entry that is already among the newest links is not appended again.

    Args:
        ledger: The ledger.
        name: The experiment of the chain.
        new: The entry, with its content.
    """
    return _append(ledger, _experiment(ledger.client, name) or _begin(ledger, (), name), new)


def links(client: "MlflowClient", name: str = EXPERIMENT) -> Iterator[Link | str]:
    """All links of a chain from its beginning; instead of a link that cannot be read, a message about it.

    Args:
        client: The MLflow client.
        name: The experiment of the chain.
    """
    experiment = _experiment(client, name)
    run, seen = first_run(client, experiment) if experiment is not None else None, set[str]()
    if experiment is not None and run is None:
        yield f"the MLflow run with the beginning of the chain is deleted or removed from the experiment {name}; restore it"
    while run is not None:
        params = run.data.params
        for name in sorted(name for name in params if name != NEXT):
            link = Link.from_json(params[name])
            yield link if link is not None and link_name(link.number) == name else f"link {name} is not the text of a link"
        seen.add(run.info.run_id)
        following = params.get(NEXT)
        run = client.get_run(following) if following is not None and following not in seen else None


def newest_links(client: "MlflowClient", name: str = EXPERIMENT, marked: Sequence[str] = ()) -> list[Link]:
    """The last links of a chain, oldest first; none if it was not begun.

    Args:
        client: The MLflow client.
        name: The experiment of the chain.
        marked: Also all links in runs with one of these marks, however old.
    """
    experiment = _experiment(client, name)
    if experiment is None:
        return []
    newest = own_links(*newest_runs(client, experiment))
    older = own_links(*marked_runs(client, [experiment], marked))
    return sorted({link.number: link for link in (*older, *newest)}.values(), key=lambda link: link.number)


def _begin(ledger: Ledger, before: Iterable[NewEntry], name: str = EXPERIMENT) -> str:
    """Begin the chain; returns its experiment. Of two processes that do, one can give its own the name; the other's is deleted."""
    from mlflow.exceptions import MlflowException

    client = ledger.client
    made = experiment_id(client, f"{name} {uuid.uuid4().hex}")
    make_run(client, made, 1)
    noted = [_append(ledger, made, entry) for entry in before]
    try:
        client.rename_experiment(made, name)
    except MlflowException:
        client.delete_experiment(made)
        faster = _experiment(client, name)
        if faster is None:
            raise
        return faster
    note(client, noted)
    return made


def note(client: "MlflowClient", appended: Iterable[Link]) -> None:
    """Note links at their entries, such as those that a crash kept from being noted."""
    for link in appended:
        _note(client, link)


def _append(ledger: Ledger, experiment: str, new: NewEntry) -> Link:
    for _ in range(_TRIES):
        runs = newest_runs(ledger.client, experiment)
        run, known = runs[-1], own_links(*runs)
        same = next((link for link in known if (link.entry, link.record) == (new.entry, new.record)), None)
        if same is not None and ledger.keys.verifies(same.text, same.signature):
            return same
        last = known[-1] if known else None
        if last is not None and last.signature is not None and not ledger.keys:
            raise _no_key()
        link = Link(
            last.number + 1 if last else 1,
            new.kind,
            new.model,
            new.entry,
            new.record,
            new.content,
            last.hash if last else None,
        )
        link = replace(link, signature=ledger.keys.sign(link.text))
        _require_none_missing(run, link)
        link_runs(ledger.client, runs)  # before the link, as the marks
        if len(own_links(run)) >= SEGMENT_LINKS:
            continue_after(ledger.client, experiment, run, link.number)
            continue
        mark(ledger.client, run, new.marks)  # before the link, so that a link with them is always found
        if written(ledger.client, run.info.run_id, link_name(link.number), link.to_json()):
            return link
        _require_link(ledger.client, run.info.run_id, link_name(link.number))
    raise TransientError(f"the ledger is written by others all the time; {new.kind} of {new.model} is not appended; try again")


def _require_none_missing(run: "Run", link: Link) -> None:
    """Raise TerminalError if a new link would not follow the links before its run, as they were removed or the run was inserted."""
    first = run.data.tags.get(tags.CHAIN_FIRST, "")
    if first > link_name(link.number):
        before = f"link {link.number - 1} is the last one before it" if link.previous else "there is none before it"
        raise TerminalError(
            f"the MLflow run {run.info.run_id} of the chain begins with link {first.lstrip('0')}, and {before}, so nothing can be appended to "
            "the ledger: somebody has removed links, or inserted this run. See: taxiway ledger verify. Restore MLflow's database, or delete "
            "this run if it was inserted"
        )


def _require_link(client: "MlflowClient", run: str, name: str) -> None:
    """Raise TerminalError if what another process has written there is no link, so that nothing can be appended any more."""
    if Link.from_json(client.get_run(run).data.params.get(name, "")) is None:
        raise TerminalError(
            f"the parameter {name} of the MLflow run {run} is not a link of the chain, so nothing can be appended to the ledger; somebody else "
            "has written it. Restore MLflow's database, or delete the parameter there"
        )


def _note(client: "MlflowClient", link: Link) -> None:
    """Note a link at its entry. Of two processes that do at once, as after answers of two people, MLflow's database may refuse one."""
    from mlflow.exceptions import MlflowException

    try:
        client.set_tag(link.entry, tags.CHAIN_LINK, link.to_json())
    except MlflowException:
        if client.get_run(link.entry).data.tags.get(tags.CHAIN_LINK) != link.to_json():
            raise
