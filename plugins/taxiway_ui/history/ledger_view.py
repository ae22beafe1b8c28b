"""What the ledger has about a pipeline: its champion, promotions and decisions of people."""

from dataclasses import dataclass

from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.ledger.entry import DECIDED, Entry, State
from taxiway.records import Decision, Promotion
from taxiway.registry.champions import HISTORY, ChampionInfo, model_history
from taxiway_ui.clients import can_write, query_ledger


@dataclass(frozen=True)
class LedgerView:
    """The promotions and decisions of a pipeline in the ledger.

    Attributes:
        champion: The champion; None if there is none.
        promotions: The newest promotions, newest first.
        decisions: The newest decisions of people, newest first.
        writable: Whether the API server has what it needs to write into the ledger.
        retired: The end of the last champion; None if the model was not retired.
        moved: A message if somebody has moved the alias of the champion outside of Taxiway; empty if not.
    """

    champion: ChampionInfo | None = None
    promotions: tuple[Entry, ...] = ()
    decisions: tuple[Decision, ...] = ()
    writable: bool = False
    retired: Promotion | None = None
    moved: str = ""

    @property
    def done(self) -> tuple[Promotion, ...]:
        """The promotions that were completed, newest first."""
        return tuple(entry.promotion for entry in self.promotions if entry.state is State.DONE)

    @property
    def former(self) -> tuple[int, ...]:
        """The versions that a rollback can go to, the last champion first."""
        versions = [entry.promotion.to_version for entry in self.promotions if entry.state in DECIDED]
        now = self.champion.version if self.champion else None
        return tuple(dict.fromkeys(version for version in versions if version is not None and version != now))


NO_LEDGER = LedgerView()
"""What is known if MLflow does not answer."""


def ledger_of(name: str) -> tuple[tuple[LedgerView, Ledger | None], str]:
    """What the ledger has about a pipeline, with the ledger; and a message if MLflow does not answer."""
    nothing: tuple[LedgerView, Ledger | None] = LedgerView(), None
    return query_ledger(lambda opened: (_ledger_view(opened, name), opened), nothing)


def _ledger_view(ledger: Ledger, name: str) -> LedgerView:
    found = model_history(ledger, name)
    made = decisions(ledger, model=name, limit=HISTORY)
    return LedgerView(found.champion, found.entries, made, can_write(ledger), found.retired, found.moved)
