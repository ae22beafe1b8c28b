"""Choose the spans that a run reads: its target span, on which it decides, and the spans that it trains on.

Only names and periods of spans are used here; `ingest` reads their files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from taxiway.data.ingest.windows import SourceSpans, Spans, SpanSelector, selector_for
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.messages import listed
from taxiway.records import span_order
from taxiway.spec.source import Source
from taxiway.store import SpanKey


@dataclass(frozen=True)
class WindowPlan:
    """The spans that a run reads.

    Attributes:
        spans: The spans, oldest first. Empty if there is nothing to do.
        skip_reason: Why there is nothing to do; empty if there are spans.
        notes: Messages about spans that are excluded, that cannot be read yet, or that are missing within the plan.
    """

    spans: Spans = ()
    skip_reason: str = ""
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
    newest_only: bool = False,
    not_ready: Mapping[str, str] | None = None,
    training_spans: float | None = None,
) -> WindowPlan:
    """The spans of the next run.

    The target span is the oldest one that has enough spans before it and has not been processed. With a fixed window it is the
    newest span after the window, or the last one of the window if no span is held out.

    Args:
        found: The spans at the source, oldest first.
        source: The source with its window.
        processed: Name and version of each span that has already been processed.
        requested: The name of the target span; it may already have been processed.
        newest_only: Whether to take the newest span, and no older one.
        not_ready: Why a span, by name, cannot be read yet.
        training_spans: At most this many spans before the target span are trained on, instead of those of `source.window`;
            infinity for all.

    Raises:
        ConfigError: The requested span does not exist, or cannot be a target span.
    """
    selector = _selector(found, source, not_ready)
    if requested is not None:
        return _plan_for(selector, selector.requested_target(requested), training_spans)
    target = selector.newest_target(processed) if newest_only else selector.next_target(processed)
    if target is not None:
        return _plan_for(selector, target, training_spans)
    if newest_only and selector.targets:
        return WindowPlan(skip_reason=f"the newest span, {selector.targets[-1].name}, has already been processed")
    return WindowPlan(skip_reason=selector.skip_reason())


def newest_window(found: Spans, source: Source, not_ready: Mapping[str, str] | None = None) -> Spans:
    """The spans of a run for the newest possible target span; empty if there is none."""
    selector = _selector(found, source, not_ready)
    return selector.spans_for(selector.targets[-1]) if selector.targets else ()


def plan_backfill(
    found: Spans,
    source: Source,
    *,
    as_of: datetime,
    previous_run_end: datetime | None = None,
    not_ready: Mapping[str, str] | None = None,
) -> WindowPlan:
    """The spans of a backfill run, which reads only what had ended by the end of its data interval; its target span is the newest of these.

    Args:
        found: The spans at the source, oldest first.
        source: The source with its window.
        as_of: The end of the run's data interval.
        previous_run_end: The end of the data interval of the previous run, if that belongs to a backfill, too. If the newest span
            had ended by then, it is the target span of that run, and this one has nothing to do.
        not_ready: Why a span, by name, cannot be read yet.

    Raises:
        ConfigError: The spans are numbered, not dated.
    """
    numbered = [span.name for span in found if span.ends is None]
    if numbered:
        raise ConfigError(
            f"the spans of the source are numbered ({listed(numbered)}), not dated, so none can be chosen for {as_of:%Y-%m-%d}. A backfill "
            "needs spans named by period, such as {YYYY}-{MM}; trigger the DAG with the parameter `span` instead"
        )
    ended = tuple(span for span in found if span.ends is not None and span.ends <= as_of)
    selector = _selector(ended, source, not_ready)
    if not selector.targets:
        return WindowPlan(
            skip_reason=f"this run reads only spans that had ended by {_utc(as_of)}: {selector.no_target_reason()}"
        )
    newest = selector.targets[-1]
    if previous_run_end is not None and newest.ends is not None and newest.ends <= previous_run_end:
        reason = (
            f"the newest span that had ended by {_utc(as_of)}, the end of this run's data interval, is {newest.name}; the previous run of the "
            f"backfill ({_utc(previous_run_end)}) processes that span"
        )
        return WindowPlan(skip_reason="; ".join((reason, *selector.spans.notes())))
    return _plan_for(selector, newest)


def gap_notes(spans: Sequence[FoundSpan]) -> tuple[str, ...]:
    """A message for each gap between two consecutive `spans`."""
    return tuple(
        f"there is no span between {before.name} and {after.name}; if one arrives later, its model cannot replace a champion that "
        "was trained on newer data"
        for before, after in pairwise(spans)
        if not _adjacent(before, after)
    )


def _selector(found: Spans, source: Source, not_ready: Mapping[str, str] | None) -> SpanSelector:
    return selector_for(source, SourceSpans(found, frozenset(source.exclude), not_ready or {}))


def _plan_for(selector: SpanSelector, target: FoundSpan, training_spans: float | None = None) -> WindowPlan:
    spans = selector.spans_for(target) if training_spans is None else _target_and_preceding(selector, target, training_spans)
    first, last = span_order(spans[0].name), span_order(spans[-1].name)
    in_range = tuple(span for span in selector.spans.found if first <= span_order(span.name) <= last)
    return WindowPlan(spans, notes=(*selector.spans.notes(since=spans[0].name), *gap_notes(in_range)))


def _target_and_preceding(selector: SpanSelector, target: FoundSpan, training_spans: float) -> Spans:
    """The target span, preceded by the newest spans before it that can be read."""
    usable = selector.spans.usable
    at = usable.index(target)
    return usable[int(max(0, at - training_spans)) : at + 1]


def _adjacent(before: FoundSpan, after: FoundSpan) -> bool:
    if before.ends is None or after.begins is None:
        return int(after.name) == int(before.name) + 1
    return after.begins <= before.ends


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
