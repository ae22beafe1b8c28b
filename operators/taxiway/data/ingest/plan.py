"""Choose the spans that a run reads: the window, and the target span, the one that the run decides on.

If the newest span is held out for evaluation, the target span comes after the window; otherwise it is the last span of it.

Only names and periods of spans are used here; `ingest` reads their files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.messages import counted
from taxiway.records import span_order
from taxiway.spec.source import Source
from taxiway.spec.source.selection import FixedWindow

_SHOWN_SPANS = 12
Spans = tuple[FoundSpan, ...]


@dataclass(frozen=True)
class WindowPlan:
    """The spans that a run reads.

    Attributes:
        spans: The spans, oldest first; the last one is the target span. Empty if there is nothing to do.
        reason: Why there is nothing to do; empty if there are spans.
        notes: Messages about spans that are excluded, waiting or missing within the plan.
    """

    spans: Spans = ()
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _SourceSpans:
    """All spans at the source, those that can be used, and why the others cannot be used."""

    source: Source
    found: Spans
    usable: Spans
    left_out: dict[str, str]

    @property
    def spans_before_target(self) -> int:
        """The number of spans in a rolling window before the target span."""
        assert isinstance(self.source.window, int)
        return self.source.window if self.source.holds_out_newest else self.source.window - 1

    def possible_targets(self) -> Spans:
        """The possible target spans, oldest first."""
        window = self.source.window
        if isinstance(window, int):
            return self.usable[self.spans_before_target :]
        inside = self._inside(window)
        if not inside or self.why_incomplete(window):
            return ()
        if not self.source.holds_out_newest:
            return inside[-1:]
        return tuple(span for span in self.usable if span_order(span.name) > span_order(window.last))

    def plan(self, target: FoundSpan) -> Spans:
        """The spans of the run whose target span is `target`."""
        window = self.source.window
        if isinstance(window, int):
            index = self.usable.index(target)
            return self.usable[index - self.spans_before_target : index + 1]
        inside = self._inside(window)
        return (*inside, target) if self.source.holds_out_newest else inside

    def _inside(self, window: FixedWindow) -> Spans:
        return tuple(span for span in self.usable if window.holds(span.name))

    def why_incomplete(self, window: FixedWindow) -> list[str]:
        """Why a fixed window cannot be read yet: its first or last span is missing or waiting. A span in `exclude` does not count as missing."""
        present, excluded = {span.name for span in self.found}, set(self.source.exclude)
        reasons = []
        for name in dict.fromkeys((window.first, window.last)):
            if name not in present:
                reasons.append(f"{name} is missing")
            elif name in self.left_out and name not in excluded:
                reasons.append(self.left_out[name])
        return reasons


def plan_window(
    found: Spans,
    source: Source,
    *,
    processed: frozenset[tuple[str, int]],
    requested: str | None = None,
    waiting: Mapping[str, str] | None = None,
) -> WindowPlan:
    """The spans of the next run.

    The target span is the oldest one that has enough spans before it and no decision yet; with a fixed window, the newest one.

    Args:
        found: The spans at the source, oldest first.
        source: The source with its window.
        processed: Name and version of each span that has already been processed.
        requested: The name of the target span; it may already have a decision.
        waiting: Why a span, by name, cannot be read yet.

    Raises:
        ConfigError: The requested span does not exist, or cannot be a target span.
    """
    at_source = _spans_of(found, source, waiting or {})
    targets = at_source.possible_targets()
    if requested is not None:
        return _plan_for(at_source, _requested_span(requested, at_source, targets))
    considered = targets[-1:] if isinstance(source.window, FixedWindow) else targets
    due = next((span for span in considered if (span.name, span.version) not in processed), None)
    return WindowPlan(reason=_reason(at_source, targets)) if due is None else _plan_for(at_source, due)


def newest_plan(found: Spans, source: Source, waiting: Mapping[str, str] | None = None) -> Spans:
    """The spans of a run for the newest possible target span; empty if there is none."""
    at_source = _spans_of(found, source, waiting or {})
    targets = at_source.possible_targets()
    return at_source.plan(targets[-1]) if targets else ()


def plan_as_of(
    found: Spans,
    source: Source,
    *,
    moment: datetime,
    previous_moment: datetime | None = None,
    waiting: Mapping[str, str] | None = None,
) -> WindowPlan:
    """The spans of a backfill run for a past moment; its target span is the newest one whose period had ended by then.

    Args:
        found: The spans at the source, oldest first.
        source: The source with its window.
        moment: The logical time of the run.
        previous_moment: The logical time of the run before it. A target span that had ended by then belongs to that run.
        waiting: Why a span, by name, cannot be read yet.

    Raises:
        ConfigError: The spans are numbered, not dated.
    """
    numbers = [span.name for span in found if span.ends is None]
    if numbers:
        raise ConfigError(
            f"the spans {', '.join(numbers[:5])} are numbered, not dated, so no span can be chosen for {moment:%Y-%m-%d}; allowed "
            "in a backfill: spans named by periods, such as {YYYY}-{MM}. Trigger runs with the parameter span instead"
        )
    ended = tuple(span for span in found if span.ends is not None and span.ends <= moment)
    at_source = _spans_of(ended, source, waiting or {})
    targets = at_source.possible_targets()
    if not targets:
        return WindowPlan(reason=f"among the spans that had ended by {moment:%Y-%m-%d %H:%M}: {_reason(at_source, targets)}")
    newest = targets[-1]
    if previous_moment is not None and newest.ends is not None and newest.ends <= previous_moment:
        reason = f"{newest.name}, the newest span that had ended by {moment:%Y-%m-%d %H:%M}, belongs to the run before this one"
        return WindowPlan(reason="; ".join((reason, *_newest_messages(at_source.left_out.values()))))
    return _plan_for(at_source, newest)


def _spans_of(found: Spans, source: Source, waiting: Mapping[str, str]) -> _SourceSpans:
    left_out = {span.name: f"span {span.name} is excluded by source.exclude" for span in found if span.name in source.exclude}
    for span in found:
        if span.name in waiting:
            left_out.setdefault(span.name, f"span {span.name} is waiting: {waiting[span.name]}")
    return _SourceSpans(source, found, tuple(span for span in found if span.name not in left_out), left_out)


def _plan_for(at_source: _SourceSpans, target: FoundSpan) -> WindowPlan:
    spans = at_source.plan(target)
    first, last = span_order(spans[0].name), span_order(spans[-1].name)
    left_out = [reason for name, reason in at_source.left_out.items() if span_order(name) >= first]
    between = tuple(span for span in at_source.found if first <= span_order(span.name) <= last)
    return WindowPlan(spans, notes=(*_newest_messages(left_out), *gaps(between)))


def _newest_messages(messages: Iterable[str]) -> list[str]:
    """The last messages about spans, and the number of the others: a query may have thousands of periods."""
    shown = list(messages)
    more = len(shown) - _SHOWN_SPANS
    return [f"and {counted(more, 'older span')} that are excluded or waiting", *shown[more:]] if more > 0 else shown


def gaps(spans: Sequence[FoundSpan]) -> tuple[str, ...]:
    """A message for each gap between two neighboring `spans`."""
    return tuple(
        f"no span between {before.name} and {after.name}; if one arrives later, its candidate is stale: trained on older data "
        "than the champion"
        for before, after in pairwise(spans)
        if not _adjacent(before, after)
    )


def _adjacent(before: FoundSpan, after: FoundSpan) -> bool:
    if before.ends is None or after.begins is None:
        return int(after.name) == int(before.name) + 1
    return after.begins <= before.ends


def _requested_span(name: str, at_source: _SourceSpans, targets: Spans) -> FoundSpan:
    for span in targets:
        if span.name == name:
            return span
    available = f"available: {_span_names(at_source.usable)}"
    if name in at_source.left_out:
        raise ConfigError(f"span {name} cannot be used: {at_source.left_out[name]}; {available}")
    if name not in [span.name for span in at_source.found]:
        raise ConfigError(f"span {name} is not at the source; {available}")
    if isinstance(at_source.source.window, FixedWindow):
        allowed = f"allowed: {_span_names(targets)}" if targets else _reason(at_source, targets)
        raise ConfigError(f"span {name} cannot be the target span of {_window_text(at_source.source)}; {allowed}; {available}")
    spans_before = [span.name for span in at_source.usable].index(name)
    first = (
        f"first possible span: {targets[0].name}" if targets else f"wait for at least {at_source.spans_before_target + 1} spans"
    )
    raise ConfigError(
        f"span {name} has {counted(spans_before, 'span')} before it, and {_window_text(at_source.source)} needs {at_source.spans_before_target}; {first}; {available}"
    )


def _reason(at_source: _SourceSpans, targets: Spans) -> str:
    """Why there is no target span: the available spans, and those that are missing, excluded or waiting."""
    window, available = at_source.source.window, f"available: {_span_names(at_source.usable)}"
    if not at_source.found:
        available = at_source.source.nothing_found_message
    if isinstance(window, FixedWindow):
        missing = at_source.why_incomplete(window)
        if targets:
            reason = f"{targets[-1].name}, the newest span for {_window_text(at_source.source)}, has already been processed"
        elif missing:
            reason = f"{_window_text(at_source.source)} is incomplete: {'; '.join(missing)}"
        else:
            reason = f"there is no span after {window.last} to evaluate on; {available}"
    elif targets:
        enough = f" with {at_source.spans_before_target} before it" if at_source.spans_before_target else ""
        reason = f"every span{enough} has already been processed; {available}"
    else:
        needed = at_source.spans_before_target + 1
        missing_spans = needed - len(at_source.usable)
        trained, held_out = at_source.spans_before_target, at_source.source.holds_out_newest
        parts = f" ({trained} to train on, 1 to evaluate on)" if held_out else ""
        reason = (
            f"{_window_text(at_source.source)} needs {counted(needed, 'span')}{parts}, {missing_spans} missing; {available}"
        )
    return "; ".join((reason, *_newest_messages(why for why in at_source.left_out.values() if why not in reason)))


def _window_text(source: Source) -> str:
    if isinstance(source.window, FixedWindow):
        return f"the window from {source.window.first} to {source.window.last}"
    return f"window: {source.window}"


def _span_names(spans: Spans) -> str:
    """`2013-01, 2013-02`; if there are many, the first and the last three, and their number."""
    names = [span.name for span in spans]
    if len(names) <= _SHOWN_SPANS:
        return ", ".join(names) or "none"
    return f"{', '.join(names[:3])} ... {', '.join(names[-3:])} ({len(names):,} spans)"
