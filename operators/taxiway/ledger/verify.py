"""Verify the ledger: the chain from its beginning, and every promotion and decision against its link."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.ledger import chain, decisions, promotions
from taxiway.ledger.answers import chains as answers
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import DECIDED
from taxiway.ledger.links import Link, NewEntry, broken_links
from taxiway.ledger.unlinked import unlinked_decisions, unlinked_promotions
from taxiway.records import Decision
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        links: The number of links.
        unsigned: The number of links without a signature, of before keys were configured.
        head: The hash of the last link; None without one.
        problems: What is wrong, a message each.
        notes: Entries that a crash may have left incomplete, a message each.
    """

    links: int
    unsigned: int
    head: str | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify(ledger: Ledger) -> Verified:
    """Read the whole ledger and check it: that no entry was edited, removed or inserted, and that all are signed.

    The removal of the newest entries together with the end of the chain leaves no trace in MLflow; compare `head` with the one that
    was noted before. The gateway remembers the newest promotion that it has served.
    """
    read = list(chain.links(ledger.client))
    links = [link for link in read if isinstance(link, Link)]
    in_chain = {link.entry for link in links}
    entries = {entry.entry: entry for entry in _entries(ledger, in_chain)}
    made = decisions.with_runs(ledger.client)
    unlinked = (*unlinked_promotions(ledger, entries.values(), in_chain), *unlinked_decisions(ledger, made, in_chain))
    return Verified(
        links=len(links),
        unsigned=sum(link.signature is None for link in links),
        head=links[-1].hash if links else None,
        problems=(
            *(problem for problem in read if isinstance(problem, str)),
            *broken_links(ledger.keys, links),
            *_broken_entries(ledger, links, entries),
            *(found.message for found in unlinked if found.inserted),
            *_changed_tags(ledger),
            *_changed_decision_tags(made),
            *answers.chain_problems(ledger),
            *answers.missing_chains(ledger.client, links),
        ),
        notes=tuple(found.message for found in unlinked if not found.inserted),
    )


def unsigned_entries(ledger: Ledger) -> list[NewEntry]:
    """The entries without a link that is signed with a key of the installation, oldest first."""
    found = [link for link in chain.links(ledger.client) if isinstance(link, Link)]
    signed = {(link.entry, link.record) for link in found if ledger.keys.verifies(link.text, link.signature)}
    edited = {entry.entry for entry in edited_entries(ledger)}
    entries = _entries(ledger, {link.entry for link in found})
    return [entry for entry in entries if (entry.entry, entry.record) not in signed and entry.entry not in edited]


def edited_entries(ledger: Ledger) -> list[NewEntry]:
    """The entries whose records are not those that the chain has for them; they must not be signed."""
    found = {link.entry: link.record for link in chain.links(ledger.client) if isinstance(link, Link)}
    return [entry for entry in _entries(ledger, found) if found.get(entry.entry, entry.record) != entry.record]


def sign(ledger: Ledger, unsigned: Iterable[NewEntry]) -> None:
    """Sign entries of before the installation had its keys: each is appended to the chain again.

    What a crash has left in the chain without a note at its entry is noted, too.
    """
    for entry in unsigned:
        chain.append(ledger, entry)
    noted = {entry.run_id: entry.link for entry in promotions.entries(ledger.client)}
    newest = {link.entry: link for link in chain.links(ledger.client) if isinstance(link, Link)}
    chain.note(ledger.client, (link for run, link in newest.items() if run in noted and noted[run] != link))


def _broken_entries(ledger: Ledger, links: list[Link], entries: Mapping[str, NewEntry]) -> Iterator[str]:
    newest = {link.entry: link for link in links if link.kind != answers.BEGINNING}
    for link in newest.values():
        entry = entries.get(link.entry)
        if entry is None:
            yield f"entry {link.number} ({link.describe()}) was removed from MLflow, or its state was changed"
        elif (entry.model, entry.record) != (link.model, link.record):
            yield f"entry {link.number} ({link.describe()}) was edited: its record is {entry.record}, the chain has {link.record}"
        if ledger.keys and not ledger.keys.verifies(link.text, link.signature):
            yield f"entry {link.number} ({link.describe()}) is not signed with a key of this installation"


def _changed_tags(ledger: Ledger) -> Iterator[str]:
    """The promotions whose number or key are not those that were signed with them."""
    for entry in promotions.entries(ledger.client):
        edited = entry.link is not None and entry.link.record != entry.promotion.digest  # named with its link
        if entry.state in DECIDED and entry.signature is not None and not edited and not entry.is_signed(ledger):
            yield f"the promotion of {entry.promotion.model} in MLflow run {entry.run_id} was edited: its number or its key was changed"


def _changed_decision_tags(made: "Iterable[tuple[Run, Decision | None]]") -> Iterator[str]:
    """The decisions whose tags, by which they are found, are not those of their records."""
    for run, decision in made:
        found = (run.data.tags.get(tags.DECISION_MODEL), run.data.tags.get(tags.DECISION_ABOUT))
        if decision is not None and found != (decision.model, decision.about):
            yield f"the decision of {decision.by} about {decision.model} in MLflow run {run.info.run_id} was edited: its tags are {found}"


def _entries(ledger: Ledger, in_chain: Container[str]) -> list[NewEntry]:
    """All promotions that were decided, and all decisions of people that were made, as they are in MLflow now."""
    return [*promotions.as_written(ledger.client), *decisions.as_written(ledger.client, in_chain)]
