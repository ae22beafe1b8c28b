"""A person has a span decided again: the decision in the ledger."""

from datetime import datetime

from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import record_decision
from taxiway.lineage.outcomes import newest_attempt
from taxiway.records import Decision, DecisionKind
from taxiway.store import Store


def record_again(
    ledger: Ledger, store: Store, pipeline: str, span: str, *, by: str, via: str, reason: str, at: datetime
) -> Decision | None:
    """Record who has a span decided again, and why. A repeated request about the same attempt is recorded once.

    Args:
        ledger: The ledger.
        store: The store.
        pipeline: The pipeline.
        span: The name of the span.
        by: Who.
        via: Where: `command line` or `airflow`.
        reason: Why.
        at: When, in UTC.

    Returns:
        The decision, about the newest attempt at the span; None if the span has no decision yet.

    Raises:
        TerminalError: The reason is empty or too long, or the ledger is signed with keys that this process does not have.
    """
    attempt = newest_attempt(store, pipeline, span)
    if attempt is None:
        return None
    made = Decision(
        kind=DecisionKind.AGAIN,
        model=pipeline,
        about=attempt.digest,
        by=by,
        via=via,
        at=at,
        reason=reason,
        span=attempt.span.label,
    )
    return record_decision(ledger, made)
