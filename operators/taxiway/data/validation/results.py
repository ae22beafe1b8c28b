"""Collecting the results of all checks, and the decision about them, which is made once at the end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from taxiway.data.engine.duckdb_table import Table
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.inputs import CheckTarget
from taxiway.messages import SHOWN_VALUES, number_text, quoted
from taxiway.records import Anomaly, DataReport, SchemaChange, Severity, Status


@dataclass(frozen=True)
class Places:
    """Where some rows are.

    Attributes:
        rows: Their numbers in the one file, from 1; empty if the data is more than one file.
        text: ` (row 2)`, ` (for example rows 2, 5, 9)`, or ` (for example row 2 of a.csv, rows 1, 3 of b.csv)`; empty without rows,
            or if nobody knows the files by their names.
    """

    rows: tuple[int, ...] = ()
    text: str = ""


def places_of(table: Table, found: Iterable[tuple[str, int]]) -> Places:
    """Places of rows, given by their file and their number in it, from 0."""
    by_file: dict[str, list[int]] = {}
    for file, number in found:
        by_file.setdefault(file, []).append(int(number) + 1)
    if not by_file or not (table.one_file or table.file_names):
        return Places()
    file_names = table.file_names or {}
    texts = [
        f"{_row_numbers(rows)}{'' if table.one_file else f' of {file_names.get(Path(file), Path(file).name)}'}"
        for file, rows in by_file.items()
    ]
    rows = tuple(row for some in by_file.values() for row in some)
    text = f" ({'' if len(rows) == 1 else 'for example '}{', '.join(texts)})"
    return Places(rows if table.one_file else (), text)


def _row_numbers(rows: list[int]) -> str:
    return f"row{'' if len(rows) == 1 else 's'} {', '.join(f'{row:,}' for row in rows)}"


def limit_above(fraction: float) -> float:
    """The smallest limit with three decimals, at most 1, that lets a fraction or a distance pass."""
    return min(1.0, (int(fraction * 1000) + 1) / 1000)


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
    places: Places | None = None,
) -> Anomaly:
    """An anomaly in one column.

    Args:
        kind: The kind of anomaly; see `taxiway.data.schema.model.KINDS`.
        span: The data that was checked.
        feature: The feature of the column.
        observed: What the data has.
        expected: What the schema allows.
        message: What is wrong, as the rest of a sentence that begins with `COLUMN in SPAN`.
        change: The key of the feature to change if the data is right, and its new value; None if no change helps.
        action: Whether the value replaces (`set`) or extends (`add`) the current one.
        examples: Values that show what is wrong.
        places: Where some rows are that are wrong.
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
        message=f"{feature.name} in {span.title} {message}{places.text if places else ''}{_why_it_only_warns(feature)}.",
        examples=tuple(number_text(v) if isinstance(v, float) else quoted(v) for v in list(examples)[:SHOWN_VALUES]),
        rows=places.rows if places else (),
        fix=fix,
        proposal=fix.describe() if fix else None,
    )


def _why_it_only_warns(feature: Feature) -> str:
    lowered = feature.stage.warns and feature.severity is Severity.ERROR
    return f"; a warning because the feature is {feature.stage}" if lowered else ""


@dataclass
class CheckResults:
    """The results of the checks so far.

    Attributes:
        checks: The number of checks.
        anomalies: What they found.
        notes: How something was checked, or why it was not.
    """

    checks: int = 0
    anomalies: list[Anomaly] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_note(self, note: str) -> None:
        """Add a note on how something was checked, or why it was not."""
        self.notes.append(note)

    def add(self, *found: Anomaly | None) -> None:
        """Count one check and keep its anomalies. None, or no argument, is a check that passed."""
        anomalies = [anomaly for anomaly in found if anomaly is not None]
        self.checks += max(1, len(anomalies))
        self.anomalies += anomalies

    def decide(self, snapshot: str, schema: Schema, today: date) -> DataReport:
        """The report on the snapshot: FAIL if an anomaly of severity error has no waiver that is valid on `today`.

        Args:
            snapshot: The digest of the snapshot.
            schema: The schema with the waivers.
            today: The day on which waivers must be valid.
        """
        errors = [anomaly for anomaly in self.anomalies if anomaly.severity is Severity.ERROR]
        waivers = tuple(waiver for waiver in schema.waivers if any(waiver.covers(anomaly, today) for anomaly in errors))
        blocking = [anomaly for anomaly in errors if not any(waiver.covers(anomaly, today) for waiver in waivers)]
        return DataReport(
            snapshot=snapshot,
            schema_version=schema.digest,
            status=Status.FAIL if blocking else Status.PASS,
            checks=self.checks,
            anomalies=tuple(_with_expired_waiver(anomaly, schema, today) for anomaly in self.anomalies),
            waivers=waivers,
            notes=tuple(self.notes),
        )


def _with_expired_waiver(anomaly: Anomaly, schema: Schema, today: date) -> Anomaly:
    """The anomaly, with a message that names its waiver if that has expired."""
    alike = [waiver for waiver in schema.waivers if (waiver.kind, waiver.column) == (anomaly.kind, anomaly.column)]
    if not alike or any(waiver.until >= today for waiver in alike):
        return anomaly
    last = max(alike, key=lambda waiver: waiver.until)
    return anomaly.model_copy(update={"message": f"{anomaly.message} The waiver of {last.owner} was valid until {last.until}."})
