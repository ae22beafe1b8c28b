"""The records of the data: what arrived, what a run reads, what was found in it."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Literal

from pydantic import JsonValue

from taxiway.records.base import Migration, Record, Severity, Status, renamed, without

_SHOWN_VALUES = 3


class SourceFile(Record):
    """The file that a span's rows were made of, by joins, a sample or a split: its digest, and how many rows it has."""

    content: str
    rows: int


class Span(Record):
    """One arrived slice of a source, or a part of it; its rows lie in the store as the object `content`, in Parquet.

    They are the file exactly as it arrived, unless there is an `original`: then they were made of that. `part` says what the rows
    are for if a split by a column parts each span, and is absent if they are all that a run reads of the span. `version` counts the
    corrections of the span: 0 is the span as it first arrived.
    """

    source: str
    name: str
    version: int = 0
    rows: int
    content: str
    part: str | None = None
    original: SourceFile | None = None

    @property
    def order(self) -> tuple[int, ...]:
        """What spans are sorted by: the numbers in the name, and the version. 9 comes before 10."""
        return (*span_order(self.name), self.version)

    @property
    def label(self) -> str:
        """How people name it: `2013-04`, `2013-04 v2` where a corrected version came, `2013-04 (training)` where it is a part."""
        return f"{span_label(self.name, self.version)}{f' ({self.part})' if self.part else ''}"

    @property
    def source_digest(self) -> str:
        """The digest of the file as it arrived."""
        return self.original.content if self.original else self.content


class JoinMatch(Record):
    """How many rows of one span found a partner in a joined table, by the columns `keys`, and which keys did not.

    `span` and `table` are labels, of the span and of the file that was joined; `content` is the digest of that file.
    `unmatched_keys` counts the different keys without a partner, `examples` are the most frequent of them; `without_key` counts
    the rows that have no whole key.
    """

    name: str
    span: str
    table: str
    content: str
    keys: tuple[str, ...]
    rows: int
    matched: int
    min_match_rate: float
    without_key: int = 0
    unmatched_keys: int = 0
    examples: tuple[str, ...] = ()

    @property
    def match_rate(self) -> float:
        """The share of rows that found a partner."""
        return self.matched / self.rows if self.rows else 0.0


class SampleRule(Record):
    """Which rows of its spans a snapshot holds: about `fraction` of the values of the column `by`; see `taxiway.data.ingest.sampling`."""

    fraction: float
    by: str
    stratify: str | None = None


class SplitRule(Record):
    """How a snapshot's spans were parted: about `evaluation` of the values of the column `by` are held out."""

    by: str
    evaluation: float


class Snapshot(Record):
    """The ordered spans of one run and their split: its digest stands for exactly these rows.

    `training` are the spans to learn from, oldest first; `evaluation` the labelled spans that no training sees: one after them, or
    where there is a rule of `split`, parts of the same spans. `joins`, `sample` and `split` say how the rows were made.
    """

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {
        1: without("sample.stratify"),
        2: renamed(min_match="min_match_rate"),
    }

    pipeline: str
    training: tuple[Span, ...]
    evaluation: tuple[Span, ...]
    joins: tuple[JoinMatch, ...] = ()
    sample: SampleRule | None = None
    split: SplitRule | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """All spans, oldest first."""
        return self.training + self.evaluation

    @property
    def spans_by_name(self) -> tuple[tuple[Span, ...], ...]:
        """The parts of each span together, oldest span first; where no column splits them, each span by itself."""
        parts: dict[tuple[int, ...], list[Span]] = {}
        for span in self.spans:
            parts.setdefault(span.order, []).append(span)
        return tuple(tuple(parts[order]) for order in sorted(parts))

    @property
    def evaluation_span(self) -> Span:
        """The newest rows that the run evaluates on: a span, or a part of one."""
        return self.evaluation[-1]

    @property
    def target_span(self) -> Span:
        """The span that the run decides: the newest one, and where it was parted, the whole of it as it arrived."""
        newest = self.evaluation_span
        if not newest.part or newest.original is None:
            return newest
        whole = {"part": None, "original": None, "content": newest.original.content, "rows": newest.original.rows}
        return newest.model_copy(update=whole)


class SchemaChange(Record):
    """A change of a schema file: the value at `path` is set, or the items of a list are added to the list there."""

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
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


class Anomaly(Record):
    """One finding in the data, with its evidence.

    `span` is the label of the span that it was found in, `column` is absent for findings on whole tables. `examples` are values,
    `rows` the numbers of some rows that are wrong, the first of a file being 1 (empty where it is not about single rows).
    `fix` is the change of the schema under which the data pass, if they are right after all; None where no change would help, and
    `proposal` says in words what else would.
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
    """A person's word that one kind of anomaly in one column may pass until a date (that day included)."""

    kind: str
    column: str | None = None
    owner: str
    reason: str
    until: date

    def covers(self, anomaly: Anomaly, today: date) -> bool:
        """Whether this waiver excuses `anomaly` on `today`."""
        return self.kind == anomaly.kind and self.column == anomaly.column and today <= self.until


class DataReport(Record):
    """The verdict on one snapshot's rows under one version of the schema.

    `checks` counts what was looked at, so that an empty report can be told from one that found nothing. Every anomaly is
    here, waived ones too; `waivers` are those that excused one; `notes` say how some checks were made. FAIL if any anomaly of severity error is not waived.
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


def span_label(name: str, version: int) -> str:
    """`2013-04`, or `2013-04 v2` where a corrected version came."""
    return f"{name} v{version}" if version else name


def span_order(name: str) -> tuple[int, ...]:
    """The numbers in a span's name, by which spans follow each other: (2013, 4) for `2013-04`."""
    return tuple(int(number) for number in re.findall(r"\d+", name))
