"""When the losses of a served version have changed: on which day, with an interval, and from which mean to which.

Two tests have to agree. ADWIN says whether the mean loss has changed, row by row in the order of the predictions. It takes rows as
independent, so it would also report that one week is harder than another. Therefore days are compared as well: a change is only
reported if the means of days before and after it differ by more than they do if the days are put in any other order.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from taxiway.stats.adwin import Adwin
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]

DELTA = 0.002
"""The probability of ADWIN for rows without a change."""
MAX_P_VALUE = 0.001
"""The largest p-value of the permutation of days with which a change is reported."""
MIN_DAYS = 3
"""The fewest days before and after a change: a single bad day is none."""
MAX_DAYS = 200
"""Only the newest days are looked at."""
CONFIDENCE = 0.99
"""The confidence level of the interval of the day."""
_MAX_ELEMENTS = 20_000  # of ADWIN, which takes means of consecutive rows if there are more
_PERMUTATIONS = 4_999
_AT_ONCE = 500
_SAME = 1e-9  # differences of sums in another order
_MAX_P_VALUE_OF_TWO = 0.01


@dataclass(frozen=True)
class Change:
    """A change of the mean loss.

    Attributes:
        day: The first day after it, as days since 1970.
        earliest: The lower end of the interval of that day.
        latest: The upper end.
        before: The mean loss since the change before, or since the first day.
        after: The mean loss until the next change, or until the last day.
        rows_before: The rows of `before`.
        rows_after: The rows of `after`.
    """

    day: int
    earliest: int
    latest: int
    before: float
    after: float
    rows_before: int
    rows_after: int


def changes(losses: "Floats", days: "Days", largest: float = 1.0) -> list[Change]:
    """Find when the mean loss has changed.

    Args:
        losses: The losses of the rows in the order of the predictions, at least 0 (n).
        days: The day of each row, as days since 1970, in ascending order (n).
        largest: The largest loss that counts: what is larger counts as this in the tests, so that a single row does not hide a change. It
            must not be chosen by these rows.

    Returns:
        The changes, oldest first.
    """
    import numpy as np

    newest = days > days.max() - MAX_DAYS if len(days) else np.empty(0, dtype=bool)
    values, of = np.clip(losses[newest] / largest, 0.0, 1.0) if largest > 0 else losses[:0], days[newest]
    if not len(values) or not _rows_have_changed(values):
        return []
    known, positions = np.unique(of, return_inverse=True)
    counted, whole = (np.bincount(positions, weights=each).astype(float) for each in (values * largest, losses[newest]))
    table = _Days(known, counted, whole, np.bincount(positions))
    cuts = [0, *sorted(_cuts(table, 0, len(known))), len(known)]
    return [_change(table, *three) for three in zip(cuts, cuts[1:], cuts[2:], strict=False)]


def _rows_have_changed(values: "Floats") -> bool:
    """Whether ADWIN finds a change."""
    import numpy as np

    rows = -(-len(values) // _MAX_ELEMENTS)
    whole = values[: len(values) // rows * rows]
    window = Adwin(DELTA)
    return any(window.add(float(value)) for value in np.asarray(whole).reshape(-1, rows).mean(axis=1))


@dataclass(frozen=True)
class _Days:
    """The losses by day.

    Attributes:
        days: The days with rows, in ascending order.
        sums: The sum of the losses of each, of which none is larger than the largest one that counts.
        totals: The sum of the whole losses of each.
        rows: The number of rows of each.
    """

    days: "Days"
    sums: "Floats"
    totals: "Floats"
    rows: "NDArray[np.int64]"


def _cuts(table: _Days, first: int, last: int) -> Iterator[int]:
    """The positions of days at which the mean changes, between two positions: first the clearest ones, then those between them.

    The days that differ most from all others are looked for (circular binary segmentation, Olshen et al. 2004), so that a fault that was
    repaired is found as well as one that stays.
    """
    if last - first < 2 * MIN_DAYS:
        return
    begin, end = _clearest_period(table, first, last)
    if begin == end:
        return
    inner = [cut for cut in (begin, end) if first < cut < last]
    sides = [(first if cut == begin else begin, end if cut == begin else last) for cut in inner]
    kept = [cut for cut, (low, high) in zip(inner, sides, strict=True) if len(inner) == 1 or _differs(table, low, cut, high)]
    yield from kept
    borders = [first, *kept, last]
    if kept:
        for low, high in pairwise(borders):
            yield from _cuts(table, low, high)


def _clearest_period(table: _Days, first: int, last: int) -> tuple[int, int]:
    """The days whose mean differs most from that of the others; twice the same position if it does not differ significantly."""
    import numpy as np

    sums, rows = table.sums[first:last], table.rows[first:last].astype(float)
    (found,), ((begin, end),) = _largest_of_periods(sums[None], rows[None])
    random, exceeded = np.random.default_rng(SEED), 0
    for _ in range(0, 1 + _PERMUTATIONS, _AT_ONCE):
        orders = random.permuted(np.tile(np.arange(last - first), (_AT_ONCE, 1)), axis=1)
        others, _ = _largest_of_periods(sums[orders], rows[orders])
        exceeded += int((others >= found * (1 - _SAME)).sum())
        if (1 + exceeded) / (1 + _PERMUTATIONS) > MAX_P_VALUE:
            return first, first
    return first + int(begin), first + int(end)


def _differs(table: _Days, first: int, cut: int, last: int) -> bool:
    """Whether the means of days on both sides of a position differ, at a level of 1%: it is one of two that were found together."""
    import numpy as np

    sums, rows, before = table.sums[first:last], table.rows[first:last], cut - first
    orders = np.random.default_rng(SEED).permuted(np.tile(np.arange(last - first), (_AT_ONCE, 1)), axis=1)
    orders[0] = np.arange(last - first)
    sums, rows = sums[orders], rows[orders]
    means = (
        part.sum(axis=1) / of.sum(axis=1)
        for part, of in ((sums[:, :before], rows[:, :before]), (sums[:, before:], rows[:, before:]))
    )
    found = np.abs(next(means) - next(means))
    return bool((found >= found[0] * (1 - _SAME)).mean() <= _MAX_P_VALUE_OF_TWO)


def _largest_of_periods(sums: "Floats", rows: "Floats") -> "tuple[Floats, NDArray[np.intp]]":
    """The largest standardised difference between the mean of consecutive days and that of all others, and which days these are.

    Args:
        sums: The sums of days (series, days).
        rows: Their numbers of rows (series, days).

    Returns:
        The differences (series), and the positions of the first day and after the last one (series, 2).
    """
    import numpy as np

    series, days = sums.shape
    until, of_until = (np.concatenate([np.zeros((series, 1)), np.cumsum(each, axis=1)], axis=1) for each in (sums, rows))
    best, where = np.full(series, -1.0), np.zeros((series, 2), dtype=np.intp)
    total, of_total = until[:, -1:], of_until[:, -1:]
    for length in range(MIN_DAYS, days - MIN_DAYS + 1):
        begins = np.array([at for at in range(days - length + 1) if _leaves_enough(at, at + length, days)], dtype=np.intp)
        inside, of_inside = (each[:, begins + length] - each[:, begins] for each in (until, of_until))
        of_others = of_total - of_inside
        found = np.abs(inside / of_inside - (total - inside) / of_others) / np.sqrt(1 / of_inside + 1 / of_others)
        at = found.argmax(axis=1)
        values = found[np.arange(series), at]
        better = values > best
        best = np.where(better, values, best)
        where[better] = np.stack([begins[at], begins[at] + length], axis=1)[better]
    return best, where


def _leaves_enough(begin: int, end: int, days: int) -> bool:
    """Whether the days before and after a period are none or at least `MIN_DAYS`."""
    return (begin == 0 or begin >= MIN_DAYS) and (end == days or days - end >= MIN_DAYS)


def _change(table: _Days, first: int, cut: int, last: int) -> Change:
    """A change, with the interval of its day.

    The interval has the days at which the sum of squares within both sides is not much larger than at the best day. With normal means of
    days, twice the logarithm of the likelihood ratio of the true day is at most about the larger of two independent exponential variables
    (Siegmund, 1988), whose quantile limits it.
    """
    import numpy as np

    sums, rows = table.sums[first:last], table.rows[first:last].astype(float)
    between = _between(sums, rows)
    overall = sums.sum() / rows.sum()
    within = float((rows * (sums / rows - overall) ** 2).sum()) - between[cut - first - 1]
    limit = -2 * math.log(1 - math.sqrt(CONFIDENCE)) * within / (last - first - 2)
    likely = 1 + np.flatnonzero(between >= between[cut - first - 1] - limit)
    (before, rows_before), (after, rows_after) = (
        (float(table.totals[low:high].sum() / table.rows[low:high].sum()), int(table.rows[low:high].sum()))
        for low, high in ((first, cut), (cut, last))
    )
    day, earliest, latest = (int(table.days[at]) for at in (cut, first + likely[0], first + likely[-1]))
    return Change(day, earliest, latest, before, after, rows_before, rows_after)


def _between(sums: "Floats", rows: "Floats") -> "Floats":
    """The sum of squares between the days before and after each day but the first."""
    import numpy as np

    before, of_before = np.cumsum(sums)[:-1], np.cumsum(rows)[:-1]
    after, of_after = sums.sum() - before, rows.sum() - of_before
    found: Floats = (before / of_before - after / of_after) ** 2 / (1 / of_before + 1 / of_after)
    return found
