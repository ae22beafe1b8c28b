"""Approval: asks a person whether a version that passed its gates may be pushed, and records the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from taxiway.errors import TerminalError
from taxiway.records import Decision, DecisionKind, Reason, ShadowReport, Status, Verdict
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext

_SIGNS = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNDECIDED: "?", Status.NOT_APPLICABLE: "-", Status.INFO: "i"}


@dataclass(frozen=True)
class Answer:
    """The answer to the question.

    Attributes:
        approved: Whether the version may be pushed.
        by: Who answered.
        reason: Why.
        at: When, with a time zone.
        via: Where: `airflow` or `command line`.
    """

    approved: bool
    by: str
    reason: str
    at: datetime
    via: str


def needs_approval(pipeline: Pipeline, verdict: Verdict) -> bool:
    """Whether a person has to approve a version: the pipeline always requires it, or the champion could not be scored."""
    return pipeline.approval is not None or verdict.needs_approval


def subject(verdict: Verdict) -> str:
    """The question, in one line."""
    instead = f"instead of version {verdict.champion}" if verdict.champion is not None else "as the first champion"
    return f"Push {verdict.model} version {verdict.version} {instead}?"


def body(verdict: Verdict, shadow: ShadowReport, links: Mapping[str, str]) -> str:
    """What is needed to answer, as Markdown: the reasons of both gates with their numbers, and links.

    Args:
        verdict: The model gate's decision.
        shadow: The shadow gate's decision.
        links: The URLs of pages to look at, by their names.
    """
    parts = [
        f"**Model gate: {verdict.status}**\n\n{_list(verdict.reasons)}",
        f"**Shadow gate: {shadow.status}**\n\n{_list(shadow.reasons)}",
        " · ".join(f"[{name}]({url})" for name, url in links.items()),
    ]
    return "\n\n".join(filter(None, parts))


def known_answer(context: StageContext, verdict: Verdict) -> Decision | None:
    """The answer that somebody has given already, such as by `taxiway approve`; None if there is none."""
    from taxiway.ledger.decisions import answer

    return answer(context.ledger, verdict.digest)


def record_answer(context: StageContext, verdict: Verdict, given: Answer) -> Decision:
    """Write an answer into the ledger, unless somebody has given the same one before.

    Args:
        context: The run.
        verdict: The verdict on the version that was asked about.
        given: The answer.

    Returns:
        The answer that stands: if somebody else has answered before, that one.

    Raises:
        TerminalError: The reason cannot be kept.
    """
    from taxiway.ledger.decisions import record_decision

    known = known_answer(context, verdict)
    if known is not None and (known.kind is DecisionKind.APPROVAL) is given.approved:
        return accept(context, known)
    made = Decision(
        kind=DecisionKind.APPROVAL if given.approved else DecisionKind.REJECTION,
        model=verdict.model,
        version=verdict.version,
        about=verdict.digest,
        by=given.by,
        via=given.via,
        at=given.at,
        reason=given.reason,
    )
    try:
        stands = record_decision(context.ledger, made)
    except TerminalError:
        first = known_answer(context, verdict)
        if first is None:  # it was not about another answer
            raise
        stands = first
    return accept(context, stands)


def accept(context: StageContext, answered: Decision) -> Decision:
    """Record an answer on the run, and return it."""
    context.store.put(answered)
    context.recorder.record(answered)
    context.log.info("%s of %s, %s: %s", answered.kind, answered.by, f"{answered.at:%Y-%m-%d %H:%M:%S} UTC", answered.reason)
    return answered


def failure_reason(answered: Decision) -> str | None:
    """Why the pipeline stops at this answer; None if it continues."""
    if answered.kind is DecisionKind.APPROVAL:
        return None
    return f"{answered.model} version {answered.version} is not pushed: rejected by {answered.by}: {answered.reason}"


def _list(reasons: Sequence[Reason]) -> str:
    return "\n".join(f"* {_SIGNS[reason.status]} {reason.message}" for reason in reasons)
