"""Select spans by the two kinds of windows: a rolling one of a number of spans, and a fixed one from one span to another.

The target span is the span that the run decides on; it has nothing to do with the target of scikit-learn, which is called label
here. A selector knows which spans of a source can be the target span of a run, which spans a run reads for it, and why there is none.
`plan` chooses the target span.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.messages import counted
from taxiway.records import span_order
from taxiway.spec.source import Source
from taxiway.spec.source.selection import FixedWindow
from taxiway.spec.source.span_name import span_name
from taxiway.store import SpanKey

_SHOWN_SPANS = 12
Spans = tuple[FoundSpan, ...]


@dataclass(frozen=True)
class SourceSpans:
    """The spans that a source has now.

    Attributes:
        found: All spans, oldest first.
        excluded: The names of those that the pipeline file excludes.
        not_ready: Why a span, by its name, cannot be read yet: for example, because its labels are missing.
    """

    found: Spans
    excluded: frozenset[str]
    not_ready: Mapping[str, str]

    @cached_property
    def usable(self) -> Spans:
        """The spans that can be read, oldest first."""
        return tuple(span for span in self.found if not self.why_unusable(span.name))

    def why_unusable(self, name: str) -> str:
        """Why a span cannot be read, as the predicate of a sentence about it; empty if it can."""
        if name in self.excluded:
            return "is excluded by source.exclude"
        return f"cannot be read yet: {self.not_ready[name]}" if name in self.not_ready else ""

    def notes(self, *, since: str = "", without: Collection[str] = ()) -> list[str]:
        """A message for each span that cannot be read; of many, only the newest ones and the number of the others.

        Args:
            since: The name of the oldest span that messages are about; empty for all.
            without: The names of spans that no message is about, because the caller reports them itself.
        """
        reasons = [(span.name, self.why_unusable(span.name)) for span in self.found if span.name not in without]
        oldest = span_order(since) if since else None
        notes = [f"span {name} {why}" for name, why in reasons if why and (oldest is None or span_order(name) >= oldest)]
        more = len(notes) - _SHOWN_SPANS  # a query may have thousands of periods
        if more <= 0:
            return notes
        return [f"{counted(more, 'older span')} {_is_or_are(more)} also excluded or cannot be read yet", *notes[more:]]


class SpanSelector(ABC):
    """Selects spans by the window of a pipeline, among those that its source has now.

    A run decides on its target span. If the newest span is held out for evaluation, the target span comes after the window, and
    the run evaluates on it; otherwise it is the newest span of the window.

    Args:
        source: The source.
        spans: Its spans.
    """

    def __init__(self, source: Source, spans: SourceSpans) -> None:
        self.source = source
        self.spans = spans

    @property
    @abstractmethod
    def targets(self) -> Spans:
        """The spans that can be the target span of a run, oldest first."""

    @abstractmethod
    def next_target(self, processed: Collection[SpanKey]) -> FoundSpan | None:
        """The target span of the next run; None if there is nothing to do."""

    def newest_target(self, processed: Collection[SpanKey]) -> FoundSpan | None:
        """The newest target span; None if it has been processed."""
        return next((span for span in self.targets[-1:] if (span.name, span.version) not in processed), None)

    @abstractmethod
    def spans_for(self, target: FoundSpan) -> Spans:
        """The spans that a run with this target span reads, oldest first; the last one is the target span."""

    def requested_target(self, name: str) -> FoundSpan:
        """The target span that somebody requested by its name.

        Raises:
            ConfigError: There is no such span, or it cannot be a target span.
        """
        name = span_name(name)
        for span in self.targets:
            if span.name == name:
                return span
        if name not in [span.name for span in self.spans.found]:
            problem = f"span {name} does not exist at the source"
        elif unusable := self.spans.why_unusable(name):
            problem = f"span {name} cannot be processed: it {unusable}"
        else:
            problem = f"span {name} cannot be processed: {self._why_not_allowed(name)}"
        raise ConfigError(f"{problem}; {self._readable}")

    def skip_reason(self) -> str:
        """Why `next_target` is None, and which spans cannot be read.

        Either `targets` is empty, or all of them have been processed; with a fixed window, the newest of them.
        """
        if not self.targets:
            return self.no_target_reason()
        return "; ".join((self._why_none_left(), *self.spans.notes()))

    @abstractmethod
    def no_target_reason(self) -> str:
        """Why `targets` is empty, and which spans cannot be read."""

    @abstractmethod
    def _why_none_left(self) -> str:
        """Why the next run can decide on none of `targets`: which of them have been processed."""

    @abstractmethod
    def _why_not_allowed(self, name: str) -> str:
        """Why a span that can be read is not among `targets`. The caller adds which spans can be read."""

    @property
    def _readable(self) -> str:
        if not self.spans.found:
            return self.source.nothing_found_message
        return f"spans that can be read: {_names(self.spans.usable)}"


class RollingSpanSelector(SpanSelector):
    """Selects by a window of a number of spans: each run reads the newest ones before its target span, or up to it."""

    def __init__(self, source: Source, spans: SourceSpans, size: int) -> None:
        super().__init__(source, spans)
        self._text = f"window: {size}"
        self._before_target = size if source.holds_out_newest else size - 1

    @cached_property
    def targets(self) -> Spans:
        return self.spans.usable[self._before_target :]

    def next_target(self, processed: Collection[SpanKey]) -> FoundSpan | None:
        """The oldest target span that has not been processed."""
        return next((span for span in self.targets if (span.name, span.version) not in processed), None)

    def spans_for(self, target: FoundSpan) -> Spans:
        index = self.spans.usable.index(target)
        return self.spans.usable[index - self._before_target : index + 1]

    def no_target_reason(self) -> str:
        needed = self._before_target + 1
        parts = f" ({self._before_target} to train on, 1 to evaluate on)" if self.source.holds_out_newest else ""
        missing = needed - len(self.spans.usable)
        reason = f"{self._text} needs {counted(needed, 'span')}{parts}, but {missing} {_is_or_are(missing)} missing"
        return "; ".join((reason, self._readable, *self.spans.notes()))

    def _why_none_left(self) -> str:
        enough = f" that has {counted(self._before_target, 'span')} before it" if self._before_target else ""
        return f"every span{enough} has already been processed; {self._readable}"

    def _why_not_allowed(self, name: str) -> str:
        before = [span.name for span in self.spans.usable].index(name)
        found = f"there {_is_or_are(before)} only {before}" if before else "there is none"
        reason = f"{self._text} needs {counted(self._before_target, 'span')} before it, but {found}"
        return f"{reason}; the first span with enough is {self.targets[0].name}" if self.targets else reason


class FixedSpanSelector(SpanSelector):
    """Selects by a window from one span to another, which all runs read.

    If the source holds out the newest span for evaluation, a run also reads its target span, which comes after the window: the
    newest one, unless another one was requested.
    """

    def __init__(self, source: Source, spans: SourceSpans, window: FixedWindow) -> None:
        super().__init__(source, spans)
        self._window = window
        self._text = f"the fixed window from {window.first} to {window.last}"

    @cached_property
    def targets(self) -> Spans:
        inside = self._inside
        if not inside or self._missing:
            return ()
        if not self.source.holds_out_newest:
            return inside[-1:]
        last = span_order(self._window.last)
        return tuple(span for span in self.spans.usable if span_order(span.name) > last)

    def next_target(self, processed: Collection[SpanKey]) -> FoundSpan | None:
        """The newest target span, if it has not been processed."""
        return self.newest_target(processed)

    def spans_for(self, target: FoundSpan) -> Spans:
        return (*self._inside, target) if self.source.holds_out_newest else self._inside

    @property
    def _inside(self) -> Spans:
        return tuple(span for span in self.spans.usable if self._window.holds(span.name))

    @property
    def _missing(self) -> dict[str, str]:
        """Why the first or the last span of the window, by its name, cannot be read yet; excluded ones are not missing."""
        present, missing = {span.name for span in self.spans.found}, {}
        for name in (self._window.first, self._window.last):
            if name not in present:
                missing[name] = f"span {name} does not exist"
            elif name not in self.spans.excluded and name in self.spans.not_ready:
                missing[name] = f"span {name} {self.spans.why_unusable(name)}"
        return missing

    def no_target_reason(self) -> str:
        readable = () if self._missing else (self._readable,)
        return "; ".join((self._why_empty(), *readable, *self.spans.notes(without=self._missing)))

    def _why_empty(self) -> str:
        if self._missing:
            return f"{self._text} is incomplete: {'; '.join(self._missing.values())}"
        if not self._inside:
            return f"{self._text} has no span that can be read"
        return f"there is no span after {self._text} to evaluate on"

    def _why_none_left(self) -> str:
        position = "after" if self.source.holds_out_newest else "of"
        return f"{self.targets[-1].name}, the newest span {position} {self._text}, has already been processed"

    def _why_not_allowed(self, name: str) -> str:  # noqa: ARG002 the reason is the same for all
        if not self.targets:
            return "; ".join((self._why_empty(), *self.spans.notes(without=self._missing)))
        if self.source.holds_out_newest:
            return f"a run evaluates on a span after {self._text}; allowed: {_names(self.targets)}"
        return f"a run processes the newest span of {self._text}; allowed: {_names(self.targets)}"


def selector_for(source: Source, spans: SourceSpans) -> SpanSelector:
    """The selector of the spans of a source, by the kind of its window."""
    if isinstance(source.window, FixedWindow):
        return FixedSpanSelector(source, spans, source.window)
    return RollingSpanSelector(source, spans, source.window)


def _is_or_are(number: int) -> str:
    return "is" if number == 1 else "are"


def _names(spans: Spans) -> str:
    """`2013-01, 2013-02`; if there are many, the first and the last three, and their number."""
    names = [span.name for span in spans]
    if len(names) <= _SHOWN_SPANS:
        return ", ".join(names) or "none"
    return f"{', '.join(names[:3])} ... {', '.join(names[-3:])} ({len(names):,} spans)"
