"""The spans and rows of a source that a run reads: window, sample and split."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from taxiway.records import SplitRule, span_order
from taxiway.spec.base import Number, Section
from taxiway.spec.source.span_name import SpanName

_LARGEST_WINDOW = 10_000


class FixedWindow(Section):
    """A fixed window from `first` to `last`, both inclusive (keys `from` and `to`)."""

    first: SpanName = Field(alias="from")
    last: SpanName = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> "FixedWindow":
        if span_order(self.first) > span_order(self.last):
            raise ValueError(f"from is {self.first} and to is {self.last}; allowed: from not after to")
        return self

    def holds(self, name: str) -> bool:
        """Whether the span of this name is in the window."""
        return span_order(self.first) <= span_order(name) <= span_order(self.last)


class Sample(Section):
    """Read only a sample of the rows, the same ones in every run.

    Attributes:
        fraction: The fraction of the values of `by` that are read, by a hash of the value.
        by: The column; all rows of a value are read or left out together.
        stratify: A column of which each value keeps at least `fraction` of its rows in a span, and at least one row.
    """

    fraction: Number = Field(gt=0, lt=1)
    by: str
    stratify: str | None = None


class Split(Section):
    """Hold out some rows for evaluation, in every span that a run reads; at random unless `by` or `by_time` is given.

    At most one of `by`, `stratify` and `by_time` is given.

    Attributes:
        evaluation: The fraction that is held out: of the rows, by a hash of all their values; or of the values of `by`.
        by: The column; all rows of a value are either trained on or evaluated on, by a hash of the value.
        stratify: A column, such as the label; each of its values keeps its share of the rows held out, and at least one if it can.
        by_time: A column of dates, times or numbers; the newest rows by it are held out.
    """

    evaluation: Number = Field(gt=0, lt=1)
    by: str | None = None
    stratify: str | None = None
    by_time: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Split":
        given = [key for key, column in self.columns if column is not None]
        if given == ["by", "stratify"]:
            raise ValueError(
                f"it has by and stratify, but the rows of one value of {self.by} may have several values of {self.stratify}, so no "
                "split keeps both; allowed: one of them"
            )
        if len(given) > 1:
            raise ValueError(
                f"it has {', '.join(given[:-1])} and {given[-1]}; allowed: at most one of by, stratify and by_time"
            )
        return self

    @property
    def columns(self) -> tuple[tuple[str, str | None], ...]:
        """The keys for a column, and the column of each; None if it is not given."""
        return (("by", self.by), ("stratify", self.stratify), ("by_time", self.by_time))

    @property
    def rule(self) -> SplitRule:
        """The split as it is recorded with a snapshot."""
        return SplitRule(evaluation=self.evaluation, by=self.by, stratify=self.stratify, by_time=self.by_time)


class LabelWait(Section):
    """How long a span waits for its labels, with `unlabelled: wait`.

    Attributes:
        max_missing: The largest fraction of rows without a label with which a span is decided; these rows are left out.
    """

    max_missing: Number = Field(default=0.0, ge=0, lt=1)


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
    raise ValueError(
        "allowed: newest, or {evaluation: FRACTION}, to which by, stratify or by_time with the name of a column may be added"
    )


def _section(model: type[BaseModel], value: dict[str, Any]) -> BaseModel:
    """Validate a section where a plain value is also allowed; its mistakes are reported at the key of the section."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        text = "; ".join(f"{key}: {problem}" if key else problem for key, problem in problems)
        keys = ", ".join(field.alias or name for name, field in model.model_fields.items())
        raise ValueError(f"{text}; allowed keys: {keys}" if any(key for key, _ in problems) else text) from None


Window = Annotated[int | FixedWindow, BeforeValidator(_window)]
SplitBy = Annotated[Literal["newest"] | Split, BeforeValidator(_split)]
