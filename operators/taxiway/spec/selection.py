"""Which spans and which rows of a source a run reads: its window, sample and split."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from taxiway.records import span_order
from taxiway.spec.base import Number, Section
from taxiway.spec.span_name import SpanName

_LARGEST_WINDOW = 10_000


class FixedWindow(Section):
    """The spans from one to another, both included, by their names."""

    first: SpanName = Field(alias="from")
    last: SpanName = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> "FixedWindow":
        if span_order(self.first) > span_order(self.last):
            raise ValueError(f"from is {self.first} and to is {self.last}; allowed: from before to, or the same")
        return self

    def holds(self, name: str) -> bool:
        """Whether the span of this name is one of them."""
        return span_order(self.first) <= span_order(name) <= span_order(self.last)


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


Window = Annotated[int | FixedWindow, BeforeValidator(_window)]
SplitBy = Annotated[Literal["newest"] | Split, BeforeValidator(_split)]
