"""Carry out a promotion that is written in the ledger: decide it, append it to the chain, move the aliases."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import TaxiwayError, TerminalError, TransientError
from taxiway.ledger import entry as ledger_entry
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import DECIDED, Entry, State
from taxiway.ledger.promotions import STALE_AFTER
from taxiway.records import Promotion
from taxiway.registry.aliases import CHAMPION, PREVIOUS, aliases_of, point, version_at
from taxiway.registry.version_tags import is_deleted

if TYPE_CHECKING:
    from mlflow import MlflowClient

_STALE_MINUTES = STALE_AFTER.total_seconds() / 60
_TRIES = 20


def settled(ledger: Ledger, model: str) -> list[Entry]:
    """All entries of a model, newest first, after the aliases have followed those that are decided.

    Raises:
        TerminalError: A decided entry was not written with a key of the installation.
    """
    known = promotions.entries(ledger.client, model)
    suspects = ledger_entry.untrusted(ledger, known)
    if suspects:
        raise TerminalError(ledger_entry.not_signed(ledger, suspects))
    if any(entry.state is State.MOVING for entry in known):
        _move_aliases(ledger, model)
        return promotions.entries(ledger.client, model)
    return known


def move(ledger: Ledger, entry: Entry, at: datetime) -> None:
    """Decide an open entry, and move the aliases.

    Every other entry that was open before this one was written is decided before this one is, and nobody can decide a later entry
    before this one. So decisions have an order, in which numbers increase, whatever clocks say and however long a process pauses.

    Args:
        ledger: The ledger.
        entry: The entry.
        at: The time, in UTC.

    Raises:
        TerminalError: The champion has changed, or a later promotion came first.
        TransientError: Another promotion of the model is in progress.
    """
    promotion = entry.promotion
    known = settled(ledger, promotion.model)
    others = [other for other in known if other.state is State.INTENT and other.run_id != entry.run_id]
    for other in others:
        if promotions.is_stale(other, at):
            promotions.decide(ledger, other, State.ABORTED)
        else:
            _withdraw(ledger, entry, TransientError(_in_progress(other.promotion)))
    if others:
        known = settled(ledger, promotion.model)
    refused = _overtaken(ledger, entry, known)
    if refused is not None:
        _withdraw(ledger, entry, TerminalError(refused))
    decided = promotions.decide(ledger, entry, State.MOVING)
    if decided.state not in DECIDED:
        raise TransientError(
            f"{_what(promotion)} is not done: another promotion of the model found this one stale and set it to {decided.state}, because "
            f"it took more than {_STALE_MINUTES:g} minutes, or the clocks of two machines differ by as much; try again"
        )
    _move_aliases(ledger, promotion.model)


def champion_now(ledger: Ledger, model: str, known: Sequence[Entry] | None = None) -> int | None:
    """The champion of a model: that of the newest promotion in the ledger.

    Whoever can write to MLflow can move the alias, but not sign a promotion. Only where nothing is signed, a model without a promotion
    has the champion that its alias names.

    Args:
        ledger: The ledger.
        model: The registered model.
        known: The entries of the model, newest first, if they are read already.
    """
    entries = known if known is not None else promotions.entries(ledger.client, model)
    newest = ledger_entry.head(ledger, entries)
    if newest is not None:
        return newest.promotion.to_version
    return None if ledger.keys else version_at(ledger.client, model, CHAMPION)


def files_by_ledger(ledger: Ledger, model: str, version: int, known: Sequence[Entry] | None = None) -> str | None:
    """The digest of a champion's files in its newest promotion, which is signed; None if the ledger has none.

    Args:
        ledger: The ledger.
        model: The registered model.
        version: The champion.
        known: The entries of the model, newest first, if they are read already.
    """
    entries = known if known is not None else promotions.entries(ledger.client, model)
    signed = (entry.promotion for entry in ledger_entry.trusted(ledger, entries))
    return next((made.files for made in signed if made.to_version == version and made.files), None)


def restore_aliases(ledger: Ledger, model: str) -> None:
    """Point the aliases to the newest promotion again, if somebody has moved them by hand."""
    _move_aliases(ledger, model, always=True)


def champion_before(known: Sequence[Entry], version: int) -> int | None:
    """The version that was champion before `version` was first promoted; None if there was none."""
    for entry in reversed(known):
        promoted = entry.promotion.verdict is not None  # and not rolled back to
        if entry.state in DECIDED and promoted and entry.promotion.to_version == version:
            return entry.promotion.from_version
    return None


def _overtaken(ledger: Ledger, entry: Entry, known: Sequence[Entry]) -> str | None:
    """Why the promotion can no longer be carried out; None if it can."""
    promotion, newest = entry.promotion, ledger_entry.head(ledger, known)
    champion = champion_now(ledger, promotion.model, known)
    overtaken = newest is not None and newest.run_id != entry.run_id and newest.number >= entry.number
    if not overtaken and champion in (promotion.from_version, promotion.to_version):
        return None
    changed = champion != promotion.from_version
    why = f"the champion has changed to version {champion or 'none'}" if changed else "another promotion came first"
    advice = "run the model gate again" if promotion.verdict else "try again if the new champion is not wanted either"
    return f"{_what(promotion)} is not done: {why}; {advice}"


def _withdraw(ledger: Ledger, entry: Entry, reason: TaxiwayError) -> None:
    """Withdraw an open entry and raise the reason, unless another process of the same promotion has decided that it moves."""
    if promotions.decide(ledger, entry, State.WITHDRAWN).state not in DECIDED:
        raise reason


def _move_aliases(ledger: Ledger, model: str, *, always: bool = False) -> None:
    """Append what is decided to the chain, and point the aliases to the newest decided promotion; `always` even if it is done.

    MLflow cannot set an alias on a condition. So a process that has set an alias looks at the ledger again, and sets it again if
    another promotion was decided meanwhile: the last one that sets the alias has seen the newest promotion. The champion moves first,
    because the alias `previous` serves nobody.
    """
    client = ledger.client
    followed: str | None = None
    for _ in range(_TRIES):
        known = promotions.entries(client, model)
        newest = ledger_entry.head(ledger, known)
        if newest is None or (followed is None and newest.state is State.DONE and not always):
            return
        for entry in reversed(known):
            if entry.state is State.MOVING:
                promotions.append_to_chain(ledger, entry)
        other = _misplaced(client, model, {CHAMPION: newest.promotion.to_version, PREVIOUS: _previous(known, newest)})
        if followed == newest.run_id and not other:
            if newest.state is State.MOVING:
                promotions.close(client, newest)
            return
        for alias, version in other.items():
            point(client, model, alias, version)
        followed = newest.run_id
    raise TransientError(f"{model}: the alias {CHAMPION} is changed by others all the time; try again")


def _misplaced(client: "MlflowClient", model: str, wanted: Mapping[str, int | None]) -> dict[str, int | None]:
    """The aliases that are elsewhere, with their versions. A version that somebody has deleted has no alias: MLflow removes it."""
    now = aliases_of(client, model)
    found = {alias: version for alias, version in wanted.items() if now.get(alias) != version}
    for alias, version in found.items():
        if version is not None and is_deleted(client, model, version):
            found[alias] = None
    return {alias: version for alias, version in found.items() if now.get(alias) != version}


def _previous(known: Sequence[Entry], entry: Entry) -> int | None:
    """The version that the alias `previous` points to after a promotion; after a rollback, that before the one rolled back to."""
    promotion = entry.promotion
    if promotion.verdict is not None or promotion.to_version is None:
        return promotion.from_version
    return champion_before(known, promotion.to_version)


def _what(promotion: Promotion) -> str:
    if promotion.to_version is None:
        return f"the end of {promotion.model} version {promotion.from_version} as champion"
    return f"the promotion of {promotion.model} version {promotion.to_version}"


def _in_progress(other: Promotion) -> str:
    return (
        f"{_what(other)} is in progress since {other.at:%Y-%m-%d %H:%M:%S} UTC, by {other.by}; try again when it is done, or "
        f"{_STALE_MINUTES:g} minutes after its start"
    )
