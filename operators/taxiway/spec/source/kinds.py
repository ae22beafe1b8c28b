"""The kinds of sources, one class for each, and the keys that they share."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from taxiway.spec.base import Duration, Format, Name, Section, mistake
from taxiway.spec.source.csv_options import DETECTED, CsvOptions
from taxiway.spec.source.join import Join
from taxiway.spec.source.period_query import PeriodQuery
from taxiway.spec.source.periods import Every, period_of
from taxiway.spec.source.selection import FixedWindow, Sample, Split, SplitBy, Window
from taxiway.spec.source.span_name import SpanName, name_form
from taxiway.spec.source.span_pattern import PatternText, pattern_in_file, placeholders_of, with_data

_ONE_SPAN = "window: 1 with split: {evaluation: 0.2}"
_FUNCTION = re.compile(r"[^:]+:[A-Za-z_]\w*")


def _function(value: str) -> str:
    if not _FUNCTION.fullmatch(value):
        raise ValueError("allowed: FILE.py:function with a file in the same folder, or package.module:function")
    return value


def _condition(value: str) -> str:
    if not value.strip():
        raise ValueError("allowed: a condition in SQL over the columns of a row, such as amount > 0")
    return value


class SourceKeys(Section, ABC):
    """The keys of a source of any kind: where the labelled rows come from, and which of them a run reads.

    A source has exactly one of the keys `spans`, `sql` and `function`. Rows are filtered first, then joined, sampled and split.

    Attributes:
        window: The number of spans to train on, before the span to evaluate on; or a fixed window.
        exclude: Spans that are never read.
        rows: A condition in SQL on the columns of the source; only rows for which it is true are read. None for all rows.
        join: Tables to join, by name.
        sample: Which rows to read; None for all.
        split: `newest` to evaluate on the newest span, or a split of the rows of every span in the window.
        label: The column to predict.
        unlabelled: What to do about rows whose label is missing: an error, leave them out, or wait until all labels are known.
    """

    key: ClassVar[str]
    """The key that only sources of this kind have."""
    wanted: ClassVar[str]
    """How errors describe this kind of source."""

    window: Window = 3
    exclude: tuple[SpanName, ...] = ()
    rows: Annotated[str, AfterValidator(_condition)] | None = None
    join: Mapping[Name, Join] = Field(default_factory=dict)
    sample: Sample | None = None
    split: SplitBy = "newest"
    label: str
    unlabelled: Literal["fail", "drop", "wait"] = "fail"

    @property
    @abstractmethod
    def text(self) -> str:
        """The text that identifies the source in messages."""

    @property
    @abstractmethod
    def named_by(self) -> Every | None:
        """The length of the periods that name the spans; None if spans are numbers."""

    @property
    @abstractmethod
    def _names(self) -> str:
        """The allowed names of spans, for errors."""

    @property
    @abstractmethod
    def _joinable(self) -> str:
        """How the spans are named and what can be joined to them, for errors."""

    @property
    def holds_out_newest(self) -> bool:
        """Whether the whole target span is evaluated on, so that it is not part of the window."""
        return self.split == "newest"

    def own(self, types: Mapping[str, str]) -> dict[str, str]:
        """Those of some columns that do not come from joined tables: the ones that `rows` may name."""
        joined = {column for join in self.join.values() for column in join.joined_columns.values()}
        return {name: kind for name, kind in types.items() if name not in joined}

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths, URLs and patterns of the source and of its joined tables; they may begin with `{data}`."""
        return tuple(join.path for join in self.join.values())

    def with_data(self, data: str) -> Self:
        """A copy with `{data}` in its paths replaced by a folder or URL."""
        return self.model_copy(update={"join": {name: join.with_data(data) for name, join in self.join.items()}})

    @model_validator(mode="before")
    @classmethod
    def _has_no_key_of_another_kind(cls, value: Any) -> Any:
        mistakes = []
        for key in value if isinstance(value, dict) else ():
            kinds = [kind.key for kind in KINDS if key in kind.model_fields]
            if kinds and cls.key not in kinds and key not in cls.model_fields:
                problem = f"{key} is for a source with {' or '.join(kinds)}, but this source has {cls.key}; remove {key}"
                mistakes.append(mistake(problem, value[key], key))
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return value

    @model_validator(mode="after")
    def _names_are_those_of_spans(self) -> Self:
        example, expression = name_form(self.named_by)
        for key, name in self._named():
            if not expression.fullmatch(name):
                raise ValueError(f'{key} has the span "{name}"; allowed: {self._names}, such as {example}')
        return self

    def _named(self) -> Iterator[tuple[str, str]]:
        yield from (("exclude", name) for name in self.exclude)
        if isinstance(self.window, FixedWindow):
            yield from (("window", name) for name in (self.window.first, self.window.last))

    @model_validator(mode="after")
    def _split_by_time_reads_one_span(self) -> Self:
        if isinstance(self.split, Split) and self.split.by_time is not None and self.window != 1:
            raise ValueError(
                f"split is by_time: {self.split.by_time}, but window is not 1, so the newest rows of a span would be older than the next "
                "span; allowed: window: 1, or split: newest to evaluate on the newest span"
            )
        return self

    @model_validator(mode="after")
    def _joins_fit(self) -> Self:
        taken: dict[str, str] = {}
        for name, join in self.join.items():
            if join.pattern is not None and join.pattern.every != self.named_by:
                raise ValueError(f"join.{name}.spans is {join.spans}, {self._joinable}file: one table for all spans")
            for column in join.joined_columns.values():
                if column in taken:
                    raise ValueError(f"join.{name} and {taken[column]} both add a column {column}; add a prefix to one of them")
                taken[column] = f"join.{name}"
        return self


class FileSource(SourceKeys):
    """A source of files by span.

    Attributes:
        spans: A pattern of paths or fsspec URLs with the parts of a period ({YYYY}, {Q}, {MM}, {WW}, {DD}, {HH}) or {SPAN}, and
            {VERSION}. The files that a * matches are one table. Without a placeholder for the span there is one span, whose version changes
            with its files. {data} is the folder or URL of data that the installation sets.
        format: The format of the files; None if their extension shows it.
        csv: How CSV files are written, where that cannot be detected.
    """

    key: ClassVar[str] = "spans"
    wanted: ClassVar[str] = "files by spans: PATTERN"

    spans: PatternText
    format: Format | None = None
    csv: CsvOptions = DETECTED

    @property
    def text(self) -> str:
        """The pattern."""
        return self.spans

    @property
    def named_by(self) -> Every | None:
        """The length of the periods that the pattern has; None for {SPAN}, or for one span."""
        return pattern_in_file(self.spans).every

    @property
    def paths(self) -> tuple[str, ...]:
        """The pattern, and the paths of joined tables."""
        return (self.spans, *super().paths)

    def with_data(self, data: str) -> Self:
        """A copy with `{data}` in its paths replaced by a folder or URL."""
        return super().with_data(data).model_copy(update={"spans": with_data(self.spans, data)})

    @property
    def _names(self) -> str:
        return f"names by the pattern {self.spans}"

    @property
    def _joinable(self) -> str:
        return f"but the spans are those of {self.spans}; allowed: the same placeholders of spans in both, or "

    @model_validator(mode="after")
    def _one_span_is_split(self) -> Self:
        if pattern_in_file(self.spans).is_one_span and (self.holds_out_newest or self.window != 1):
            raise ValueError(
                f"spans is {self.spans}, which is one span; allowed: {_ONE_SPAN}, to evaluate on a part of its rows; or a pattern with "
                "{YYYY} (and {MM}, {DD}, {HH}, {WW} or {Q}) or {SPAN}, to evaluate on the newest of several spans"
            )
        return self


class PeriodSource(SourceKeys, ABC):
    """A source that is read by period. Its spans are the periods, in UTC, from `first` on.

    Attributes:
        every: The length of a period.
        first: The name of the first period.
        delay: How long after its end a period is read.
    """

    every: Every = Field(description="the length of each period: hour, day, week, month, quarter or year")
    first: SpanName = Field(description="the name of the first period, such as 2013-04, or 2013-04-01 for a day")
    delay: Duration = Field(default=timedelta())

    @field_validator("first")
    @classmethod
    def _first_is_a_period(cls, first: str, info: ValidationInfo) -> str:
        if "every" in info.data:
            period_of(first, info.data["every"])
        return first

    @property
    def named_by(self) -> Every:
        """The length of the periods."""
        return self.every

    @property
    def _names(self) -> str:
        return f"the name of a period of one {self.every}"

    @property
    def _joinable(self) -> str:
        needed = f"{', '.join(placeholders_of(self.every))} in it, or "
        example, _ = name_form(self.every)
        return f"but the spans of the source are periods of one {self.every}, such as {example}; allowed: {needed}"


class SqlSource(PeriodSource):
    """A source of rows from a database query.

    Attributes:
        sql: The query for the rows from {begin} (inclusive) to {end} (exclusive).
        connection: The Airflow connection of the database.
        version: A query for the version of a period, a whole number that increases with each correction; None for no versions.
    """

    key: ClassVar[str] = "sql"
    wanted: ClassVar[str] = "a query by sql: QUERY with connection: NAME"

    sql: PeriodQuery
    connection: str = Field(description="the Airflow connection of the database")
    version: PeriodQuery | None = None

    @property
    def text(self) -> str:
        """The connection and its query, in one line."""
        return f"{self.connection}: {' '.join(self.sql.split())}"


class FunctionSource(PeriodSource):
    """A source of rows from a Python function.

    Attributes:
        function: The function: it is called with `begin` and `end` and returns the rows from `begin` (inclusive) to `end`
            (exclusive).
    """

    key: ClassVar[str] = "function"
    wanted: ClassVar[str] = "a Python function by function: FILE.py:NAME"

    function: Annotated[str, AfterValidator(_function)]

    @property
    def text(self) -> str:
        """The name of the file or module, and of the function."""
        file, _, name = self.function.rpartition(":")
        return f"{Path(file).name}:{name}"


KINDS: tuple[type[SourceKeys], ...] = (FileSource, SqlSource, FunctionSource)
"""The classes of all kinds."""
