"""The keys of the `source` section that sources of any kind have."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from taxiway.spec.base import Name, Section
from taxiway.spec.source.join import Join
from taxiway.spec.source.periods import Every
from taxiway.spec.source.selection import FixedWindow, LabelWait, Sample, Split, SplitBy, Window
from taxiway.spec.source.span_name import SpanName, name_form


def _condition(value: str) -> str:
    if not value.strip():
        raise ValueError("allowed: a condition in SQL over the columns of a row, such as amount > 0")
    return value


class SourceKeys(Section, ABC):
    """The keys of a source of any kind: where the labelled rows come from, and which of them a run reads.

    A source has exactly one of the keys `spans`, `file`, `sql` and `function`. Rows are filtered first, then joined, sampled and split.

    Attributes:
        window: The number of spans to train on, before the span to evaluate on; or a fixed window.
        exclude: Spans that are never read.
        rename: The present name of columns that the source has renamed, by their former name, for spans and requests from before.
        rows: A condition in SQL on the columns of the source; only rows for which it is true are read. None for all rows.
        join: Tables to join, by name.
        sample: Which rows to read; None for all.
        split: `newest` to evaluate on the newest span, or a split of the rows of every span in the window.
        label: The column to predict.
        unlabelled: What to do about rows whose label is missing: an error, leave them out, or wait until the labels are known.
        label_wait: With `unlabelled: wait`, when a span has enough labels to be decided; None if it needs all of them.
    """

    key: ClassVar[str]
    """The key that only sources of this kind have."""
    wanted: ClassVar[str]
    """How errors describe this kind of source."""

    window: Window = 3
    exclude: tuple[SpanName, ...] = ()
    rename: Mapping[str, str] = Field(default_factory=dict)
    rows: Annotated[str, AfterValidator(_condition)] | None = None
    join: Mapping[Name, Join] = Field(default_factory=dict)
    sample: Sample | None = None
    split: SplitBy = "newest"
    label: str
    unlabelled: Literal["fail", "drop", "wait"] = "fail"
    label_wait: LabelWait | None = None

    @property
    @abstractmethod
    def text(self) -> str:
        """The text that identifies the source in messages."""

    @property
    def nothing_found_message(self) -> str:
        """What is said of a source without any span."""
        return f"there is no span at {self.text}"

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

    @property
    def max_missing_labels(self) -> float:
        """The largest fraction of rows without a label with which a span is decided, with `unlabelled: wait`."""
        return self.label_wait.max_missing if self.label_wait is not None else 0.0

    @property
    def drops_unlabelled(self) -> bool:
        """Whether rows without a label are left out of a run."""
        return self.unlabelled == "drop" or (self.unlabelled == "wait" and self.max_missing_labels > 0)

    def with_former_names(self, types: Mapping[str, str]) -> dict[str, str]:
        """The types of some columns, also by the former names of those that the source has renamed."""
        return {**{old: types[new] for old, new in self.rename.items() if new in types}, **types}

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
    def _renames_once(self) -> Self:
        for old, new in self.rename.items():
            if new == old:
                raise ValueError(
                    f"rename has {old}: {new}, which is the same name; allowed: the former name and another present one, or leave it out"
                )
            if new in self.rename:
                raise ValueError(
                    f"rename has {old}: {new}, and {new} is renamed, too; allowed: the present name for each former one, such as {old}: "
                    f"{self.rename[new]}"
                )
        if twice := [new for new, count in Counter(self.rename.values()).items() if count > 1]:
            raise ValueError(f"rename has two columns that are called {twice[0]} now; allowed: one former name for each column")
        return self

    @model_validator(mode="after")
    def _waits_for_labels(self) -> Self:
        if self.label_wait is not None and self.unlabelled != "wait":
            raise ValueError(
                f"it has label_wait, but unlabelled is {self.unlabelled}, so no span waits for labels; allowed: unlabelled: wait, or no "
                "label_wait"
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
