"""An entry of a promotion, and which entries count: those that were written and decided with a key of the installation.

Tags of MLflow are not believed, neither for the order of promotions nor for what is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from taxiway.ledger.chain import Ledger
from taxiway.ledger.links import Link, NewEntry
from taxiway.records import Promotion


class State(StrEnum):
    """The state of an entry. It changes from INTENT to one of the others, or over MOVING to DONE, and never back.

    Attributes:
        INTENT: The promotion is in progress, and not decided.
        MOVING: It is decided that the alias moves. Any process may move it.
        DONE: The alias has moved.
        WITHDRAWN: Another promotion came first; the alias has not moved.
        ABORTED: Another promotion has found the entry stale; the alias has not moved.
    """

    INTENT = "INTENT"
    MOVING = "MOVING"
    DONE = "DONE"
    WITHDRAWN = "WITHDRAWN"
    ABORTED = "ABORTED"


DECIDED = frozenset({State.MOVING, State.DONE})
"""The states of promotions that are part of the champion's path."""


@dataclass(frozen=True)
class Entry:
    """An entry of the ledger.

    Attributes:
        run_id: The id of its MLflow run.
        number: Its number, larger than those of all entries of the model that its writer had seen: its fencing token.
        state: Its state.
        key: The key of the promotion, see `promotion_key`.
        promotion: The promotion.
        signature: The signature of its text; None if it was not signed, or written by an earlier version of Taxiway.
        decision: The signature of the decision that the alias moves; None if there is none.
        link: Its link in the chain; None before it is decided.
    """

    run_id: str
    number: int
    state: State
    key: str
    promotion: Promotion
    signature: str | None = None
    decision: str | None = None
    link: Link | None = None

    @property
    def text(self) -> str:
        """What is signed when the entry is written."""
        return f"{self.key}\n{self.number}\n{self.promotion.to_json()}"

    @property
    def new_link(self) -> NewEntry:
        """The content of its link in the chain."""
        return NewEntry("Promotion", self.promotion.model, self.run_id, self.promotion.digest)

    def is_linked(self, ledger: Ledger) -> bool:
        """Whether it has a link that is signed with a key of the installation, and that is about this very promotion."""
        link, new = self.link, self.new_link
        named = link is not None and (link.kind, link.model, link.entry, link.record) == (
            new.kind,
            new.model,
            new.entry,
            new.record,
        )
        return link is not None and named and ledger.keys.verifies(link.text, link.signature)

    def counts(self, ledger: Ledger) -> bool:
        """Whether it is decided that the alias moves, by what is signed; without keys, by the state of the entry."""
        if self.is_linked(ledger):  # only decided promotions are linked, whatever the tag with the state says now
            return True
        if not ledger.keys:
            return self.state in DECIDED
        signed = ledger.keys.verifies(self.text, self.signature)
        return signed and ledger.keys.verifies(self.decided_text, self.decision)

    def rank(self, ledger: Ledger) -> tuple[int, int]:
        """Its place among the promotions of its model, by what is signed: its number, or if that is not, the number of its link."""
        if ledger.keys.verifies(self.text, self.signature):
            return 1, self.number
        return 0, self.link.number if self.link is not None else 0

    @property
    def decided_text(self) -> str:
        """What is signed when it is decided that the alias moves: also its run, so that a copy of the run is not decided."""
        return f"{self.text}\n{self.run_id}\n{State.MOVING}"

    def is_signed(self, ledger: Ledger) -> bool:
        """Whether its text, and if it is decided, that decision too, is signed with a key of the installation."""
        if not ledger.keys.verifies(self.text, self.signature):
            return False
        return self.state not in DECIDED or ledger.keys.verifies(self.decided_text, self.decision)


def trusted(ledger: Ledger, known: Sequence[Entry]) -> list[Entry]:
    """The decided promotions of a model that somebody with a key of the installation has written, newest first.

    The version after the first one is the champion. Tags of MLflow are not believed: neither for the order, nor for what is decided.

    Args:
        ledger: The ledger.
        known: Entries of the model.
    """
    found = [entry for entry in known if entry.counts(ledger)]
    return sorted(found, key=lambda entry: entry.rank(ledger), reverse=True)


def head(ledger: Ledger, known: Sequence[Entry]) -> Entry | None:
    """The newest promotion of a model that is decided; None if there is none. See `trusted`."""
    return next(iter(trusted(ledger, known)), None)


def untrusted(ledger: Ledger, known: Sequence[Entry]) -> list[Entry]:
    """The decided entries that nobody with a key of the installation has written."""
    return [entry for entry in known if entry.state in DECIDED and not entry.is_linked(ledger) and not entry.is_signed(ledger)]


def not_signed(ledger: Ledger, suspects: Sequence[Entry]) -> str:
    """A message about entries that are not signed with a key of the installation."""
    promotion, signature, link = suspects[0].promotion, suspects[0].signature, suspects[0].link
    if link is not None and link.entry == suspects[0].run_id and ledger.keys.verifies(link.text, link.signature):
        return (
            f"the promotion of {promotion.model} to version {promotion.to_version or 'none'} in MLflow run {suspects[0].run_id} was edited: its "
            "record is not the one that was signed. `taxiway ledger verify` names what was changed; restore MLflow's database, or that record"
        )
    if signature is not None and not ledger.keys.knows(signature):
        return (
            f"the promotion of {promotion.model} to version {promotion.to_version or 'none'} by {promotion.by} is signed with the key "
            f"{signature.partition(':')[0]}, which is not known here (MLflow run {suspects[0].run_id}). Give this process all keys of the installation, the newest first; if the key "
            "is none of them, somebody else has written that run"
        )
    more = f" and {len(suspects) - 1} more" if len(suspects) > 1 else ""
    return (
        f"the promotion of {promotion.model} to version {promotion.to_version or 'none'} at {promotion.at:%Y-%m-%d %H:%M:%S} UTC by "
        f"{promotion.by}{more} is not signed with a key of this installation (MLflow run {suspects[0].run_id}). If it is from before the "
        "keys were configured: `taxiway ledger sign`. Otherwise somebody else has written it into MLflow: delete that run"
    )
