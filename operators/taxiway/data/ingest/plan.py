"""Which spans a run reads: the window, and the span that it decides; and in words, why there is nothing to do.

What is in their files is not looked at here; `ingest` reads them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.records import span_order
from taxiway.spec.selection import FixedWindow
from taxiway.spec.source import Source

_SHOWN_SPANS = 12
Spans = tuple[FoundSpan, ...]


@dataclass(frozen=True)
class WindowPlan:
    """The spans that a run reads, oldest first: it decides the last one. Without any there is nothing to do, and `reason` says why.

    `notes` are messages about what was left out, or is missing, among the spans from the first one on.
    """

    spans: Spans = ()
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Choice:
    """What is there, what of it can be used, and why the rest cannot."""

    source: Source
    found: Spans
    usable: Spans
    left_out: dict[str, str]

    @property
    def before(self) -> int:
        """How many spans a rolling window has before the span that is decided."""
        assert isinstance(self.source.window, int)
        return self.source.window if self.source.holds_out_newest else self.source.window - 1

    def decidable(self) -> Spans:
        """The spans that a run can decide, oldest first."""
        window = self.source.window
        if isinstance(window, int):
            return self.usable[self.before :]
        inside = self._inside(window)
        if not inside or self.missing_ends(window):
            return ()
        if not self.source.holds_out_newest:
            return inside[-1:]
        return tuple(span for span in self.usable if span_order(span.name) > span_order(window.last))

    def plan(self, decided: FoundSpan) -> Spans:
        """What the run reads that decides this one of `decidable`."""
        window = self.source.window
        if isinstance(window, int):
            at = self.usable.index(decided)
            return self.usable[at - self.before : at + 1]
        inside = self._inside(window)
        return (*inside, decided) if self.source.holds_out_newest else inside

    def _inside(self, window: FixedWindow) -> Spans:
        return tuple(span for span in self.usable if window.holds(span.name))

    def missing_ends(self, window: FixedWindow) -> list[str]:
        """Why a fixed window cannot be read as yet: one of its ends has not come, or waits. One that is denied is not missed."""
        there, denied = {span.name for span in self.found}, set(self.source.exclude)
        said = []
        for name in dict.fromkeys((window.first, window.last)):
            if name not in there:
                said.append(f"{name} is not there")
            elif name in self.left_out and name not in denied:
                said.append(self.left_out[name])
        return said


def plan_window(
    found: Spans,
    source: Source,
    *,
    decided: frozenset[tuple[str, int]],
    requested: str | None = None,
    waiting: Mapping[str, str] | None = None,
) -> WindowPlan:
    """The window to train on and the span to decide.

    `found` is in the order of time; `waiting` says of spans by name why they cannot be read as yet. `requested` names the span to
    decide, decided or not. Without it, it is the oldest one with enough spans before it that is not, in this version, in
    `decided`; after a fixed window it is the newest one.

    Raises ConfigError where the requested span is not there, or cannot be decided.
    """
    choice = _choice(found, source, waiting or {})
    decidable = choice.decidable()
    if requested is not None:
        return _planned(choice, _requested(requested, choice, decidable))
    looked_at = decidable[-1:] if isinstance(source.window, FixedWindow) else decidable
    due = next((span for span in looked_at if (span.name, span.version) not in decided), None)
    return WindowPlan(reason=_reason(choice, decidable)) if due is None else _planned(choice, due)


def newest_plan(found: Spans, source: Source, waiting: Mapping[str, str] | None = None) -> Spans:
    """The spans that a run reads that decides the newest span that can be decided; none where there is none."""
    choice = _choice(found, source, waiting or {})
    decidable = choice.decidable()
    return choice.plan(decidable[-1]) if decidable else ()


def plan_as_of(
    found: Spans,
    source: Source,
    *,
    moment: datetime,
    before: datetime | None = None,
    waiting: Mapping[str, str] | None = None,
) -> WindowPlan:
    """What a run for a past `moment` reads: it decides the newest span whose period had ended by then.

    `before` is the moment of the run before this one: a span that had ended by then is that run's, so that of many moments
    within one period only the first decides.

    Raises ConfigError where the spans are numbers, which say nothing about time.
    """
    numbers = [span.name for span in found if span.ends is None]
    if numbers:
        raise ConfigError(
            f"the spans {', '.join(numbers[:5])} are numbers and have no dates, so no run can be made for {moment:%Y-%m-%d}; allowed "
            "in a backfill: spans named by {YYYY}, {MM}, {DD}. Start runs with the parameter span instead"
        )
    ended = tuple(span for span in found if span.ends is not None and span.ends <= moment)
    choice = _choice(ended, source, waiting or {})
    decidable = choice.decidable()
    if not decidable:
        return WindowPlan(reason=f"of the spans that had ended by {moment:%Y-%m-%d %H:%M}: {_reason(choice, decidable)}")
    newest = decidable[-1]
    if before is not None and newest.ends is not None and newest.ends <= before:
        reason = f"{newest.name}, the newest span that had ended by {moment:%Y-%m-%d %H:%M}, belongs to the run before this one"
        return WindowPlan(reason="; ".join((reason, *_few(choice.left_out.values()))))
    return _planned(choice, newest)


def _choice(found: Spans, source: Source, waiting: Mapping[str, str]) -> _Choice:
    left_out = {span.name: f"{span.name} is denied by source.exclude" for span in found if span.name in source.exclude}
    for span in found:
        if span.name in waiting:
            left_out.setdefault(span.name, f"{span.name} waits: {waiting[span.name]}")
    return _Choice(source, found, tuple(span for span in found if span.name not in left_out), left_out)


def _planned(choice: _Choice, decided: FoundSpan) -> WindowPlan:
    spans = choice.plan(decided)
    begins, ends = span_order(spans[0].name), span_order(spans[-1].name)
    left_out = [said for name, said in choice.left_out.items() if span_order(name) >= begins]
    between = tuple(span for span in choice.found if begins <= span_order(span.name) <= ends)
    return WindowPlan(spans, notes=(*_few(left_out), *gaps(between)))


def _few(messages: Iterable[str]) -> list[str]:
    """Of many messages about spans the last ones, and how many there are: a query's periods may be thousands."""
    said = list(messages)
    more = len(said) - _SHOWN_SPANS
    return [f"{more:,} older spans are left out", *said[more:]] if more > 0 else said


def gaps(spans: Sequence[FoundSpan]) -> tuple[str, ...]:
    """A message for each two of `spans` that do not follow each other: what lies between has not come, or never will."""
    return tuple(
        f"nothing is there between {before.name} and {after.name}; if it comes later, it is decided then, and its challenger "
        "comes too late"
        for before, after in pairwise(spans)
        if not _adjacent(before, after)
    )


def _adjacent(before: FoundSpan, after: FoundSpan) -> bool:
    if before.ends is None or after.begins is None:
        return int(after.name) == int(before.name) + 1
    return after.begins <= before.ends


def _requested(name: str, choice: _Choice, decidable: Spans) -> FoundSpan:
    for span in decidable:
        if span.name == name:
            return span
    there = f"there: {_listed(choice.usable)}"
    if name in choice.left_out:
        raise ConfigError(f"span {name} cannot be decided: {choice.left_out[name]}; {there}")
    if name not in [span.name for span in choice.found]:
        raise ConfigError(f"span {name} is not at the source; {there}")
    if isinstance(choice.source.window, FixedWindow):
        decides = _listed(decidable) if decidable else _reason(choice, decidable)
        raise ConfigError(f"span {name} is not one that can be decided with {_words(choice.source)}: {decides}; {there}")
    at = [span.name for span in choice.usable].index(name)
    first = f"the first that has: {decidable[0].name}" if decidable else f"at least {choice.before + 1} spans have to arrive"
    raise ConfigError(
        f"span {name} has {at} spans before it, and {_words(choice.source)} needs {choice.before}; {first}; {there}"
    )


def _reason(choice: _Choice, decidable: Spans) -> str:
    """Why no span can be decided: which are there, how many are missing, which are denied or wait."""
    window, there = choice.source.window, f"there: {_listed(choice.usable)}"
    if isinstance(window, FixedWindow):
        missing = choice.missing_ends(window)
        if decidable:
            said = f"{decidable[-1].name}, the newest that can be decided with {_words(choice.source)}, is decided"
        elif missing:
            said = f"{_words(choice.source)} is not whole: {'; '.join(missing)}"
        else:
            said = f"no span after {window.last} is there to evaluate on; {there}"
    elif decidable:
        said = f"every span that has {choice.before} before it is decided; {there}"
    else:
        needed = choice.before + 1
        missing_spans = needed - len(choice.usable)
        said = f"{_words(choice.source)} needs {needed} spans, {missing_spans} of them {'is' if missing_spans == 1 else 'are'} missing; {there}"
    return "; ".join((said, *_few(why for why in choice.left_out.values() if why not in said)))


def _words(source: Source) -> str:
    if isinstance(source.window, FixedWindow):
        return f"the window from {source.window.first} to {source.window.last}"
    return f"window: {source.window}"


def _listed(spans: Spans) -> str:
    """`2013-01, 2013-02`; of many the first and the last ones, and how many."""
    names = [span.name for span in spans]
    if len(names) <= _SHOWN_SPANS:
        return ", ".join(names) or "none"
    return f"{', '.join(names[:3])} ... {', '.join(names[-3:])} ({len(names)} spans)"
