"""Which spans a run reads. The trigger for new spans plans with the same functions."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.data.ingest.labels.imported import labels_state
from taxiway.data.ingest.plan import WindowPlan, newest_window, plan_backfill, plan_window
from taxiway.data.sources.find import source_state, spans_of, with_versions
from taxiway.data.sources.join_inputs import JoinTable, find_join_tables, joined_state, waiting
from taxiway.data.sources.reader import Connect, FoundSpan
from taxiway.lineage.outcomes import processed_spans, processed_state
from taxiway.spec.monitor.action import Action
from taxiway.spec.source import Source
from taxiway.spec.source.selection import FixedWindow
from taxiway.store import SpanKey, Store

if TYPE_CHECKING:
    from taxiway.data.ingest.unlabelled import UnlabelledSpan

_MAX_READ = 24  # spans that are read for their labels although no run can decide them


@dataclass(frozen=True)
class IngestPlan:
    """What a run reads.

    Attributes:
        window: The spans, or why there is nothing to do.
        joined: The tables that are joined to their rows.
        any_processed: Whether a span of the source is processed already.
        unlabelled: The spans that wait for their labels, of those that were read.
        unread: The keys of the other spans that are not processed.
    """

    window: WindowPlan
    joined: tuple[JoinTable, ...]
    any_processed: bool = False
    unlabelled: tuple["UnlabelledSpan", ...] = ()
    unread: frozenset[SpanKey] = frozenset()

    def nothing_to_do(self, span_option: str) -> str:
        """Why the run has nothing to do; `span_option` is how the caller names a span to decide again."""
        again = f". To decide a span again: {span_option}" if self.any_processed else ""
        return f"nothing to do: {self.window.skip_reason}{again}"


@dataclass(frozen=True)
class _Arrivals:
    """What a source has now: its spans, oldest first, those that are processed, and why some cannot be read yet."""

    spans: tuple[FoundSpan, ...]
    processed: frozenset[SpanKey]
    joined: tuple[JoinTable, ...]
    waits: Mapping[str, str]


def ingest_state(source: Source, pipeline: str, store: Store, *, now: datetime) -> Hashable:
    """A value that changes whenever the result of `next_span` may change, so that a trigger calls that only then."""
    return source_state(source, now=now), joined_state(source), processed_state(store, pipeline), labels_state(store, pipeline)


def next_span(source: Source, pipeline: str, store: Store, *, now: datetime) -> SpanKey | None:
    """Name and version of the span that a run started now would decide on; None if there is none.

    For a query or a function this does not read the source: the span of a period counts as available once the period has ended.
    """
    arrivals = _look_up_arrivals(source, pipeline, store, now)
    window = plan_window(arrivals.spans, source, processed=arrivals.processed, not_ready=arrivals.waits)
    return (window.target.name, window.target.version) if window.target else None


def plan_ingest(
    source: Source,
    pipeline: str,
    store: Store,
    connect: Connect,
    *,
    now: datetime,
    requested: str | None = None,
    newest: bool = False,
    as_of: datetime | None = None,
    previous_run_end: datetime | None = None,
    types: Callable[[], Mapping[str, str]] = dict,
    action: Action | None = None,
) -> IngestPlan:
    """Choose the spans that a run reads: the oldest span that is not processed, and the window before it.

    With `unlabelled: wait`, the rows of the chosen spans are read, and spans with missing labels are left out.

    Args:
        source: The pipeline's source, with `{data}` filled in.
        pipeline: The pipeline's name.
        store: The store with the index of processed spans.
        connect: Opens the source's database.
        now: The time of the run; periods that end later are not available yet.
        requested: The name of the span to decide, processed or not.
        newest: Whether to take the newest span, and no older one.
        as_of: The end of the data interval of a backfill run, which processes the newest span that had ended by then, instead of
            the oldest span that is due; None for another run.
        previous_run_end: The end of the data interval of the previous run, if both belong to a backfill; else None.
        types: Returns the columns of the schema with their types.
        action: What the run does, which may read other spans than `source.window`.

    Raises:
        ConfigError: The requested span does not exist, or cannot be decided.
        DataError: With `unlabelled: wait`, a span cannot be read.
    """
    arrivals = _look_up_arrivals(source, pipeline, store, now)

    def plan_with(waits: Mapping[str, str]) -> IngestPlan:
        return _plan(
            source,
            replace(arrivals, waits=waits),
            connect,
            requested=requested,
            newest=newest,
            as_of=as_of,
            previous_run_end=previous_run_end,
            training_spans=_training_spans(source, action),
        )

    plan = plan_with(arrivals.waits)
    if source.unlabelled != "wait":
        return plan

    def unlabelled_of(spans: Sequence[FoundSpan]) -> "tuple[UnlabelledSpan, ...]":
        return _unlabelled(source, spans, plan.joined, connect, types, (store, pipeline))

    unused = as_of is None and not requested
    return _without_unlabelled(plan, arrivals, plan_with, unlabelled_of, frozenset(source.exclude), read_unused=unused)


def _without_unlabelled(
    plan: IngestPlan,
    arrivals: _Arrivals,
    plan_with: Callable[[Mapping[str, str]], IngestPlan],
    unlabelled_of: "Callable[[Sequence[FoundSpan]], tuple[UnlabelledSpan, ...]]",
    excluded: frozenset[str],
    *,
    read_unused: bool,
) -> IngestPlan:
    """A plan whose spans have enough labels; spans are read until there is one, each of them once.

    Args:
        plan: The plan without regard to labels.
        arrivals: What the source has.
        plan_with: Makes a plan, given why some spans cannot be read.
        unlabelled_of: Returns those of some spans that wait for their labels.
        excluded: The names of spans that are never read.
        read_unused: Whether to read spans that are in no window yet, if no span can be processed.
    """
    known, waits = set(arrivals.processed), dict(arrivals.waits)
    unlabelled: list[UnlabelledSpan] = []
    while True:
        unused = [span for span in arrivals.spans if span.name not in {*waits, *excluded}] if read_unused else []
        others = () if plan.window.spans else tuple(unused[-_MAX_READ:])
        unknown = [span for span in plan.window.spans or others if (span.name, span.version) not in known]
        known.update((span.name, span.version) for span in unknown)
        missing = unlabelled_of(unknown)
        unlabelled += missing
        waits |= {span.found.name: span.reason for span in missing}
        if missing:
            plan = plan_with(waits)
        if not missing or others:
            break
    unread = frozenset((span.name, span.version) for span in arrivals.spans) - known
    return replace(plan, unlabelled=tuple(unlabelled), unread=unread)


def _plan(
    source: Source,
    arrivals: _Arrivals,
    connect: Connect,
    *,
    requested: str | None,
    newest: bool,
    as_of: datetime | None,
    previous_run_end: datetime | None,
    training_spans: float | None,
) -> IngestPlan:
    # Corrected rows matter only for the newest window and for the spans of this run.
    versions = {
        span.name: span for span in with_versions(source, newest_window(arrivals.spans, source, arrivals.waits), connect)
    }
    found = tuple(versions.get(span.name, span) for span in arrivals.spans)
    if as_of is None or requested:
        window = plan_window(
            found,
            source,
            processed=arrivals.processed,
            requested=requested,
            newest_only=newest,
            not_ready=arrivals.waits,
            training_spans=training_spans,
        )
    else:
        window = plan_backfill(found, source, as_of=as_of, previous_run_end=previous_run_end, not_ready=arrivals.waits)
    return IngestPlan(
        replace(window, spans=with_versions(source, window.spans, connect)),
        arrivals.joined,
        any_processed=bool(arrivals.processed),
    )


def _training_spans(source: Source, action: Action | None) -> float | None:
    """How many spans an action trains on, with those of its rehearsal; infinity for all, None for those of `source.window`."""
    if action is None or (action.window is None and action.rehearsal is None):
        return None
    window = action.window if action.window is not None else source.window
    assert not isinstance(window, FixedWindow)  # the pipeline file is not valid otherwise
    before = action.rehearsal.spans if action.rehearsal is not None else 0
    return math.inf if "all" in (window, before) else float(window) + float(before)


def _unlabelled(
    source: Source,
    spans: Sequence[FoundSpan],
    joined: tuple[JoinTable, ...],
    connect: Connect,
    types: Callable[[], Mapping[str, str]],
    imported: tuple[Store, str],
) -> "tuple[UnlabelledSpan, ...]":
    """Those of some spans that wait for their labels; `imported` is the store and the pipeline of imported labels."""
    from taxiway.data.ingest.labels.fill import LabelSource
    from taxiway.data.ingest.read_spec import read_spec_of
    from taxiway.data.ingest.unlabelled import find_unlabelled
    from taxiway.data.sources.find import reader_of

    read_spec = read_spec_of(source, joined, types, LabelSource(*imported, source.label))
    return find_unlabelled(spans, source, reader_of(source, connect, types), read_spec)


def _look_up_arrivals(source: Source, pipeline: str, store: Store, now: datetime) -> _Arrivals:
    processed, joined = processed_spans(store, pipeline), find_join_tables(source)
    spans = spans_of(source, processed=processed, now=now)
    return _Arrivals(spans, processed, joined, waiting(spans, joined))
