"""Collecting what the checks find: everything is looked at first, and decided on once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from taxiway.data.schema.model import Feature, Schema
from taxiway.data.validation.inputs import CheckTarget
from taxiway.messages import SHOWN_VALUES, quoted
from taxiway.records import Anomaly, DataReport, SchemaChange, Severity, Status


def anomaly_in(
    kind: str,
    span: CheckTarget,
    feature: Feature,
    *,
    observed: str,
    expected: str,
    message: str,
    change: tuple[str, object] | None = None,
    action: str = "set",
    examples: Iterable[object] = (),
    rows: tuple[int, ...] = (),
) -> Anomaly:
    """An anomaly in one column.

    `message` follows the names of column and span. `change` is the key of the feature that would have to change, and how.
    """
    fix = (
        SchemaChange.model_validate(
            {"path": ("features", feature.name, *change[0].split(".")), "action": action, "value": change[1]}
        )
        if change
        else None
    )
    return Anomaly(
        kind=kind,
        span=span.name,
        column=feature.name,
        severity=Severity.ERROR if kind.startswith("label_") else feature.found_severity,
        observed=observed,
        expected=expected,
        message=f"{feature.name} in {span.name} {message}{at_rows(rows)}{_why_it_only_warns(feature)}.",
        examples=tuple(f"{v:g}" if isinstance(v, float) else quoted(v) for v in list(examples)[:SHOWN_VALUES]),
        rows=rows,
        fix=fix,
        proposal=fix.describe() if fix else None,
    )


def at_rows(rows: tuple[int, ...]) -> str:
    """` (row 2)`, ` (rows 2, 5 and others)`: where to look."""
    if not rows:
        return ""
    return f" (row {rows[0]:,})" if len(rows) == 1 else f" (rows {', '.join(f'{row:,}' for row in rows)}, for instance)"


def _why_it_only_warns(feature: Feature) -> str:
    lowered = feature.stage.warns and feature.severity is Severity.ERROR
    return f"; a warning, for the feature is {feature.stage}" if lowered else ""


@dataclass
class CheckResults:
    """The number of checks made so far, the anomalies that they found, and notes on how they were made."""

    checks: int = 0
    anomalies: list[Anomaly] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_note(self, note: str) -> None:
        """Say how something was checked, or why it was not."""
        self.notes.append(note)

    def add(self, *found: Anomaly | None) -> None:
        """Count a check that was made, and keep the anomalies that it found. None, or nothing, is a check that passed."""
        anomalies = [anomaly for anomaly in found if anomaly is not None]
        self.checks += max(1, len(anomalies))
        self.anomalies += anomalies

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
            notes=tuple(self.notes),
        )


def _with_ended_waiver(anomaly: Anomaly, schema: Schema, today: date) -> Anomaly:
    """Say where a waiver would have excused the anomaly, had it not ended."""
    alike = [waiver for waiver in schema.waivers if (waiver.kind, waiver.column) == (anomaly.kind, anomaly.column)]
    if not alike or any(waiver.until >= today for waiver in alike):
        return anomaly
    last = max(alike, key=lambda waiver: waiver.until)
    return anomaly.model_copy(update={"message": f"{anomaly.message} The waiver of {last.owner} ended on {last.until}."})
