"""The records of the data: what arrived, what a run reads, what was found in it."""

import json
import re
from datetime import date
from typing import Literal

from pydantic import JsonValue

from taxiway.records.base import Record, Severity, Status

_SHOWN_VALUES = 3


class Span(Record):
    """One arrived slice of a source; its rows lie in the store as the object `content`: Parquet, exactly as they arrived."""

    source: str
    name: str
    version: int = 0
    rows: int
    content: str

    @property
    def order(self) -> tuple[int, ...]:
        """What spans are sorted by: the numbers in the name, and the version. 9 comes before 10."""
        return (*span_order(self.name), self.version)

    @property
    def label(self) -> str:
        """How people name it: `2013-04`, or `2013-04 v2` where a corrected version came."""
        return f"{self.name} v{self.version}" if self.version else self.name


class Snapshot(Record):
    """The ordered spans of one run and their split: its digest stands for exactly these rows.

    `training` are the spans to learn from, oldest first; `evaluation` the labelled spans after them that no training sees.
    """

    pipeline: str
    training: tuple[Span, ...]
    evaluation: tuple[Span, ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """All spans, oldest first."""
        return self.training + self.evaluation

    @property
    def newest(self) -> Span:
        """The span that the run decides on."""
        return self.evaluation[-1]


class SchemaChange(Record):
    """A change of a schema file: the value at `path` is set, or the items of a list are added to the list there."""

    path: tuple[str, ...]
    action: Literal["set", "add"] = "set"
    value: JsonValue

    @property
    def words(self) -> str:
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
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


class Anomaly(Record):
    """One finding in the data, with its evidence.

    `span` is the label of the span that it was found in, `column` is empty for findings on whole tables. `examples` are values,
    `rows` the numbers of some rows that are wrong, the first of a file being 1 (empty where it is not about single rows).
    `fix` is the change of the schema under which the data pass, if they are right after all; None where no change would help, and
    `proposal` says in words what else would.
    """

    kind: str
    span: str
    column: str
    severity: Severity
    observed: str
    expected: str
    sentence: str
    examples: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    fix: SchemaChange | None = None
    proposal: str = ""


class Waiver(Record):
    """A person's word that one kind of anomaly in one column may pass until a date (that day included)."""

    kind: str
    column: str
    owner: str
    reason: str
    until: date

    def covers(self, anomaly: Anomaly, today: date) -> bool:
        """Whether this waiver excuses `anomaly` on `today`."""
        return self.kind == anomaly.kind and self.column == anomaly.column and today <= self.until


class DataReport(Record):
    """The verdict on one snapshot's rows under one version of the schema.

    `checks` counts what was looked at, so that an empty report can be told from one that found nothing. Every anomaly is
    here, waived ones too; `waivers` are those that excused one. FAIL if any anomaly of severity error is not waived.
    """

    snapshot: str
    schema_version: str
    status: Status
    checks: int
    anomalies: tuple[Anomaly, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @property
    def blocking(self) -> tuple[Anomaly, ...]:
        """The anomalies of severity error that no waiver excused."""
        return tuple(
            a
            for a in self.anomalies
            if a.severity is Severity.ERROR and not any((w.kind, w.column) == (a.kind, a.column) for w in self.waivers)
        )


def span_order(name: str) -> tuple[int, ...]:
    """The numbers in a span's name, by which spans follow each other: (2013, 4) for `2013-04`."""
    return tuple(int(number) for number in re.findall(r"\d+", name))
