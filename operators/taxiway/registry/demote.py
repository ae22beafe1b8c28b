"""Rollback and the end of a champion, which a person or monitoring decides."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import DECIDED, Entry
from taxiway.ledger.promotions import open_entry, promotion_key
from taxiway.records import Promotion
from taxiway.registry.alias_moves import champion_before, champion_now, move, settled
from taxiway.registry.aliases import CHAMPION, PREVIOUS, version_at
from taxiway.registry.downstream import downstream_pipelines
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

    The alias `previous` then points to the version before that one.

    Args:
        ledger: The ledger.
        model: The registered model.
        by: Who rolls back, for the ledger.
        reason: Why, for the ledger.
        at: The time of the rollback, in UTC.
        to_version: The version, which was champion before; None for the one before the champion, and after the end of a champion for
            that one.
        from_version: The champion that the reason is about; None for whichever it is.

    Raises:
        TerminalError: There is no champion, no version before it, `to_version` never was champion, the version was deleted in MLflow, or
            the champion is another one than `from_version`.
        TransientError: A promotion of the model is in progress.
    """
    known = settled(ledger, model)
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
    promotion = _promotion(ledger, known, model, champion, wanted, by=by, reason=f"rollback: {reason}", at=at)
    return _move_by_hand(ledger, known, promotion, f"rollback {at.isoformat()}")


def retire(ledger: Ledger, model: str, *, by: str, reason: str, at: datetime) -> Promotion:
    """End a champion: the model has no champion then, until the next push or rollback.

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
    known = settled(ledger, model)
    champion = champion_now(ledger, model, known)
    if champion is None:
        raise TerminalError(f"{model} has no champion to retire; allowed: the name of a model with a champion")
    promotion = _promotion(ledger, known, model, champion, None, by=by, reason=f"retired: {reason}", at=at)
    return _move_by_hand(ledger, known, promotion, f"retire {at.isoformat()}")


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
    return Promotion(
        model=model,
        alias=CHAMPION,
        from_version=champion,
        to_version=to_version,
        by=by,
        at=at,
        reason=reason,
        files=None if to_version is None else _files(ledger.client, known, model, to_version),
        downstream=downstream_pipelines(ledger.client, model),
    )


def _move_by_hand(ledger: Ledger, known: Sequence[Entry], promotion: Promotion, what: str) -> Promotion:
    key = promotion_key(promotion.model, promotion.to_version, what)
    move(ledger, open_entry(ledger, key, promotion, known), promotion.at)
    return promotion


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
