"""Which spans a run reads: those to train on, and the one that it decides.

What is in their files is not looked at here; `ingest` reads them.
"""

from datetime import datetime
from itertools import pairwise

from taxiway.data.spans import FoundSpan
from taxiway.errors import ConfigError


def plan_window(
    found: tuple[FoundSpan, ...], *, window: int, decided: frozenset[tuple[str, int]], requested: str | None
) -> tuple[FoundSpan, ...] | None:
    """The `window` spans to train on and, last, the span to evaluate on; None where nothing is to be done.

    `found` is in the order of time. `requested` names the span to evaluate on, decided or not; without it, it is
    the oldest span that has `window` spans before it and is not, in this version, in `decided`.

    Raises ConfigError where the requested span is not there or has too few before it.
    """
    if window < 1:
        raise ConfigError(f"window is {window}; allowed: 1 or more spans to train on")
    if requested is not None:
        at = _place_of(requested, found, window)
        return found[at - window : at + 1]
    for at in range(window, len(found)):
        if (found[at].name, found[at].version) not in decided:
            return found[at - window : at + 1]
    return None


def plan_as_of(
    found: tuple[FoundSpan, ...], *, window: int, moment: datetime, before: datetime | None = None
) -> tuple[FoundSpan, ...] | None:
    """What a run for a past `moment` reads: the newest span whose period had ended by then and, before it, `window` spans.

    `before` is the moment of the run before this one: a span that had ended by then is that run's, so that of many moments
    within one period only the first decides. None where nothing is to be done.

    Raises ConfigError where the spans are numbers, which say nothing about time.
    """
    numbers = [span.name for span in found if span.ends is None]
    if numbers:
        raise ConfigError(
            f"the spans {', '.join(numbers[:5])} are numbers and have no dates, so no run can be made for {moment:%Y-%m-%d}; allowed "
            "in a backfill: spans named by {YYYY}, {MM}, {DD}. Start runs with the parameter span instead"
        )
    ended = tuple(span for span in found if span.ends is not None and span.ends <= moment)
    if len(ended) <= window or (before is not None and ended[-1].ends is not None and ended[-1].ends <= before):
        return None
    return ended[-window - 1 :]


def gaps(plan: tuple[FoundSpan, ...]) -> tuple[str, ...]:
    """A sentence for each two spans of `plan` that do not follow each other: what lies between has not come, or never will."""
    return tuple(
        f"nothing is there between {before.name} and {after.name}"
        for before, after in pairwise(plan)
        if not _adjacent(before, after)
    )


def _adjacent(before: FoundSpan, after: FoundSpan) -> bool:
    if before.ends is None or after.begins is None:
        return int(after.name) == int(before.name) + 1
    return after.begins <= before.ends


def _place_of(requested: str, found: tuple[FoundSpan, ...], window: int) -> int:
    names = [span.name for span in found]
    there = ", ".join(names) or "none"
    if requested not in names:
        raise ConfigError(f"span {requested} is not at the source; there: {there}")
    at = names.index(requested)
    if at < window:
        first = f"the first that has: {names[window]}" if len(names) > window else f"at least {window + 1} spans have to arrive"
        raise ConfigError(f"span {requested} has {at} spans before it, and window needs {window}; {first}; there: {there}")
    return at
