"""A join in the `source` section: another table, and how its rows are matched."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from taxiway.spec.base import Duration, Format, Number, Section, key_as_word
from taxiway.spec.source.csv_options import DETECTED, CsvOptions
from taxiway.spec.source.span_pattern import PatternText, SpanPattern, pattern_in_file, with_data

REWRITES = ("lower", "strip", "text", "upper")
_FORMS = "text, strip, upper, lower, {pad: DIGITS}, {remove_prefix: TEXT}, {values: {FROM: TO}}"


def _rewrites(value: Any) -> Any:
    """Check a mapping of values or a list of steps; returns a tuple of steps."""
    if isinstance(value, dict):
        value = [{"values": value}]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"allowed: a mapping of values, or a list of steps: {_FORMS}")
    for step in value:
        _check_step(step)
    return tuple(value)


def _check_step(step: Any) -> None:
    if isinstance(step, str) and step in REWRITES:
        return
    if isinstance(step, Mapping) and len(step) == 1:
        ((kind, given),) = step.items()
        if kind == "pad" and isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= 100:
            return
        if kind == "remove_prefix" and isinstance(given, str) and given:
            return
        if kind == "values" and isinstance(given, Mapping) and given:
            _check_values(given)
            return
    raise ValueError(f"{step!r} is not a step; allowed: {_FORMS}")


def _check_values(values: Mapping[Any, Any]) -> None:
    for value in (*values, *values.values()):
        if not isinstance(value, str):
            raise ValueError(f"YAML reads one of the values as {value!r}, but keys are recoded as text; put it in quotes")  # noqa: TRY004 pydantic's


Rewrites = Annotated[tuple[str | Mapping[str, Any], ...], BeforeValidator(_rewrites)]


class Join(Section):
    """A left join that adds columns of another table to each span and keeps its rows and their order.

    Attributes:
        spans: A pattern of files, one for each span; a span whose file does not exist yet waits for it.
        file: One file for all spans, instead of `spans`.
        format: The format of the files; None if their names show it.
        csv: How CSV files are written, where that cannot be detected.
        on: The key columns of the span, each with the column of the table that it must equal.
        as_of: A time column of the span with one of the table: of several matches, the newest one at or before that time is used.
            Without it, each key must be unique in the table.
        within: How much older an `as_of` match may be.
        recode: Steps that rewrite key columns of the span before they are compared.
        recode_right: Steps that rewrite key columns of the table before they are compared.
        columns: The columns to add.
        prefix: A prefix for their names.
        min_match_rate: The smallest fraction of rows that must have a match.
    """

    spans: PatternText | None = None
    file: str | None = None
    format: Format | None = None
    csv: CsvOptions = DETECTED
    on: Mapping[str, str] = Field(min_length=1)
    as_of: Mapping[str, str] | None = Field(default=None, min_length=1, max_length=1)
    within: Duration | None = None
    recode: Mapping[str, Rewrites] = Field(default_factory=dict)
    recode_right: Mapping[str, Rewrites] = Field(default_factory=dict)
    columns: tuple[str, ...] = Field(min_length=1)
    prefix: str = ""
    min_match_rate: Number = Field(gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _on_is_a_word(cls, value: Any) -> Any:
        return key_as_word(value, "on", True)

    @model_validator(mode="after")
    def _fits_together(self) -> "Join":
        if (self.spans is None) == (self.file is None):
            raise ValueError("allowed: exactly one of spans (one table for each span) and file (one table for all spans)")
        if self.pattern is not None and self.pattern.is_one_span:
            raise ValueError(f"spans is {self.spans}, which is one table for all spans; write file: {self.spans}")
        if self.within is not None and self.as_of is None:
            raise ValueError("within needs as_of: it limits how much older a match may be")
        for key, recoded, columns in (
            ("recode", self.recode, tuple(self.on)),
            ("recode_right", self.recode_right, tuple(self.on.values())),
        ):
            for name in recoded:
                if name not in columns:
                    raise ValueError(f"{key} has the column {name}; allowed: the columns in on: {', '.join(columns)}")
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise ValueError(f"columns has {', '.join(twice)} more than once")
        return self

    @property
    def joined_columns(self) -> dict[str, str]:
        """The added columns: the name in the table, and the new name."""
        return {name: f"{self.prefix}{name}" for name in self.columns}

    @property
    def pattern(self) -> SpanPattern | None:
        """The pattern of the table's files; None if there is one table for all spans."""
        return None if self.spans is None else pattern_in_file(self.spans)

    @property
    def path(self) -> str:
        """The pattern of the table's files, or the path of the one file."""
        return str(self.file if self.spans is None else self.spans)

    def with_data(self, data: str) -> Self:
        """A copy with `{data}` in its path replaced by a folder or URL."""
        return self.model_copy(update={"file" if self.spans is None else "spans": with_data(self.path, data)})
