"""Choose the spans that a run reads: its target span, on which it decides, and the window that belongs to it.

Only names and periods of spans are used here; `ingest` reads their files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from taxiway.data.ingest.windows import SourceSpans, Spans, SpanWindow, window_of
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.records import span_order
from taxiway.spec.source import Source
from taxiway.store import SpanKey


@dataclass(frozen=True)
class WindowPlan:
    """The spans that a run reads.

    Attributes:
        spans: The spans, oldest first. Empty if there is nothing to do.
        reason: Why there is nothing to do; empty if there are spans.
        notes: Messages about spans that are excluded, that cannot be read yet, or that are missing within the plan.
    """

    spans: Spans = ()
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> FoundSpan | None:
        """The target span, the newest one of `spans`; None if there is nothing to do."""
        return self.spans[-1] if self.spans else None


def plan_window(
    found: Spans,
    source: Source,
    *,
    processed: frozenset[SpanKey],
    requested: str | None = None,
    newest: bool = False,
    unreadable: Mapping[str, str] | None = None,
    training_spans: float | None = None,
) -> WindowPlan:
    """The spans of the next run.

    The target span is the oldest one that has enough spans before it and no decision yet; with a fixed window, the newest one.

    Args:
        found: The spans at the source, oldest first.
        source: The source with its window.
        processed: Name and version of each span that has already been processed.
        requested: The name of the target span; it may already have been processed.
        newest: Whether to take the newest span, and no older one.
        unreadable: Why a span, by name, cannot be read yet.
        training_spans: How many spans before the target span to train on, as far as there are so many, instead of `source.window`;
            infinity for all.

    Raises:
        ConfigError: The requested span does not exist, or cannot be a target span.
    """
    window = _window_on(found, source, unreadable)
    if requested is not None:
        return _plan_for(window, window.requested_target(requested), training_spans)
    target = window.newest_target(processed) if newest else window.next_target(processed)
    if target is not None:
        return _plan_for(window, target, training_spans)
    if newest and window.targets:
        return WindowPlan(reason=f"the newest span, {window.targets[-1].name}, has already been processed")
    return WindowPlan(reason=window.why_nothing_to_do())


def newest_plan(found: Spans, source: Source, unreadable: Mapping[str, str] | None = None) -> Spans:
    """The spans of a run for the newest possible target span; empty if there is none."""
    window = _window_on(found, source, unreadable)
    return window.spans_for(window.targets[-1]) if window.targets else ()


def plan_backfill(
    found: Spans,
    source: Source,
    *,
    as_of: datetime,
    previous_as_of: datetime | None = None,
    unreadable: Mapping[str, str] | None = None,
) -> WindowPlan:
    """The spans of a backfill run, which reads only what had ended by its date; its target span is the newest of these.

    Args:
        found: The spans at the source, oldest first.
        source: The source with its window.
        as_of: The date of the run.
        previous_as_of: The date of the run before it. If the newest span had ended by then, it is the target span of that run,
            and this one has nothing to do.
        unreadable: Why a span, by name, cannot be read yet.

    Raises:
        ConfigError: The spans are numbered, not dated.
    """
    numbers = [span.name for span in found if span.ends is None]
    if numbers:
        raise ConfigError(
            f"the spans {', '.join(numbers[:5])} are numbered, not dated, so no span can be chosen for {as_of:%Y-%m-%d}; allowed "
            "in a backfill: spans named by periods, such as {YYYY}-{MM}. Trigger runs with the parameter span instead"
        )
    ended = tuple(span for span in found if span.ends is not None and span.ends <= as_of)
    window = _window_on(ended, source, unreadable)
    if not window.targets:
        return WindowPlan(reason=f"this run reads only spans that had ended by {_utc(as_of)}: {window.why_no_targets()}")
    newest = window.targets[-1]
    if previous_as_of is not None and newest.ends is not None and newest.ends <= previous_as_of:
        reason = (
            f"the newest span that had ended by {_utc(as_of)}, the date of this run, is {newest.name}; the run before it, of "
            f"{_utc(previous_as_of)}, already processes that span"
        )
        return WindowPlan(reason="; ".join((reason, *window.spans.notes())))
    return _plan_for(window, newest)


def gap_notes(spans: Sequence[FoundSpan]) -> tuple[str, ...]:
    """A message for each pair of neighboring `spans` with a period or a number between them that has no span."""
    return tuple(
        f"there is no span between {before.name} and {after.name}; if one arrives later, its model cannot replace a champion that "
        "was trained on newer data"
        for before, after in pairwise(spans)
        if not _adjacent(before, after)
    )


def _window_on(found: Spans, source: Source, unreadable: Mapping[str, str] | None) -> SpanWindow:
    return window_of(source, SourceSpans(found, frozenset(source.exclude), unreadable or {}))


def _plan_for(window: SpanWindow, target: FoundSpan, training_spans: float | None = None) -> WindowPlan:
    spans = window.spans_for(target) if training_spans is None else _newest_before(window, target, training_spans)
    first, last = span_order(spans[0].name), span_order(spans[-1].name)
    between = tuple(span for span in window.spans.found if first <= span_order(span.name) <= last)
    return WindowPlan(spans, notes=(*window.spans.notes(since=spans[0].name), *gap_notes(between)))


def _newest_before(window: SpanWindow, target: FoundSpan, training_spans: float) -> Spans:
    """The newest spans before the target span that can be read, and the target span."""
    usable = window.spans.usable
    at = usable.index(target)
    return usable[int(max(0, at - training_spans)) : at + 1]


def _adjacent(before: FoundSpan, after: FoundSpan) -> bool:
    if before.ends is None or after.begins is None:
        return int(after.name) == int(before.name) + 1
    return after.begins <= before.ends


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
