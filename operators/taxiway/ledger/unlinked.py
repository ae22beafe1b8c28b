"""Entries that are in MLflow and not in the chain: those that a crash has left open, and those that somebody has inserted.

An entry is signed when it is written, before it has a link. So the signature distinguishes an open entry of this
installation from one that was written without its key. Without keys nothing is signed, and the two cannot be distinguished.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import is_signed
from taxiway.ledger.entry import State
from taxiway.ledger.links import NewEntry
from taxiway.records import Decision
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Unlinked:
    """An entry that is not in the chain.

    Attributes:
        message: What it is, and what it means.
        inserted: Whether somebody has inserted it; otherwise a crash may have left it.
    """

    message: str
    inserted: bool


def unlinked_promotions(ledger: Ledger, entries: Iterable[NewEntry], in_chain: Container[str]) -> Iterator[Unlinked]:
    """Entries that the chain should have: decided promotions, and decisions that say that they have a link.

    Args:
        ledger: The ledger.
        entries: All entries that the chain should have.
        in_chain: The MLflow runs that the chain names.
    """
    missing = [entry for entry in entries if entry.entry not in in_chain]
    # The state is MOVING until the entry is in the chain, and its signature is about its own run.
    known = promotions.entries(ledger.client, state=State.INTENT) if missing else []
    interrupted = {entry.run_id for entry in known if entry.state is State.MOVING and entry.is_signed(ledger)}
    for entry in missing:
        about = f"the {entry.kind} of {entry.model} in MLflow run {entry.entry}"
        if entry.entry in interrupted:
            yield Unlinked(
                f"{about} was decided and not signed into the chain: its process is still at work, or was interrupted. The next promotion of "
                f"the model completes it, and so does taxiway ledger restore-alias {entry.model}",
                inserted=False,
            )
        else:
            yield Unlinked(f"{about} was inserted: it is not in the chain", inserted=True)


def unlinked_decisions(
    ledger: Ledger, made: "Sequence[tuple[Run, Decision | None]]", in_chain: Container[str]
) -> Iterator[Unlinked]:
    """Decisions that neither the chain names, nor say that they have a link. None of them has any effect.

    Args:
        ledger: The ledger.
        made: All MLflow runs of decisions.
        in_chain: The MLflow runs that the chain names.
    """
    linked = {
        decision.digest: run.info.run_id for run, decision in made if decision is not None and run.info.run_id in in_chain
    }
    for run, decision in made:
        if run.info.run_id in in_chain or tags.CHAIN_LINK in run.data.tags:
            continue
        if decision is None:
            yield Unlinked(
                f"the MLflow run {run.info.run_id} among the decisions was inserted: it has no decision", inserted=True
            )
            continue
        about = f"the {decision.kind} of {decision.by} about {decision.model} in MLflow run {run.info.run_id}"
        if decision.digest in linked:
            yield Unlinked(
                f"{about} was inserted: it is a copy of the one in MLflow run {linked[decision.digest]}, and has no effect",
                inserted=True,
            )
        elif not is_signed(ledger, run, decision):
            yield Unlinked(
                f"{about} was inserted: it is neither in the chain nor signed with a key of this installation, and has no effect",
                inserted=True,
            )
        else:
            whose = "" if ledger.keys else ", or somebody has inserted it; without keys the two cannot be distinguished"
            yield Unlinked(
                f"{about} was written and never signed into the chain, so it has no effect: its process is still at work, or was "
                f"interrupted{whose}. To make the decision, decide the same again",
                inserted=False,
            )
