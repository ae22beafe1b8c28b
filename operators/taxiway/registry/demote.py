"""Rollback and the end of a champion, which a person or monitoring decides."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import DECIDED, Entry, State, head
from taxiway.ledger.promotions import is_stale, open_entry, promotion_key
from taxiway.records import Promotion
from taxiway.registry.alias_moves import champion_before, champion_now, move, restore_aliases, settled
from taxiway.registry.aliases import CHAMPION, PREVIOUS, version_at
from taxiway.registry.downstream import named_downstream
from taxiway.registry.version_tags import files_of, is_deleted

if TYPE_CHECKING:
    from mlflow import MlflowClient


def rollback(
    ledger: Ledger,
    model: str,
    *,
    by: str,
    reason: str,
    at: datetime,
    to_version: int | None = None,
    from_version: int | None = None,
) -> Promotion:
    """Make the version before the champion, or an earlier champion, the champion again; the ledger records it like any promotion.

    The alias `previous` then points to the version before that one. A repeated rollback, by the same person for the same reason, is the
    one that was made. One that was begun less than ten minutes ago, by whomever, is completed.

    Args:
        ledger: The ledger.
        model: The registered model.
        by: Who rolls back, for the ledger.
        reason: Why, for the ledger.
        at: The time of the rollback, in UTC.
        to_version: The version, which was champion before; None for the one before the champion, and after the end of a champion for
            that one. Required after a rollback, so that of two people who roll back at once, neither goes further back.
        from_version: The champion that the reason is about; None for whichever it is.

    Returns:
        The rollback; an earlier one if it was made or begun before.

    Raises:
        TerminalError: There is no champion, no version before it, it is champion by a rollback and `to_version` is missing, `to_version`
            never was champion, the version was deleted in MLflow, or the champion is another one than `from_version`.
        TransientError: A promotion of the model is in progress.
    """
    known, why = settled(ledger, model), f"rollback: {reason}"
    done = _repeated(ledger, known, by, why)
    if done is not None and to_version in (None, done.to_version) and from_version in (None, done.from_version):
        return done
    champion = champion_now(ledger, model, known)
    if from_version not in (None, champion):
        raise TerminalError(
            f"{model} version {from_version} is not rolled back: the champion has changed to version {champion or 'none'}"
        )
    wanted = (
        _checked_target(ledger.client, known, model, champion, to_version)
        if to_version
        else _target(ledger, known, model, champion)
    )
    _require_not_deleted(ledger.client, known, model, champion, wanted)
    promotion = _promotion(ledger, known, model, champion, wanted, by=by, reason=why, at=at)
    return _move_by_hand(ledger, known, promotion, "rollback")


def retire(ledger: Ledger, model: str, *, by: str, reason: str, at: datetime) -> Promotion:
    """End a champion: the model has no champion then, until the next push or rollback.

    If the same person repeats it for the same reason, it is the one that was made. One that was begun less than ten minutes ago, by
    whomever, is completed.

    Args:
        ledger: The ledger.
        model: The registered model.
        by: Who ends it, for the ledger.
        reason: Why, for the ledger.
        at: The time, in UTC.

    Raises:
        TerminalError: There is no champion.
        TransientError: A promotion of the model is in progress.
    """
    known, why = settled(ledger, model), f"retired: {reason}"
    done = _repeated(ledger, known, by, why)
    if done is not None:
        return done
    champion = champion_now(ledger, model, known)
    if champion is None:
        raise TerminalError(f"{model} has no champion to retire; allowed: the name of a model with a champion")
    promotion = _promotion(ledger, known, model, champion, None, by=by, reason=why, at=at)
    return _move_by_hand(ledger, known, promotion, "retire")


def _repeated(ledger: Ledger, known: Sequence[Entry], by: str, reason: str) -> Promotion | None:
    """The newest promotion, if the same person has made it for the same reason, after its aliases are restored; else None."""
    newest = head(ledger, known)
    if newest is None or (newest.promotion.by, newest.promotion.reason) != (by, reason):
        return None
    restore_aliases(ledger, newest.promotion.model)
    return newest.promotion


def _promotion(
    ledger: Ledger,
    known: Sequence[Entry],
    model: str,
    champion: int | None,
    to_version: int | None,
    *,
    by: str,
    reason: str,
    at: datetime,
) -> Promotion:
    """The record of a champion's change to a former version, or to none."""
    downstream, more = named_downstream(ledger.client, model)
    return Promotion(
        model=model,
        alias=CHAMPION,
        from_version=champion,
        to_version=to_version,
        by=by,
        at=at,
        reason=reason,
        files=None if to_version is None else _files(ledger.client, known, model, to_version),
        downstream=downstream,
        downstream_more=more,
    )


def _move_by_hand(ledger: Ledger, known: Sequence[Entry], promotion: Promotion, what: str) -> Promotion:
    """Carry it out, or one that does the same and is open: a process of the same person or of another one has begun it, or was killed.

    The key has the promotion before it, so it is made once, and again after another promotion.
    """
    newest = head(ledger, known)
    key = promotion_key(promotion.model, promotion.to_version, f"{what} after {newest.run_id if newest else 'none'}")
    begun = [entry for entry in known if entry.key == key and entry.state is State.INTENT and entry.is_signed(ledger)]
    entry = next((each for each in begun if not is_stale(each, promotion.at)), None)
    entry = entry or open_entry(ledger, key, promotion, known)
    move(ledger, entry, promotion.at)
    return entry.promotion


def _target(ledger: Ledger, known: Sequence[Entry], model: str, champion: int | None) -> int:
    """The version that a rollback goes to if none is named."""
    if champion is None:
        ended = next((entry.promotion for entry in known if entry.state in DECIDED), None)
        if ended is None or ended.from_version is None:
            raise TerminalError(f"{model} has no champion to roll back; allowed: the name of a model with a champion")
        return ended.from_version
    # The ledger decides, because a push that was killed between its two aliases has not set `previous`.
    previous = champion_before(known, champion) or version_at(ledger.client, model, PREVIOUS)
    if previous is None or previous == champion:
        raise TerminalError(f"{model} has no version before version {champion}: the first champion cannot be rolled back")
    newest = head(ledger, known)
    if newest is not None and newest.promotion.verdict is None:
        last, why = newest.promotion, newest.promotion.reason.removeprefix("rollback: ")
        raise TerminalError(
            f"{model} was rolled back to version {champion} by {last.by} at {last.at:%Y-%m-%d %H:%M:%S} UTC: {why}. To go further back, name "
            f"the version: taxiway rollback {model} --to {previous} --reason WHY"
        )
    return previous


def _checked_target(client: "MlflowClient", known: Sequence[Entry], model: str, champion: int | None, version: int) -> int:
    """The version that a person named, which was champion before."""
    if version == champion:
        raise TerminalError(f"{model} version {version} is the champion already")
    if version not in _champions(known):
        allowed = _allowed(client, known, model, champion)
        raise TerminalError(f"{model} version {version} never was the champion; allowed: {allowed}")
    return version


def _require_not_deleted(
    client: "MlflowClient", known: Sequence[Entry], model: str, champion: int | None, version: int
) -> None:
    """Raise TerminalError, with advice, if MLflow does not have the version that a rollback goes to."""
    if is_deleted(client, model, version):
        raise TerminalError(
            f"{model} version {version} was deleted in MLflow, so it cannot be champion again; allowed: "
            f"{_allowed(client, known, model, champion)}. To go back to one of these: taxiway rollback {model} --to VERSION --reason WHY"
        )


def _champions(known: Sequence[Entry]) -> set[int]:
    """The versions that were champion."""
    return {entry.promotion.to_version for entry in known if entry.state in DECIDED and entry.promotion.to_version is not None}


def _allowed(client: "MlflowClient", known: Sequence[Entry], model: str, champion: int | None) -> str:
    """The versions that a rollback can go to, for an error."""
    former = sorted(_champions(known) - {champion})
    return ", ".join(str(version) for version in former if not is_deleted(client, model, version)) or "none"


def _files(client: "MlflowClient", known: Sequence[Entry], model: str, version: int) -> str | None:
    """The digest of a former champion's files: that of its promotion, which is signed, or that of its tag."""
    signed = (entry.promotion.files for entry in known if entry.state in DECIDED and entry.promotion.to_version == version)
    return next((files for files in signed if files), None) or files_of(client, model, version)
