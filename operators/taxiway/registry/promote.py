"""Promotion: it moves the alias `champion` once, with an entry in the ledger. For rollbacks, see `demote`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer
from taxiway.ledger.entry import DECIDED, Entry, State
from taxiway.ledger.promotions import open_entry, promotion_key
from taxiway.records import Decision, DecisionKind, Promotion, ShadowReport, Status, Verdict, span_order
from taxiway.registry.alias_moves import champion_now, move, restore_aliases, settled
from taxiway.registry.aliases import CHAMPION
from taxiway.registry.downstream import named_downstream
from taxiway.registry.version_tags import files_of, tags_of
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient


def push(
    ledger: Ledger,
    verdict: Verdict,
    shadow: ShadowReport,
    *,
    by: str,
    at: datetime,
    approval: Decision | None = None,
) -> Promotion:
    """Promote a version that passed both gates to champion; a retry finds the promotion of the first try.

    Args:
        ledger: The ledger.
        verdict: The model gate's decision on the version.
        shadow: The shadow gate's decision on the same version, compared with the same champion.
        by: Who promotes it, for the ledger.
        at: The time of the promotion, in UTC.
        approval: The decision of the person who approved it; None if nobody had to.

    Raises:
        TerminalError: A decision did not pass, or is about another version or champion, the champion is no longer the one that the
            verdict compared with, or was trained on newer data, or this promotion has been rolled back since.
        TransientError: Another promotion of the model is in progress.
    """
    require_passed(verdict, shadow)
    reason = _passed(shadow) if verdict.champion is not None else "first champion"
    if approval is not None:
        reason = f"{reason}; approved by {approval.by}: {approval.reason}"
    return _promote(ledger, verdict, shadow, approval, by=by, at=at, reason=reason)


def force(ledger: Ledger, verdict: Verdict, decision: Decision, *, at: datetime) -> Promotion:
    """Promote a version that did not pass, because a person decided so; a retry finds the promotion of the first try.

    Args:
        ledger: The ledger.
        verdict: The model gate's decision on the version.
        decision: The decision of the person, about this verdict.
        at: The time of the promotion, in UTC.

    Raises:
        TerminalError: The decision is about another verdict, the champion is no longer the one that the verdict compared with, or was
            trained on newer data, or this promotion has been rolled back since.
        TransientError: Another promotion of the model is in progress.
    """
    if decision.about != verdict.digest:
        raise TerminalError(
            f"the decision of {decision.by} is about {decision.about}, not about the verdict {verdict.digest} on {verdict.model} version "
            f"{verdict.version}"
        )
    rejection = answer(ledger, verdict.digest)
    reason = f"forced: {decision.reason}"
    if rejection is not None and rejection.kind is DecisionKind.REJECTION:
        reason = f"{reason}; overrules the rejection of {rejection.by}: {rejection.reason}"
    return _promote(ledger, verdict, None, decision, by=decision.by, at=at, reason=reason)


def require_passed(verdict: Verdict, shadow: ShadowReport) -> None:
    """Check that a version passed both gates.

    Args:
        verdict: The model gate's decision on the version.
        shadow: The shadow gate's decision.

    Raises:
        TerminalError: A decision did not pass, or that of the shadow gate is about another version or champion.
    """
    name = f"{verdict.model} version {verdict.version}"
    if verdict.status is not Status.PASS:
        raise TerminalError(f"{name} is not pushed: its verdict is {verdict.status}; required: PASS")
    if not shadow.is_about(verdict):
        raise TerminalError(
            f"{name} is not pushed: the ShadowReport belongs to {shadow.model} version {shadow.version} against champion version "
            f"{shadow.champion or 'none'}; required: one of version {verdict.version} against champion version {verdict.champion or 'none'}. "
            "If the shadow of its run is not over, wait for it; otherwise decide its span again: taxiway run FILE --span NAME, or in Airflow a "
            "run with the parameter span"
        )
    if shadow.status not in (Status.PASS, Status.NOT_APPLICABLE):
        raise TerminalError(f"{name} is not pushed: its ShadowReport is {shadow.status}; required: PASS or NOT_APPLICABLE")


def require_current(ledger: Ledger, verdict: Verdict) -> None:
    """Check that a version can be promoted to be the successor of today's champion.

    Args:
        ledger: The ledger.
        verdict: The model gate's decision on the version.

    Raises:
        TerminalError: The champion is no longer the one that the verdict compared with, or was trained on newer data.
    """
    _check_champion(ledger.client, verdict, champion_now(ledger, verdict.model, settled(ledger, verdict.model)))


def _promote(
    ledger: Ledger,
    verdict: Verdict,
    shadow: ShadowReport | None,
    decision: Decision | None,
    *,
    by: str,
    at: datetime,
    reason: str,
) -> Promotion:
    forced = decision is not None and shadow is None
    key = promotion_key(verdict.model, verdict.version, decision.digest if forced and decision else verdict.digest)
    (downstream, more), known = named_downstream(ledger.client, verdict.model), settled(ledger, verdict.model)
    mine = {entry.state: entry for entry in known if entry.key == key}
    if State.DONE in mine:
        return _still_champion(ledger, mine[State.DONE].promotion)
    entry = mine.get(State.INTENT)
    if entry is None:
        _check_not_undone_since(known, key)
        champion = champion_now(ledger, verdict.model, known)
        _check_champion(ledger.client, verdict, champion)
        promotion = Promotion(
            model=verdict.model,
            alias=CHAMPION,
            from_version=champion,
            to_version=verdict.version,
            by=by,
            at=at,
            verdict=verdict.digest,
            shadow=shadow.digest if shadow else None,
            reason=reason,
            decision=decision.digest if decision else None,
            files=verdict.files or files_of(ledger.client, verdict.model, verdict.version),
            downstream=downstream,
            downstream_more=more,
        )
        entry = open_entry(ledger, key, promotion, known)
    move(ledger, entry, at)
    return _still_champion(ledger, entry.promotion)


def _passed(shadow: ShadowReport) -> str:
    compared = shadow.status is Status.PASS
    return f"passed the model gate{' and the shadow gate' if compared else ' (no shadow)'}"


def _still_champion(ledger: Ledger, done: Promotion) -> Promotion:
    if champion_now(ledger, done.model) != done.to_version:
        raise TerminalError(
            f"{done.model} version {done.to_version} was promoted at {done.at:%Y-%m-%d %H:%M:%S} UTC and is no longer the champion; "
            f"a verdict allows one promotion only. To go back to it: taxiway rollback {done.model} --to {done.to_version} --reason WHY"
        )
    restore_aliases(ledger, done.model)
    return done


def _check_not_undone_since(known: Sequence[Entry], key: str) -> None:
    """Raise TerminalError if a person moved the champion by hand after an earlier try of this promotion, which did not end."""
    first = min((entry.number for entry in known if entry.key == key), default=None)
    for entry in known:
        if first is not None and entry.number >= first and entry.state in DECIDED and entry.promotion.verdict is None:
            done = entry.promotion
            how = "was retired" if done.to_version is None else f"was rolled back to version {done.to_version}"
            raise TerminalError(f"{done.model} {how} by {done.by} after this push began; run the model gate again")


def older_data_reason(client: "MlflowClient", model: str, version: int, champion: int | None) -> str | None:
    """Why a version's data is older than the champion's; None if it is not, or if the champion was deleted in MLflow.

    Args:
        client: The MLflow client.
        model: The registered model.
        version: The version.
        champion: The champion's version; None without a champion.
    """
    return _older_than(client, model, tags_of(client, model, version), champion) if champion is not None else None


def _older_than(client: "MlflowClient", model: str, own: Mapping[str, str] | None, champion: int) -> str | None:
    """Why the data of a version with these tags is older than the champion's; None if it is not, or if one of them was deleted."""
    champions = tags_of(client, model, champion)
    if own is None or champions is None:
        return None
    newest, other = own.get(tags.NEWEST_SPAN, ""), champions.get(tags.NEWEST_SPAN, "")
    return f"its newest span is {newest}, the champion's is {other}" if span_order(newest) < span_order(other) else None


def _check_champion(client: "MlflowClient", verdict: Verdict, champion: int | None) -> None:
    about = f"{verdict.model} version {verdict.version} is not pushed"
    own = tags_of(client, verdict.model, verdict.version)
    if own is None:
        raise TerminalError(f"{about}: it was deleted in MLflow; decide its span again, which trains it anew")
    older = _older_than(client, verdict.model, own, champion) if champion is not None else None
    if older:  # before the other champion: to decide the span again would not help
        raise TerminalError(
            f"{about}: {older}. A model of older data replaces a champion only after its end: taxiway retire {verdict.model} --reason WHY; "
            "then decide its span again"
        )
    if champion != verdict.champion:
        raise TerminalError(
            f"{about}: it was compared with champion version {verdict.champion or 'none'}, but the champion is now {champion or 'none'}; "
            "decide its span again: taxiway run FILE --span NAME, or in Airflow a run with the parameter span"
        )
