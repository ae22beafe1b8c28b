"""Promotion and rollback: move the alias `champion`, once, with an entry in the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import TaxiwayError, TerminalError, TransientError
from taxiway.records import Promotion, ShadowReport, Status, Verdict, span_order
from taxiway.registry import ledger
from taxiway.registry.aliases import CHAMPION, PREVIOUS, aliases_of, point, version_at
from taxiway.registry.ledger import Entry, State
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

_STALE_MINUTES = ledger.STALE_AFTER.total_seconds() / 60
_TRIES = 20


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
    known = _settled(client, verdict.model)
    mine = {entry.state: entry for entry in known if entry.key == key}
    if State.DONE in mine:
        return _still_champion(client, mine[State.DONE].promotion)
    entry = mine.get(State.INTENT)
    if entry is None:
        _check_no_rollback_since(known, key)
        champion = version_at(client, verdict.model, CHAMPION)
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
            reason="first champion" if champion is None else _passed(shadow),
        )
        entry = ledger.open_entry(client, key, promotion, known)
    _promote(client, entry, at)
    return _still_champion(client, entry.promotion)


def _passed(shadow: ShadowReport) -> str:
    compared = shadow.status is Status.PASS
    return f"passed the model gate{' and the shadow gate' if compared else ' (no shadow)'}"


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
    known = _settled(client, model)
    champion = version_at(client, model, CHAMPION)
    if champion is None:
        raise TerminalError(f"{model} has no champion to roll back; allowed: the name of a model with a champion")
    # The ledger decides, because a push that was killed between its two aliases has set `previous` to the champion itself.
    previous = _champion_before(known, champion) or version_at(client, model, PREVIOUS)
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
    entry = ledger.open_entry(
        client, ledger.promotion_key(model, previous, f"rollback {promotion.at.isoformat()}"), promotion, known
    )
    _promote(client, entry, at)
    return promotion


def _promote(client: "MlflowClient", entry: Entry, at: datetime) -> None:
    """Decide an open entry, and move the aliases.

    Every other entry that was open before this one was written is decided before this one is, and nobody can decide a later entry
    before this one. So decisions have an order, in which numbers increase, whatever clocks say and however long a process pauses.
    """
    promotion = entry.promotion
    known = _settled(client, promotion.model)
    others = [other for other in known if other.state is State.INTENT and other.run_id != entry.run_id]
    for other in others:
        if ledger.is_stale(other, at):
            ledger.decide(client, other, State.ABORTED)
        else:
            _withdraw(client, entry, TransientError(_in_progress(other.promotion)))
    if others:
        known = _settled(client, promotion.model)
    newest = ledger.head(known)
    champion = version_at(client, promotion.model, CHAMPION)
    overtaken = newest is not None and newest.run_id != entry.run_id and newest.number >= entry.number
    if overtaken or champion not in (promotion.from_version, promotion.to_version):
        changed = champion != promotion.from_version
        what = f"the champion has changed to version {champion or 'none'}" if changed else "another promotion came first"
        advice = "run the model gate again" if promotion.verdict else "roll back again if the new champion is not wanted either"
        error = f"{promotion.model} version {promotion.to_version} is not made champion: {what}; {advice}"
        _withdraw(client, entry, TerminalError(error))
    decided = ledger.decide(client, entry, State.MOVING)
    if decided.state not in ledger.DECIDED:
        raise TransientError(
            f"{promotion.model} version {promotion.to_version} is not made champion: another promotion of the model found this one stale and "
            f"set it to {decided.state}, because it took more than {_STALE_MINUTES:g} minutes, or the clocks of two machines differ by as "
            "much; try again"
        )
    _move_aliases(client, promotion.model)


def _withdraw(client: "MlflowClient", entry: Entry, reason: TaxiwayError) -> None:
    """Withdraw an open entry and raise the reason, unless another process of the same promotion has decided that it moves."""
    if ledger.decide(client, entry, State.WITHDRAWN).state not in ledger.DECIDED:
        raise reason


def _settled(client: "MlflowClient", model: str) -> list[Entry]:
    """All entries of a model, newest first, after the aliases have followed those that are decided."""
    known = ledger.entries(client, model)
    if any(entry.state is State.MOVING for entry in known):
        _move_aliases(client, model)
        return ledger.entries(client, model)
    return known


def _move_aliases(client: "MlflowClient", model: str) -> None:
    """Point the aliases to the newest decided promotion.

    MLflow cannot set an alias on a condition. So a process that has set an alias looks at the ledger again, and sets it again if
    another promotion was decided meanwhile: the last one that sets the alias has seen the newest promotion.
    """
    followed: str | None = None
    for _ in range(_TRIES):
        known = ledger.entries(client, model)
        newest = ledger.head(known)
        if newest is None or (followed is None and newest.state is State.DONE):
            return
        wanted = {PREVIOUS: _previous(known, newest), CHAMPION: newest.promotion.to_version}
        now = aliases_of(client, model)
        other = {alias: version for alias, version in wanted.items() if now.get(alias) != version}
        if followed == newest.run_id and not other:
            if newest.state is State.MOVING:
                ledger.close(client, newest)
            return
        for alias, version in other.items():
            point(client, model, alias, version)
        followed = newest.run_id
    raise TransientError(f"{model}: the alias {CHAMPION} is changed by others all the time; try again")


def _previous(known: Sequence[Entry], entry: Entry) -> int | None:
    """The version that the alias `previous` points to after a promotion; after a rollback, that before the one rolled back to."""
    if entry.promotion.verdict is not None:
        return entry.promotion.from_version
    return _champion_before(known, entry.promotion.to_version)


def _champion_before(known: Sequence[Entry], version: int) -> int | None:
    """The version that was champion before `version` was first promoted; None if there was none."""
    for entry in reversed(known):
        promoted = entry.promotion.verdict is not None  # and not rolled back to
        if entry.state in ledger.DECIDED and promoted and entry.promotion.to_version == version:
            return entry.promotion.from_version
    return None


def _in_progress(other: Promotion) -> str:
    return (
        f"{other.model}: version {other.to_version} is being promoted by {other.by} since {other.at:%Y-%m-%d %H:%M:%S} UTC; try again "
        f"when that promotion is done, or {_STALE_MINUTES:g} minutes after its start"
    )


def _check_no_rollback_since(known: Sequence[Entry], key: str) -> None:
    """Raise TerminalError if the model was rolled back after an earlier try of this promotion, which did not end."""
    first = min((entry.number for entry in known if entry.key == key), default=None)
    for entry in known:
        if first is not None and entry.number >= first and entry.state in ledger.DECIDED and entry.promotion.verdict is None:
            raise TerminalError(
                f"{entry.promotion.model} was rolled back to version {entry.promotion.to_version} by {entry.promotion.by} after this push "
                "began; run the model gate again"
            )


def _check(verdict: Verdict, shadow: ShadowReport) -> None:
    name = f"{verdict.model} version {verdict.version}"
    if verdict.status is not Status.PASS:
        raise TerminalError(f"{name} is not pushed: its verdict is {verdict.status}; required: PASS")
    if (shadow.model, shadow.version) != (verdict.model, verdict.version):
        raise TerminalError(f"{name} is not pushed: the ShadowReport belongs to {shadow.model} version {shadow.version}")
    if shadow.status not in (Status.PASS, Status.NOT_APPLICABLE):
        raise TerminalError(f"{name} is not pushed: its ShadowReport is {shadow.status}; required: PASS or NOT_APPLICABLE")


def older_data_reason(client: "MlflowClient", model: str, version: int, champion: int | None) -> str | None:
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
    older = older_data_reason(client, verdict.model, verdict.version, champion)
    if older:
        raise TerminalError(f"{verdict.model} version {verdict.version} is not pushed: {older}")
