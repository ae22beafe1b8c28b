"""Promotion and rollback: move the alias `champion`, once, with an entry in the ledger."""

from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.records import Promotion, ShadowReport, Status, Verdict, span_order
from taxiway.registry import ledger
from taxiway.registry.aliases import CHAMPION, PREVIOUS, point, version_at
from taxiway.registry.ledger import Entry, State
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient


def push(client: "MlflowClient", verdict: Verdict, shadow: ShadowReport, *, by: str, at: datetime) -> Promotion:
    """Promote a version that passed both gates to champion; a retry finds the promotion of the first try.

    Args:
        client: The MLflow client.
        verdict: The model gate's decision on the version.
        shadow: The shadow gate's decision on the same version.
        by: Who promotes it, for the ledger.
        at: The time of the promotion, in UTC.

    Raises:
        TerminalError: A decision did not pass or is about another version, the champion is no longer the one that the verdict
            compared with, or was trained on newer data, or this promotion has been rolled back since.
        TransientError: Another promotion of the model is in progress.
    """
    _check(verdict, shadow)
    key = ledger.promotion_key(verdict.model, verdict.version, verdict.digest)
    known = {entry.state: entry for entry in reversed(ledger.entries(client, verdict.model, key=key))}
    if State.DONE in known:
        return _still_champion(client, known[State.DONE].promotion)
    champion = version_at(client, verdict.model, CHAMPION)
    entry = known.get(State.INTENT)
    if entry is None:
        _check_champion(client, verdict, champion)
        promotion = Promotion(
            model=verdict.model,
            alias=CHAMPION,
            from_version=champion,
            to_version=verdict.version,
            by=by,
            at=at,
            verdict=verdict.digest,
            shadow=shadow.digest,
            reason="first champion" if champion is None else "passed the model gate and the shadow gate",
        )
        entry = ledger.open_entry(client, key, promotion)
    _move(client, entry, previous=entry.promotion.from_version)
    return entry.promotion


def _still_champion(client: "MlflowClient", done: Promotion) -> Promotion:
    if version_at(client, done.model, CHAMPION) != done.to_version:
        raise TerminalError(
            f"{done.model} version {done.to_version} was promoted at {done.at:%Y-%m-%d %H:%M:%S} UTC and is no longer the champion; "
            "a verdict allows one promotion only. Run the model gate again to promote it again"
        )
    return done


def rollback(client: "MlflowClient", model: str, *, by: str, reason: str, at: datetime) -> Promotion:
    """Make the version before the champion the champion again; the ledger records it like any promotion.

    The alias `previous` then points to the version before that one.

    Args:
        client: The MLflow client.
        model: The registered model.
        by: Who rolls back, for the ledger.
        reason: Why, for the ledger.
        at: The time of the rollback, in UTC.

    Raises:
        TerminalError: There is no champion, or no version before it.
        TransientError: A promotion of the model is in progress.
    """
    champion = version_at(client, model, CHAMPION)
    if champion is None:
        raise TerminalError(f"{model} has no champion to roll back; allowed: the name of a model with a champion")
    # The ledger decides, because a push that was killed between its two aliases has set `previous` to the champion itself.
    previous = _champion_before(client, model, champion) or version_at(client, model, PREVIOUS)
    if previous in (None, champion):
        raise TerminalError(f"{model} has no version before version {champion}: the first champion cannot be rolled back")
    promotion = Promotion(
        model=model,
        alias=CHAMPION,
        from_version=champion,
        to_version=previous,
        by=by,
        at=at,
        reason=f"rollback: {reason}",
    )
    entry = ledger.open_entry(client, ledger.promotion_key(model, previous, f"rollback {promotion.at.isoformat()}"), promotion)
    _move(client, entry, previous=_champion_before(client, model, previous))
    return promotion


def _move(client: "MlflowClient", entry: Entry, *, previous: int | None) -> None:
    promotion = entry.promotion
    now = version_at(client, promotion.model, CHAMPION)
    if now not in (promotion.from_version, promotion.to_version):
        ledger.close(client, entry, State.WITHDRAWN)
        raise TerminalError(
            f"{promotion.model} version {promotion.to_version} is not pushed: the champion has changed to version {now}; run the "
            "model gate again"
        )
    if version_at(client, promotion.model, PREVIOUS) != previous:
        point(client, promotion.model, PREVIOUS, previous)
    point(client, promotion.model, CHAMPION, promotion.to_version)
    now = version_at(client, promotion.model, CHAMPION)
    if now != promotion.to_version:
        raise TerminalError(
            f"{promotion.model}: the alias champion was set to version {promotion.to_version}, but MLflow returns version {now}; "
            "run the push again"
        )
    ledger.close(client, entry, State.DONE)


def _champion_before(client: "MlflowClient", model: str, version: int) -> int | None:
    """The version that was champion before `version` was first promoted; None if there was none."""
    for entry in reversed(ledger.entries(client, model)):
        if entry.state is State.DONE and entry.promotion.to_version == version:
            return entry.promotion.from_version
    return None


def _check(verdict: Verdict, shadow: ShadowReport) -> None:
    name = f"{verdict.model} version {verdict.version}"
    if verdict.status is not Status.PASS:
        raise TerminalError(f"{name} is not pushed: its verdict is {verdict.status}; required: PASS")
    if (shadow.model, shadow.version) != (verdict.model, verdict.version):
        raise TerminalError(f"{name} is not pushed: the ShadowReport belongs to {shadow.model} version {shadow.version}")
    if shadow.status not in (Status.PASS, Status.NOT_APPLICABLE):
        raise TerminalError(f"{name} is not pushed: its ShadowReport is {shadow.status}; required: PASS or NOT_APPLICABLE")


def older_than_champion(client: "MlflowClient", model: str, version: int, champion: int | None) -> str | None:
    """Why a version's data is older than the champion's; None if it is not.

    Args:
        client: The MLflow client.
        model: The registered model.
        version: The version.
        champion: The champion's version; None without a champion.
    """
    if champion is None:
        return None
    own, other = (client.get_model_version(model, str(v)).tags.get(tags.NEWEST_SPAN, "") for v in (version, champion))
    return f"its newest span is {own}, the champion's is {other}" if span_order(own) < span_order(other) else None


def _check_champion(client: "MlflowClient", verdict: Verdict, champion: int | None) -> None:
    if champion != verdict.champion:
        raise TerminalError(
            f"{verdict.model} version {verdict.version} is not pushed: it was compared with champion version {verdict.champion or 'none'}, "
            f"but the champion is now {champion or 'none'}; run the model gate again"
        )
    older = older_than_champion(client, verdict.model, verdict.version, champion)
    if older:
        raise TerminalError(f"{verdict.model} version {verdict.version} is not pushed: {older}")
