"""The section `source` of a pipeline file: where the rows come from, and which of them a run reads.

What is joined to them is in `pipeline_join`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from taxiway.pipeline_join import Join
from taxiway.pipeline_types import Name, Number, Section

_PLACEHOLDER = re.compile(r"\{(YYYY|MM|DD|SPAN|VERSION)(?::\d+)?\}")
_DIGITS = {"YYYY": 4, "MM": 2, "DD": 2}
_LARGEST_WINDOW = 10_000


def _span_name(value: Any) -> Any:
    """A span's name as text: YAML reads 2013-04-01 as a date, and 2013 as a number."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


SpanName = Annotated[str, BeforeValidator(_span_name)]


class FixedWindow(Section):
    """The spans from one to another, both included, by their names."""

    first: SpanName = Field(alias="from")
    last: SpanName = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> "FixedWindow":
        if _numbers(self.first) > _numbers(self.last):
            raise ValueError(f"from is {self.first} and to is {self.last}; allowed: from before to, or the same")
        return self

    def holds(self, name: str) -> bool:
        """Whether the span of this name is one of them."""
        return _numbers(self.first) <= _numbers(name) <= _numbers(self.last)


class Sample(Section):
    """Read only some of the rows: all rows of a value of `by` together, the same ones in every run.

    About `fraction` of the values of `by` are drawn, by a hash of the value. With `stratify`, each value of that column keeps
    at least its `fraction` of the rows of a span, and at least one row.
    """

    fraction: Number = Field(gt=0, lt=1)
    by: str
    stratify: str | None = None


class Split(Section):
    """Evaluate on all rows of some values of `by`, and train on those of the others, in every span that a run reads.

    About `evaluation` of the values are held out, by a hash of the value: a value is on the same side in every run.
    """

    by: str
    evaluation: Number = Field(gt=0, lt=1)


def _window(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST_WINDOW:
        return value
    if isinstance(value, dict):
        return _section(FixedWindow, value)
    if isinstance(value, FixedWindow):
        return value
    raise ValueError(f"allowed: a whole number of spans, 1 to {_LARGEST_WINDOW:,}, or {{from: SPAN, to: SPAN}}")


def _split(value: Any) -> Any:
    if isinstance(value, dict):
        return _section(Split, value)
    if value == "newest" or isinstance(value, Split):
        return value
    raise ValueError("allowed: newest, or {by: COLUMN, evaluation: FRACTION}")


def _section(model: type[BaseModel], value: dict[str, Any]) -> BaseModel:
    """A section that stands where something simple may stand as well: its mistakes are said at the key above it."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        keys = ", ".join(field.alias or name for name, field in model.model_fields.items())
        said = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        )
        raise ValueError(f"{said}; its keys: {keys}") from None


class Source(Section):
    """Where the labelled rows come from, and which of them a run reads.

    `spans` is a pattern of paths on any fsspec URL with {YYYY}, {MM}, {DD} or {SPAN}, and {VERSION}; {data} is the folder or URL
    that the installation sets. A run evaluates on one span and trains on the `window` spans before it; with a `split` by a column,
    that span is one of the window, and each span is parted. Rows are joined first, then sampled, then split.
    """

    spans: str
    window: Annotated[int | FixedWindow, BeforeValidator(_window)] = 3
    deny: tuple[SpanName, ...] = ()
    join: Mapping[Name, Join] = Field(default_factory=dict)
    sample: Sample | None = None
    split: Annotated[Literal["newest"] | Split, BeforeValidator(_split)] = "newest"
    label: str

    @property
    def holds_out_newest(self) -> bool:
        """Whether the span that a run decides is evaluated on whole, and so is none of the window."""
        return self.split == "newest"

    @model_validator(mode="after")
    def _names_are_those_of_spans(self) -> "Source":
        example, expression = _name_of(self.spans)
        for key, name in self._named():
            if not expression.fullmatch(name):
                raise ValueError(f'{key} names the span "{name}"; allowed: names as {self.spans} gives them, such as {example}')
        return self

    def _named(self) -> Iterator[tuple[str, str]]:
        yield from (("deny", name) for name in self.deny)
        if isinstance(self.window, FixedWindow):
            yield from (("window", name) for name in (self.window.first, self.window.last))

    @model_validator(mode="after")
    def _joins_fit(self) -> "Source":
        own, taken = _kinds(self.spans), dict[str, str]()
        for name, join in self.join.items():
            if join.spans is not None and _kinds(join.spans) != own:
                raise ValueError(
                    f"join.{name}.spans is {join.spans}, whose spans are not those of {self.spans}; allowed: the same of {{YYYY}}, "
                    "{MM}, {DD}, {SPAN} in both, or file: one table for all spans"
                )
            for column in join.brings.values():
                if column in taken:
                    raise ValueError(f"join.{name} brings the column {column}, and so does {taken[column]}; give it a prefix")
                taken[column] = f"join.{name}"
        return self


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _kinds(pattern: str) -> set[str]:
    return set(_PLACEHOLDER.findall(pattern)) - {"VERSION"}


def _name_of(pattern: str) -> tuple[str, re.Pattern[str]]:
    """A name that a span of `pattern` could have, and the form of all of them."""
    parts = [part for part in _DIGITS if part in _kinds(pattern)]
    if not parts:
        return "12", re.compile(r"\d+")
    example = "-".join({"YYYY": "2013", "MM": "04", "DD": "01"}[part] for part in parts)
    return example, re.compile("-".join(rf"\d{{{_DIGITS[part]}}}" for part in parts))
