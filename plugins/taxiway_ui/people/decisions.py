"""What a person decides on a page, written into the ledger as the commands of `taxiway` do. Each can be repeated: it is done once."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer, decisions, record_decision
from taxiway.lineage.again import record_again
from taxiway.lineage.monitoring import newest_monitoring
from taxiway.lineage.verdicts import judged_version
from taxiway.lineage.waivers import report_and_model, waiver
from taxiway.records import Decision, DecisionKind, Verdict
from taxiway.records.served import ServedPerformance
from taxiway.registry import demote
from taxiway.registry.decided import force_version
from taxiway.store import Store

VIA = "airflow"


@dataclass(frozen=True)
class Person:
    """A person who decides about a pipeline.

    Attributes:
        ledger: The ledger of the installation.
        pipeline: The pipeline, which is the name of its model.
        name: The person's name in Airflow.
        reason: Why.
    """

    ledger: Ledger
    pipeline: str
    name: str
    reason: str

    def decision(self, kind: DecisionKind, verdict: Verdict) -> Decision:
        """A decision about the verdict on a version of the pipeline's model."""
        return self.decision_about(kind, verdict.digest, verdict.version)

    def decision_about(self, kind: DecisionKind, about: str, version: int | None = None) -> Decision:
        """A decision about a run, or about the record with the digest `about`, which may concern a version."""
        return Decision(
            kind=kind,
            model=self.pipeline,
            version=version,
            about=about,
            by=self.name,
            via=VIA,
            at=datetime.now(UTC),
            reason=self.reason,
        )


def force(person: Person, store: Store, version: int) -> None:
    """Push a version that did not pass its gates, or that somebody has rejected.

    Raises:
        TerminalError: There is no verdict on it, it passed its gates, or the champion is no longer the one that it was compared with.
        TransientError: Another promotion of the model is in progress.
    """
    judged = judged_version(person.ledger.client, store, person.pipeline, version)
    made = person.decision(DecisionKind.FORCE, judged.verdict)
    force_version(person.ledger, judged.verdict, judged.records.shadow, made, at=datetime.now(UTC))


def roll_back(person: Person, version: int) -> None:
    """Make a former champion the champion again.

    Raises:
        TerminalError: The version never was the champion, or is it already and this person has not just made it so.
        TransientError: A promotion of the model is in progress.
    """
    demote.rollback(
        person.ledger, person.pipeline, by=person.name, reason=person.reason, at=datetime.now(UTC), to_version=version
    )


def retire(person: Person) -> None:
    """End the champion.

    Raises:
        TerminalError: There is none, and this person has not just ended it.
        TransientError: A promotion of the model is in progress.
    """
    demote.retire(person.ledger, person.pipeline, by=person.name, reason=person.reason, at=datetime.now(UTC))


def waive(person: Person, store: Store, report: str, anomaly: str, until: date) -> None:
    """Accept an anomaly of a data report of the pipeline until a date.

    Args:
        person: The person.
        store: The store.
        report: The digest of the report.
        anomaly: `KIND` or `KIND:COLUMN`.
        until: The last day on which the waiver holds.

    Raises:
        TerminalError: There is no such report, it is of another pipeline, it has no such anomaly, or the date is in the past.
    """
    found, pipeline, _ = report_and_model(person.ledger.client, store, report)
    if pipeline != person.pipeline:
        raise TerminalError(f"report {report} is of {pipeline}, not of {person.pipeline}")
    made = waiver(found, pipeline, anomaly, until=until, by=person.name, via=VIA, reason=person.reason)
    record_decision(person.ledger, made)


def run_again(person: Person, store: Store, span: str) -> None:
    """Record that a span is to be decided again.

    Raises:
        TerminalError: The reason cannot be kept, or the span has no decision yet.
    """
    made = record_again(
        person.ledger, store, person.pipeline, span, by=person.name, via=VIA, reason=person.reason, at=datetime.now(UTC)
    )
    if made is None:
        raise TerminalError(
            f"span {span} of {person.pipeline} has no decision yet, so it cannot be decided again; start a run instead"
        )


def run_started(person: Person, run: str) -> None:
    """Record that a run was started.

    Raises:
        TerminalError: The reason cannot be kept.
    """
    record_decision(person.ledger, person.decision_about(DecisionKind.RUN, run))


def acknowledge(person: Person, store: Store, alert: str) -> None:
    """Acknowledge an alert of monitoring that stands.

    Args:
        person: The person.
        store: The store.
        alert: The digest of the alert.

    Raises:
        TerminalError: It does not stand, or the reason cannot be kept.
    """
    run = newest_monitoring(person.ledger.client, person.pipeline)
    standing = store.get(ServedPerformance, run.found).alerts if run is not None else ()
    found = next((each for each in standing if each.digest == alert), None)
    if found is None:
        raise TerminalError(f"{person.pipeline} has no such alert any more; open its page again, which shows those that stand")
    record_decision(person.ledger, person.decision_about(DecisionKind.ACKNOWLEDGEMENT, found.digest, found.version))


def record_answer(person: Person, verdict: Verdict, kind: DecisionKind) -> Decision:
    """Record an approval or a rejection.

    Returns:
        The answer that stands: if somebody else has answered differently before, that one.

    Raises:
        TerminalError: The reason cannot be kept.
    """
    try:
        return record_decision(person.ledger, person.decision(kind, verdict))
    except TerminalError:
        first = answer(person.ledger, verdict.digest)
        if first is None:  # it was not about another answer
            raise
        return first


def require_answered(person: Person, verdict: Verdict, kind: DecisionKind) -> None:
    """Check that this person has answered so already: the form was sent twice.

    Raises:
        TerminalError: They have not, and the run does not ask any more.
    """
    known = decisions(person.ledger, about=verdict.digest)
    if not any((made.kind, made.by) == (kind, person.name) for made in known):
        first = answer(person.ledger, verdict.digest)
        how = (
            f"{first.by} has given the {first.kind}: {first.reason}"
            if first
            else "it is not about a version that passed its gates"
        )
        raise TerminalError(f"the run does not wait for an answer about {verdict.model} version {verdict.version}; {how}")
