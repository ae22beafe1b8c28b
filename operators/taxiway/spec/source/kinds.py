"""The kinds of sources, one class for each."""

import re
from abc import ABC
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from taxiway.spec.base import Duration, Format, mistake
from taxiway.spec.source.csv_options import DETECTED, CsvOptions
from taxiway.spec.source.keys import SourceKeys
from taxiway.spec.source.period_query import PeriodQuery
from taxiway.spec.source.periods import Every, period_of
from taxiway.spec.source.span_name import SpanName, name_form
from taxiway.spec.source.span_pattern import PatternText, pattern_in_file, placeholders_of, with_data

_ONE_SPAN = "window: 1 with split: {evaluation: 0.2}"
_FUNCTION = re.compile(r"[^:]+:[A-Za-z_]\w*")


def _function(value: str) -> str:
    if not _FUNCTION.fullmatch(value):
        raise ValueError("allowed: FILE.py:function with a file in the same folder, or package.module:function")
    return value


class _Kind(SourceKeys, ABC):
    """A source of one kind, which has no keys of another."""

    @model_validator(mode="before")
    @classmethod
    def _has_no_key_of_another_kind(cls, value: Any) -> Any:
        mistakes = []
        for key in value if isinstance(value, dict) else ():
            kinds = [kind.key for kind in KINDS if key in kind.model_fields]
            if kinds and cls.key not in kinds and key not in cls.model_fields:
                problem = f"{key} is for a source with {joined(kinds, ' or ')}, but this source has {cls.key}; remove {key}"
                mistakes.append(mistake(problem, value[key], key))
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return value


class FileSource(_Kind):
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
    def nothing_found_message(self) -> str:
        """That no file matches the pattern."""
        return f"no file matches {self.spans}" if "{" in self.spans or "*" in self.spans else f"there is no file {self.spans}"

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


class _ByPeriod(_Kind, ABC):
    """A source whose spans are periods, in UTC."""

    every: Every = Field(description="the length of each period: hour, day, week, month, quarter or year")
    delay: Duration = Field(default=timedelta())

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


class TableSource(_ByPeriod):
    """A source of one table, whose rows are divided into spans by a column of dates or times.

    Attributes:
        file: The path or fsspec URL of the table, or a pattern with * whose files are one table. {data} is the folder or URL of
            data that the installation sets.
        time: The column. Times without a time zone are in UTC. Rows without one are in no span.
        every: The length of the periods that are the spans. A period is read when it has ended, if the table has rows of it.
        delay: How long after its end a period is read.
        format: The format of the table; None if its extension shows it.
        csv: How a CSV file is written, where that cannot be detected.
    """

    key: ClassVar[str] = "file"
    wanted: ClassVar[str] = "one table by file: PATH with time: COLUMN"

    file: PatternText
    time: str = Field(description="a column of dates or times")
    format: Format | None = None
    csv: CsvOptions = DETECTED

    @field_validator("file")
    @classmethod
    def _file_is_one_table(cls, file: str) -> str:
        if not pattern_in_file(file).is_one_span or "VERSION" in pattern_in_file(file).names:
            raise ValueError(
                f"file is {file}, which has placeholders; allowed: the path of one table, whose rows are divided by time; use spans for "
                "a file for each period"
            )
        return file

    @property
    def text(self) -> str:
        """The path, and the column."""
        return f"{self.file} by {self.time}"

    @property
    def nothing_found_message(self) -> str:
        """That there is no file, or no row whose period has ended."""
        return f"there is no file {self.file}, or no {self.every} of {self.time} in it has ended"

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of the table, and the paths of joined tables."""
        return (self.file, *super().paths)

    def with_data(self, data: str) -> Self:
        """A copy with `{data}` in its paths replaced by a folder or URL."""
        return super().with_data(data).model_copy(update={"file": with_data(self.file, data)})


class PeriodSource(_ByPeriod, ABC):
    """A source that is read by period. Its spans are the periods, in UTC, from `first` on.

    Attributes:
        every: The length of a period.
        first: The name of the first period.
        delay: How long after its end a period is read.
    """

    first: SpanName = Field(description="the name of the first period, such as 2013-04, or 2013-04-01 for a day")

    @property
    def nothing_found_message(self) -> str:
        """That no period has ended."""
        return f"no {self.every} from {self.first} on has ended"

    @field_validator("first")
    @classmethod
    def _first_is_a_period(cls, first: str, info: ValidationInfo) -> str:
        if "every" in info.data:
            period_of(first, info.data["every"])
        return first


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


KINDS: tuple[type[SourceKeys], ...] = (FileSource, TableSource, SqlSource, FunctionSource)
"""The classes of all kinds."""


def joined(words: list[str], last: str) -> str:
    """Words with commas, and another separator before the last: `file, sql or function`."""
    return f"{', '.join(words[:-1])}{last}{words[-1]}" if words[1:] else words[0]
