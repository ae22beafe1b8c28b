"""Collecting what the checks find: everything is looked at first, and decided on once."""

from dataclasses import dataclass, field
from datetime import date

from taxiway.data.features import Schema
from taxiway.records import Anomaly, DataReport, Severity, Status


@dataclass
class Findings:
    """The number of checks made so far, and the anomalies among them."""

    checks: int = 0
    anomalies: list[Anomaly] = field(default_factory=list)

    def add(self, *found: Anomaly | None) -> None:
        """One check and what it found: one anomaly, several, or None."""
        self.checks += 1
        self.anomalies += [anomaly for anomaly in found if anomaly is not None]

    def decide(self, snapshot: str, schema: Schema, today: date) -> DataReport:
        """The report on the snapshot of this digest: FAIL if any anomaly of severity error is excused by no waiver valid `today`."""
        errors = [anomaly for anomaly in self.anomalies if anomaly.severity is Severity.ERROR]
        waivers = tuple(waiver for waiver in schema.waivers if any(waiver.covers(anomaly, today) for anomaly in errors))
        blocking = [anomaly for anomaly in errors if not any(waiver.covers(anomaly, today) for waiver in waivers)]
        return DataReport(
            snapshot=snapshot,
            schema_version=schema.digest,
            status=Status.FAIL if blocking else Status.PASS,
            checks=self.checks,
            anomalies=tuple(_with_ended_waiver(anomaly, schema, today) for anomaly in self.anomalies),
            waivers=waivers,
        )


def _with_ended_waiver(anomaly: Anomaly, schema: Schema, today: date) -> Anomaly:
    """Say where a waiver would have excused the anomaly, had it not ended."""
    alike = [waiver for waiver in schema.waivers if (waiver.kind, waiver.column) == (anomaly.kind, anomaly.column)]
    if not alike or any(waiver.until >= today for waiver in alike):
        return anomaly
    last = max(alike, key=lambda waiver: waiver.until)
    return anomaly.model_copy(update={"sentence": f"{anomaly.sentence} The waiver of {last.owner} ended on {last.until}."})
