"""A person approves, rejects or forces a version: what would be refused is refused before it is in the ledger, where it would stay."""

from datetime import datetime

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer, decisions, is_recorded, record_decision
from taxiway.ledger.entry import trusted
from taxiway.records import Decision, DecisionKind, Promotion, ShadowReport, Status, Verdict
from taxiway.registry import promote
from taxiway.registry.alias_moves import champion_now, settled

_PASSED = (Status.PASS, Status.NOT_APPLICABLE)
_NEWEST = 50
"""How many decisions on a model are looked through for a rejection."""


def approve_version(
    ledger: Ledger, verdict: Verdict, shadow: ShadowReport | None, decision: Decision, *, at: datetime
) -> tuple[Decision, Promotion]:
    """Write the approval of a person into the ledger, and promote a version that passed its gates. A retry completes it.

    Args:
        ledger: The ledger.
        verdict: The model gate's decision on the version.
        shadow: The shadow gate's decision on it; None if there is none.
        decision: The approval, about this verdict.
        at: The time of the promotion, in UTC.

    Returns:
        The approval as it is in the ledger, and the promotion.

    Raises:
        TerminalError: The version did not pass its gates, is or was the champion, the champion is no longer the one that it was compared
            with, or was trained on newer data, or somebody else has rejected it before.
        TransientError: Another promotion of the model is in progress.
    """
    about = f"{verdict.model} version {verdict.version} cannot be approved"
    if verdict.status is not Status.PASS:
        raise TerminalError(
            f"{about}: its verdict is {verdict.status}. A version that did not pass is pushed by `taxiway force`"
        )
    if shadow is None:
        raise TerminalError(f"{about}: the shadow gate has not decided about it")
    promote.require_passed(verdict, shadow)
    if not is_recorded(ledger, decision):
        _require_never_promoted(ledger, verdict, about)
        promote.require_current(ledger, verdict)
    made = record_decision(ledger, decision)
    return made, promote.push(ledger, verdict, shadow, by=made.by, at=at, approval=made)


def reject_version(ledger: Ledger, verdict: Verdict, decision: Decision) -> Decision:
    """Write the rejection of a person into the ledger.

    Args:
        ledger: The ledger.
        verdict: The model gate's decision on the version.
        decision: The rejection, about this verdict.

    Returns:
        The rejection as it is in the ledger.

    Raises:
        TerminalError: The version is or was the champion, or somebody else has approved it before.
    """
    if not is_recorded(ledger, decision):
        _require_never_promoted(ledger, verdict, f"{verdict.model} version {verdict.version} cannot be rejected")
    return record_decision(ledger, decision)


def earlier_rejection(ledger: Ledger, verdict: Verdict) -> Decision | None:
    """The newest rejection of the same version under another verdict; None if there is none among the newest decisions on the model."""
    made = decisions(ledger, model=verdict.model, limit=_NEWEST)
    found = (one for one in made if one.kind is DecisionKind.REJECTION and one.version == verdict.version)
    return next((one for one in found if one.about != verdict.digest), None)


def force_version(
    ledger: Ledger, verdict: Verdict, shadow: ShadowReport | None, decision: Decision, *, at: datetime
) -> Promotion:
    """Write the decision of a person into the ledger, and promote a version that did not pass, or that somebody has rejected.

    Args:
        ledger: The ledger.
        verdict: The model gate's decision on the version.
        shadow: The shadow gate's decision on it; None if there is none.
        decision: The decision of the person, about this verdict.
        at: The time of the promotion, in UTC.

    Raises:
        TerminalError: The version has passed its gates, the champion is no longer the one that the verdict compared with, or was trained
            on newer data, or this promotion has been rolled back since.
        TransientError: Another promotion of the model is in progress.
    """
    if not is_recorded(ledger, decision):
        _require_refused(ledger, verdict, shadow)
        promote.require_current(ledger, verdict)
    return promote.force(ledger, verdict, record_decision(ledger, decision), at=at)


def _require_refused(ledger: Ledger, verdict: Verdict, shadow: ShadowReport | None) -> None:
    """Raise TerminalError, with advice, if the version passed both gates and nobody has rejected it."""
    if verdict.status is not Status.PASS or shadow is None or not shadow.is_about(verdict) or shadow.status not in _PASSED:
        return
    rejection = answer(ledger, verdict.digest)
    if rejection is not None and rejection.kind is DecisionKind.REJECTION:
        return
    model, version = verdict.model, verdict.version
    about = f"{model} version {version} is not forced, because it passed its gates"
    _require_never_promoted(ledger, verdict, about)
    raise TerminalError(f"{about}; to push it: taxiway approve {model}/{version} --reason WHY, or run its pipeline again")


def _require_never_promoted(ledger: Ledger, verdict: Verdict, about: str) -> None:
    """Raise TerminalError, with advice, if a version is or was the champion: whether to push it is no longer open."""
    model, version = verdict.model, verdict.version
    known = settled(ledger, model)
    if champion_now(ledger, model, known) == version:
        raise TerminalError(
            f"{about}; it is the champion already. To replace it by the one before: taxiway rollback {model} --reason WHY; to end it: "
            f"taxiway retire {model} --reason WHY"
        )
    if any(entry.promotion.to_version == version for entry in trusted(ledger, known)):
        raise TerminalError(
            f"{about}; it was the champion before; to go back to it: taxiway rollback {model} --to {version} --reason WHY"
        )
