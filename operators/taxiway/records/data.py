"""The records of the rows that a run reads: spans and snapshots."""

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import AwareDatetime

from taxiway.messages import counted
from taxiway.records.base import Migration, Record, renamed, without


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


class ImportedLabels(Record):
    """The labels of people that were joined to the rows of a span in which the source has none.

    Attributes:
        span: The label of the span.
        rows: How many rows of the source got a label.
        conflicting: How many rows were labelled differently by several people, and so got none.
        not_counted: How many of the labelled rows are left out of the evaluation, because they were not drawn at random.
        batches: The digests of the imported labels, oldest first.
    """

    span: str
    rows: int
    conflicting: int = 0
    not_counted: int = 0
    batches: tuple[str, ...]

    def describe(self) -> str:
        """`2013-04: imported labels for 12 rows; 2 rows were labelled differently by several people, and got none`."""
        told = f"{self.span}: imported labels for {counted(self.rows, 'row')}"
        if self.conflicting:
            told += f"; {counted(self.conflicting, 'row')} labelled differently by several people, and without a label"
        if self.not_counted:
            told += f"; {self.not_counted:,} of them left out of the evaluation, because they were not drawn at random"
        return told


class WaitingSpan(Record):
    """A span that waits for its labels.

    Attributes:
        name: The name of the span.
        version: The number of its correction.
        rows: The number of rows that need a label.
        missing: How many of them have none; None if there is no column of labels yet.
        since: When a run saw first that the span waits.
        report: The digest of the DataReport on its other columns; None if they were not, or could not be, validated.
        passed: Whether they passed.
        problem: Why they could not be validated; None if they could.
    """

    name: str
    version: int = 0
    rows: int
    missing: int | None
    since: AwareDatetime
    report: str | None = None
    passed: bool = False
    problem: str | None = None

    @property
    def label(self) -> str:
        """The name in messages; see `Span.label`."""
        return span_label(self.name, self.version)

    @property
    def is_validated(self) -> bool:
        """Whether its other columns were validated, or could not be."""
        return self.report is not None or self.problem is not None

    def describe(self) -> str:
        """`span 2013-05 waits for 120 of 400 labels; its other columns passed validation`."""
        missing = self.rows if self.missing is None else self.missing
        waits = f"span {self.label} waits for {missing:,} of {counted(self.rows, 'label')}"
        if self.problem is not None:
            return f"{waits}; its other columns could not be validated: {self.problem}"
        if self.report is None:
            return waits
        return f"{waits}; its other columns {'passed' if self.passed else 'did not pass'} validation"


class LabelsDue(Record):
    """The spans of a pipeline that wait for their labels, oldest first."""

    pipeline: str
    spans: tuple[WaitingSpan, ...]


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
        labels: The labels of people that were joined to the rows.
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
    labels: tuple[ImportedLabels, ...] = ()

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


def span_label(name: str, version: int) -> str:
    """The label of a span: `2013-04`, or `2013-04 v2` for a corrected version."""
    return f"{name} v{version}" if version else name


def span_order(name: str) -> tuple[int, ...]:
    """The sort key of a span's name, its numbers: (2013, 4) for `2013-04`."""
    return tuple(int(number) for number in re.findall(r"\d+", name))
