"""The time line of a pipeline: its promotions and the decisions of people, newest first."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from taxiway.ledger.effects import without_effect
from taxiway.ledger.entry import Entry, State
from taxiway.records import Decision, DecisionKind, Promotion


@dataclass(frozen=True)
class Event:
    """A promotion or a decision, as the time line shows it.

    Attributes:
        at: When it was made.
        kind: What it is, such as `promotion` or `waiver`.
        what: What it is about.
        reason: Why.
        by: Who made it; for a decision also where.
        state: The state of a promotion; None for a decision.
        ineffective: Why a decision has no effect; empty if it has.
    """

    at: datetime
    kind: str
    what: str
    reason: str
    by: str
    state: State | None = None
    ineffective: str = ""


def timeline(promotions: Sequence[Entry], decisions: Sequence[Decision]) -> tuple[Event, ...]:
    """The events of a pipeline, newest first.

    Clocks only say where a decision stands among the promotions: each kind keeps the order that the ledger has it in.

    Args:
        promotions: The entries of the ledger, newest first.
        decisions: The decisions of people, newest first.
    """
    why = without_effect(decisions, promotions)
    both = map(_promotion, promotions), (_decision(made, why.get(made.digest, "")) for made in decisions)
    return tuple(heapq.merge(*both, key=lambda event: event.at, reverse=True))


def _promotion(entry: Entry) -> Event:
    made = entry.promotion
    what = f"{made.from_version or 'none'} → {made.to_version or 'none'}"
    return Event(made.at, promotion_kind(made), what, made.reason, made.by, entry.state)


def promotion_kind(made: Promotion) -> str:
    """What a promotion is: `promotion`, `forced promotion`, `rollback` or `retirement`."""
    if made.to_version is None:
        return "retirement"
    if made.forced:
        return "forced promotion"
    return "promotion" if made.verdict is not None else "rollback"


def _decision(made: Decision, ineffective: str) -> Event:
    about = f"version {made.version}" if made.version is not None else ""
    if made.kind is DecisionKind.WAIVER:
        about = f"{made.anomaly}{f' in {made.column}' if made.column else ''}, until {made.until}"
    if made.kind is DecisionKind.AGAIN:
        about = f"span {made.span}"
    return Event(made.at, made.kind, about, made.reason, f"{made.by} ({made.via})", ineffective=ineffective)
