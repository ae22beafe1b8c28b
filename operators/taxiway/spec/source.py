"""The section `source` of a pipeline file: where the rows come from, and which of them a run reads.

What is joined to them is in `pipeline_join`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from taxiway.spec.base import Name, Number, Section
from taxiway.spec.join import Join
from taxiway.spec.origin import Origin, SpanName
from taxiway.spec.periods import NAMES, Every

_PLACEHOLDER = re.compile(r"\{(YYYY|MM|DD|SPAN|VERSION)(?::\d+)?\}")
_DIGITS = {"YYYY": 4, "MM": 2, "DD": 2}
# The placeholders whose names are those of periods; no pattern names hours or weeks.
_OF_PERIODS: dict[Every, set[str]] = {"day": {"YYYY", "MM", "DD"}, "month": {"YYYY", "MM"}, "year": {"YYYY"}}
_LARGEST_WINDOW = 10_000


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


class Source(Origin):
    """Where the labelled rows come from, and which of them a run reads: files (`spans`), a query (`sql`) or a function of your own.

    `spans` is a pattern of paths on any fsspec URL with {YYYY}, {MM}, {DD} or {SPAN}, and {VERSION}; {data} is the folder or URL
    that the installation sets. Those of a query or a `function` are the periods since `first`, in UTC, each `every` long; they are
    asked for the rows from {begin} on, up to and without {end}. A run evaluates on one span and trains on the `window` spans
    before it; with a `split` by a column, that span is one of the window, and each span is parted. Rows are joined first, then
    sampled, then split.
    """

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
        example, expression = _name_of(self)
        for key, name in self._named():
            if not expression.fullmatch(name):
                raise ValueError(f'{key} names the span "{name}"; allowed: {_namer(self)}, such as {example}')
        return self

    def _named(self) -> Iterator[tuple[str, str]]:
        yield from (("deny", name) for name in self.deny)
        if isinstance(self.window, FixedWindow):
            yield from (("window", name) for name in (self.window.first, self.window.last))

    @model_validator(mode="after")
    def _joins_fit(self) -> "Source":
        taken: dict[str, str] = {}
        for name, join in self.join.items():
            if join.spans is not None:
                _check_alike(self, f"join.{name}.spans is {join.spans}", _kinds(join.spans))
            for column in join.brings.values():
                if column in taken:
                    raise ValueError(f"join.{name} brings the column {column}, and so does {taken[column]}; give it a prefix")
                taken[column] = f"join.{name}"
        return self


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _kinds(pattern: str) -> set[str]:
    return set(_PLACEHOLDER.findall(pattern)) - {"VERSION"}


def _check_alike(source: Source, what: str, kinds: set[str]) -> None:
    """Whether the spans of a joined table, named by the placeholders `kinds`, can have the names of the source's."""
    if source.spans is not None:
        if kinds == _kinds(source.spans):
            return
        raise ValueError(
            f"{what}, whose spans are not those of {source.spans}; allowed: the same of {{YYYY}}, {{MM}}, {{DD}}, {{SPAN}} in both, "
            "or file: one table for all spans"
        )
    assert source.every is not None
    own = _OF_PERIODS.get(source.every)
    if kinds == own:
        return
    needed = f"{', '.join(f'{{{part}}}' for part in _DIGITS if part in own)} in it, or " if own else ""
    raise ValueError(
        f"{what}, and the spans of the source are named by the {source.every}, such as {_name_of(source)[0]}; allowed: {needed}file: "
        "one table for all spans"
    )


def _namer(source: Source) -> str:
    """What gives spans their names."""
    return f"the name of one {source.every}" if source.spans is None else f"names as {source.spans} gives them"


def _name_of(source: Source) -> tuple[str, re.Pattern[str]]:
    """A name that a span of `source` could have, and the form of all of them."""
    if source.spans is None:
        assert source.every is not None
        return NAMES[source.every]
    parts = [part for part in _DIGITS if part in _kinds(source.spans)]
    if not parts:
        return "12", re.compile(r"\d+")
    example = "-".join({"YYYY": "2013", "MM": "04", "DD": "01"}[part] for part in parts)
    return example, re.compile("-".join(rf"\d{{{_DIGITS[part]}}}" for part in parts))
