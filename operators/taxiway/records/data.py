"""The records of data: spans, snapshots, anomalies and data reports."""

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


class SourceFile(Record):
    """The digest and the number of rows of the file that a span was made from: by a filter, joins, a sample or a split."""

    content: str
    rows: int


class Span(Record):
    """A span of a source, or a part of it; its rows are in the store, as Parquet.

    Attributes:
        source: The source.
        name: The name of the span: a period such as `2013-04`, or a number.
        version: The number of its correction; 0 for the first version.
        rows: The number of rows.
        content: The digest of the rows.
        part: The part of the span, if each span is split; None for a whole span.
        original: The file that the rows were made from; None if they are the file itself.
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
        """The sort key of spans: the numbers in the name, then the version. 9 comes before 10."""
        return (*span_order(self.name), self.version)

    @property
    def label(self) -> str:
        """The name in messages: `2013-04`, `2013-04 v2` for a corrected version, `2013-04 (training)` for a part."""
        return f"{span_label(self.name, self.version)}{f' ({self.part})' if self.part else ''}"

    @property
    def source_digest(self) -> str:
        """The digest of the source file."""
        return self.original.content if self.original else self.content


class JoinMatch(Record):
    """The matches of one span with a joined table.

    Attributes:
        name: The name of the join.
        span: The label of the span.
        table: The label of the joined file.
        content: The digest of that file.
        keys: The key columns of the span.
        rows: The rows of the span.
        matched: The rows with a match.
        min_match_rate: The smallest allowed match rate.
        without_key: The rows with a null in the join key.
        unmatched_keys: The number of different keys without a match.
        examples: The most frequent of these keys.
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
        """The fraction of rows with a match."""
        return self.matched / self.rows if self.rows else 0.0


class RemovedRows(Record):
    """How many rows of a span were removed before anything read them.

    Attributes:
        span: The label of the span.
        rows: The rows at the source.
        filtered: The rows for which the condition `source.rows` is not true.
        unlabelled: The other rows whose label is missing, with `source.unlabelled: drop`.
    """

    span: str
    rows: int
    filtered: int = 0
    unlabelled: int = 0

    def describe(self) -> str:
        """`2013-04: 12 of 400 rows are removed, 10 by source.rows and 2 because their label is missing`."""
        reasons = [f"{self.filtered:,} by source.rows"] if self.filtered else []
        reasons += [f"{self.unlabelled:,} because their label is missing"] if self.unlabelled else []
        removed = f"{self.filtered + self.unlabelled:,} of {self.rows:,} rows are removed"
        return f"{self.span}: {removed}{', ' if reasons else ''}{' and '.join(reasons)}"


class SampleRule(Record):
    """The sample of a snapshot: the rows of about `fraction` of the values of the column `by`; see `spec.selection.Sample`."""

    fraction: float
    by: str
    stratify: str | None = None


class SplitRule(Record):
    """The split of a snapshot into training rows and rows held out for evaluation; see `spec.selection.Split`.

    Attributes:
        evaluation: The fraction that is held out.
        by: The column of whose values this fraction is held out; None to hold out a fraction of the rows.
        stratify: The column of whose values each keeps its share of the rows held out.
        by_time: The column of times or numbers by which the newest rows are held out.
    """

    evaluation: float
    by: str | None = None
    stratify: str | None = None
    by_time: str | None = None

    def describe(self, mark: str = "") -> str:
        """`20% of the values of customer`, or which rows are held out otherwise; the column is between two `mark`."""
        share = f"{100 * self.evaluation:g}%"
        if self.by is not None:
            return f"{share} of the values of {mark}{self.by}{mark}"
        if self.by_time is not None:
            return f"the newest {share} of the rows by {mark}{self.by_time}{mark}"
        strata = f" for each value of {mark}{self.stratify}{mark}" if self.stratify is not None else ""
        return f"a random {share} of the rows{strata}"


class Snapshot(Record):
    """The spans of one run; its digest identifies exactly these rows.

    Attributes:
        pipeline: The name of the pipeline.
        training: The spans to train on, oldest first.
        evaluation: The spans to evaluate on: the one after those, or with a `split`, the held-out parts of the same spans.
        joins: The matches with joined tables.
        sample: The sample; None for all rows.
        split: The split of each span; None if the newest span is held out.
        rows: The condition `source.rows`, which all rows meet; None for all rows.
        removed: How many rows of each span were removed by it, or because their label is missing; empty if nothing removes rows.
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
    rows: str | None = None
    removed: tuple[RemovedRows, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """All spans, oldest first."""
        return self.training + self.evaluation

    @property
    def spans_by_name(self) -> tuple[tuple[Span, ...], ...]:
        """The parts of each span, oldest span first; one part for each span without a split."""
        parts: dict[tuple[int, ...], list[Span]] = {}
        for span in self.spans:
            parts.setdefault(span.order, []).append(span)
        return tuple(tuple(parts[order]) for order in sorted(parts))

    @property
    def evaluation_span(self) -> Span:
        """The newest span, or part of a span, that the run evaluates on."""
        return self.evaluation[-1]

    @property
    def target_span(self) -> Span:
        """The span that the run makes a decision for: the newest one, as a whole."""
        newest = self.evaluation_span
        if not newest.part or newest.original is None:
            return newest
        whole = {"part": None, "original": None, "content": newest.original.content, "rows": newest.original.rows}
        return newest.model_copy(update=whole)


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


def span_label(name: str, version: int) -> str:
    """The label of a span: `2013-04`, or `2013-04 v2` for a corrected version."""
    return f"{name} v{version}" if version else name


def span_order(name: str) -> tuple[int, ...]:
    """The sort key of a span's name, its numbers: (2013, 4) for `2013-04`."""
    return tuple(int(number) for number in re.findall(r"\d+", name))
