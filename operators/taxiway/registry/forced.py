"""Force a version: what would be refused is refused before the decision is written into the ledger, where it would stay."""

from datetime import datetime

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer, decisions, record_decision
from taxiway.ledger.entry import trusted
from taxiway.records import Decision, DecisionKind, Promotion, ShadowReport, Status, Verdict
from taxiway.registry import promote
from taxiway.registry.alias_moves import champion_now, settled

_PASSED = (Status.PASS, Status.NOT_APPLICABLE)


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
    if not _is_recorded(ledger, decision):
        _require_refused(ledger, verdict, shadow)
        promote.require_current(ledger, verdict)
    return promote.force(ledger, verdict, record_decision(ledger, decision), at=at)


def _is_recorded(ledger: Ledger, decision: Decision) -> bool:
    """Whether the same person has decided the same before: this is a retry."""
    same = (decision.kind, decision.by, decision.reason)
    return any((made.kind, made.by, made.reason) == same for made in decisions(ledger, about=decision.about))


def _require_refused(ledger: Ledger, verdict: Verdict, shadow: ShadowReport | None) -> None:
    """Raise TerminalError, with advice, if the version passed both gates and nobody has rejected it."""
    if verdict.status is not Status.PASS or shadow is None or shadow.status not in _PASSED:
        return
    rejection = answer(ledger, verdict.digest)
    if rejection is not None and rejection.kind is DecisionKind.REJECTION:
        return
    model, version = verdict.model, verdict.version
    known = settled(ledger, model)
    if champion_now(ledger, model, known) == version:
        advice = "it is the champion already"
    elif any(entry.promotion.to_version == version for entry in trusted(ledger, known)):
        advice = f"it was the champion before; to go back to it: taxiway rollback {model} --to {version} --reason WHY"
    else:
        advice = f"to push it: taxiway approve {model}/{version} --reason WHY, or run its pipeline again"
    raise TerminalError(f"{model} version {version} is not forced, because it passed its gates; {advice}")
