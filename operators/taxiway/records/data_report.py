"""The records of data validation: anomalies, waivers and data reports."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Literal

from pydantic import JsonValue

from taxiway.messages import json_for_yaml, number_text
from taxiway.records.base import Migration, Record, Severity, Status, renamed, without

# Text that YAML reads as itself without quotes.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_YAML_WORDS = ("false", "n", "no", "null", "off", "on", "true", "y", "yes")
_SHOWN_VALUES = 3


class SchemaChange(Record):
    """A change of a schema file: `set` the value at `path`, or `add` items to the list there."""

    path: tuple[str, ...]
    action: Literal["set", "add"] = "set"
    value: JsonValue

    def describe(self) -> str:
        """`features.age.presence: optional`, `features.carrier.domain: add "ZZ"`."""
        where = ".".join(self.path)
        if self.action == "add" and isinstance(self.value, list):
            shown = [json.dumps(value, ensure_ascii=False) for value in self.value[:_SHOWN_VALUES]]
            more = len(self.value) - len(shown)
            return f"{where}: add {', '.join(shown)}{f' and {more:,} more' if more else ''}"
        return f"{where}: {_inline(self.value)}"


def _inline(value: JsonValue) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_inline(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_inline(inner) for inner in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = number_text(value)
        return text if "e" not in text or "." in text else text.replace("e", ".0e")  # else YAML would read text
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS
        return value if plain else json_for_yaml(value)
    return str(value)


class Anomaly(Record):
    """One anomaly in the data.

    Attributes:
        kind: The kind of anomaly.
        span: The label of the span.
        column: The column; None for the whole table.
        severity: Whether it blocks.
        observed: What the data has.
        expected: What is allowed.
        message: A sentence with both, and with numbers.
        examples: Some values.
        rows: The numbers of some rows, from 1; empty if it is not about single rows.
        fix: The schema change with which the data would pass, if the data is right; None if no change helps.
        proposal: The fix, or what else would help, as text.
    """

    kind: str
    span: str
    column: str | None = None
    severity: Severity
    observed: str
    expected: str
    message: str
    examples: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    fix: SchemaChange | None = None
    proposal: str | None = None


class Waiver(Record):
    """An excuse for one kind of anomaly in one column until a date (inclusive), with its owner and reason."""

    kind: str
    column: str | None = None
    owner: str
    reason: str
    until: date

    def covers(self, anomaly: Anomaly, today: date) -> bool:
        """Whether this waiver excuses `anomaly` on `today`."""
        return self.kind == anomaly.kind and self.column == anomaly.column and today <= self.until


class DataReport(Record):
    """The result of data validation for one snapshot and schema version.

    Attributes:
        snapshot: The digest of the snapshot.
        schema_version: The digest of the schema.
        status: FAIL if an anomaly of severity error is not waived, else PASS.
        checks: The number of checks.
        anomalies: All anomalies, including waived ones.
        waivers: The waivers that excused an anomaly.
        notes: How some checks were made, or why not.
    """

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {
        1: without("anomalies.column", "anomalies.proposal", "waivers.column"),
        2: renamed(sentence="message"),
    }

    snapshot: str
    schema_version: str
    status: Status
    checks: int
    anomalies: tuple[Anomaly, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[Anomaly, ...]:
        """The anomalies of severity error that no waiver excused."""
        return tuple(
            a
            for a in self.anomalies
            if a.severity is Severity.ERROR and not any((w.kind, w.column) == (a.kind, a.column) for w in self.waivers)
        )
