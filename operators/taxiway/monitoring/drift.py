"""Drift of inputs: whether the rows of a window are distributed as reference rows are, with a bounded rate of false alerts.

A column is compared by the share of rows to which something applies: its value is missing, is a certain category, or is at most a certain
number. If both samples are from one distribution, then given all rows together, those of the window are a random part of them, so the
number to which it applies is hypergeometric, whatever the distribution is (Fisher's exact test). No p-value here is an approximation, and
ties, missing values and rare categories need no rules of their own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from taxiway.stats.multiplicity import holm
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Texts = NDArray[np.object_]

FALSE_ALERTS = 0.001
"""The probability of a window without a change to have drifted, a bound for both comparisons, of all columns and their relations."""
COMPARISON_FALSE_ALERTS = FALSE_ALERTS / 2
"""The part of it for each comparison: with the evaluation rows, and with the window before."""
COLUMN_FALSE_ALERTS = 0.9 * COMPARISON_FALSE_ALERTS
"""The part of a comparison for all columns, each alone; the rest is for the relations of columns, whose changes a classifier sees clearly or
not at all."""
SMALLEST_CHANGE = 0.05
"""The smallest change of a share that is an alert.

If the share of the rows of one kind changes by 0.05, the mean of a loss from 0 to 1, such as the accuracy, changes by at most 0.05.
"""
_STEPS = 20
"""The number of parts with equally many rows into which a numeric column is cut; see `SMALLEST_CHANGE`."""

Kind = Literal["missing", "at most", "equal", "infrequent", "unseen"]


@dataclass(frozen=True)
class Change:
    """The change of a column for which there is the most evidence.

    Attributes:
        kind: What the share is of: rows whose value is missing, is at most `value`, or is `value`; rows with a category that is rare in
            both samples together; or rows with a category that a half of the reference rows does not have.
        value: The number or the category; None for the kinds without one.
        before: The share of the reference rows.
        after: The share of the rows of the window.
        p_value: The probability of a column without a change to have as much evidence for one: the smallest p-value of all shares of the
            column that changed by `SMALLEST_CHANGE`, times the number of its shares (Bonferroni).
    """

    kind: Kind
    value: float | str | None
    before: float
    after: float
    p_value: float

    @property
    def distance(self) -> float:
        """How much the share changed, from 0 to 1."""
        return abs(self.after - self.before)


@dataclass(frozen=True)
class _Share:
    """How many rows something applies to, and of how many, in the reference rows and in the window."""

    kind: Kind
    value: float | str | None
    counts: tuple[int, int]
    rows: tuple[int, int]


def drifted(p_values: Mapping[str, float]) -> list[str]:
    """The columns of a window that have drifted; the probability that any of them is wrong is at most `COLUMN_FALSE_ALERTS` (Holm 1979).

    This holds for each comparison of a window, however its claims depend on each other, so 1,000 windows without a change have at most one
    alert on average in both comparisons. Windows that are compared with the same reference rows are not independent, so false alerts come together: a version with an
    unlucky sample of reference rows may have several, and most versions have none.

    Args:
        p_values: The p-value of each claim about a window, by its name.
    """
    logs = [math.log(max(p, 1e-320)) for p in p_values.values()]
    levels = holm([lambda level, log=log: log <= level for log in logs], math.log(COLUMN_FALSE_ALERTS))  # type: ignore[misc]
    return [name for name, log, level in zip(p_values, logs, levels, strict=True) if log <= level]


def numeric_change(before: "Floats", after: "Floats") -> Change | None:
    """The change of a column of numbers; None if no share of it changed by `SMALLEST_CHANGE`.

    The numbers are 19 quantiles of all rows together; a number that is several of them is also compared by how often it occurs.

    Args:
        before: The values of the reference rows; NaN for a missing one.
        after: The values of the window.
    """
    import numpy as np

    rows = len(before), len(after)
    samples = [np.sort(values[~np.isnan(values)]) for values in (before, after)]
    shares = [_Share("missing", None, (rows[0] - len(samples[0]), rows[1] - len(samples[1])), rows)]
    together = np.sort(np.concatenate(samples), kind="stable")
    if len(together):
        positions = np.ceil(np.arange(1, _STEPS) / _STEPS * len(together)).astype(int) - 1
        cuts, times = np.unique(together[positions], return_counts=True)
        ends = [values.searchsorted(cuts, side="right") for values in samples]
        starts = [values.searchsorted(cuts, side="left") for values in samples]
        for at, cut in enumerate(cuts.tolist()):
            shares.append(_Share("at most", cut, (int(ends[0][at]), int(ends[1][at])), rows))
            if times[at] > 1:
                counts = (int(ends[0][at] - starts[0][at]), int(ends[1][at] - starts[1][at]))
                shares.append(_Share("equal", cut, counts, rows))
    return _largest(shares)


def categorical_change(before: "Texts", after: "Texts") -> Change | None:
    """The change of a column of categories; None if no share of it changed by `SMALLEST_CHANGE`.

    Each category whose share can have changed so much is compared, by its number of rows in both samples together. Of the others, it is
    compared how many rows have any of them, and how many rows have one that a random half of the reference rows does not have: this
    half decides what is new, and the other half is compared.

    Args:
        before: The values of the reference rows; None for a missing one.
        after: The values of the window.
    """
    import numpy as np
    import pandas as pd

    rows = len(before), len(after)
    codes, categories = pd.factorize(np.concatenate([before, after]))
    samples = codes[: rows[0]], codes[rows[0] :]
    counts = [np.bincount(each + 1, minlength=len(categories) + 1) for each in samples]  # the missing ones first
    frequent = (counts[0] + counts[1])[1:] >= SMALLEST_CHANGE * min(rows)
    shares = [_Share("missing", None, (int(counts[0][0]), int(counts[1][0])), rows)]
    for code in np.flatnonzero(frequent).tolist():
        shares.append(_Share("equal", str(categories[code]), (int(counts[0][code + 1]), int(counts[1][code + 1])), rows))
    if not frequent.all():
        infrequent = tuple(int(each[1:][~frequent].sum()) for each in counts)
        shares.append(_Share("infrequent", None, (infrequent[0], infrequent[1]), rows))
        shares.append(_unseen(*samples, len(categories)))
    return _largest(shares)


def _unseen(before: "Integers", after: "Integers", categories: int) -> _Share:
    """The rows with a category that a random half of the reference rows does not have."""
    import numpy as np

    deciding = np.random.default_rng(SEED).permuted(np.arange(len(before)) % 2 == 0)
    unseen = np.ones(categories + 1, dtype=bool)
    unseen[before[deciding]] = False
    unseen[-1] = False  # missing
    compared = before[~deciding]
    return _Share("unseen", None, (int(unseen[compared].sum()), int(unseen[after].sum())), (len(compared), len(after)))


def _largest(shares: Sequence[_Share]) -> Change | None:
    """The change of the share with the smallest p-value; of several, the largest change."""
    import numpy as np
    from scipy.stats import hypergeom

    counts, rows = (np.array([getattr(share, name) for share in shares], dtype=float) for name in ("counts", "rows"))
    if not rows.all():
        return None
    fractions = counts / rows
    sizes = np.abs(fractions[:, 1] - fractions[:, 0])
    large = np.flatnonzero(sizes >= SMALLEST_CHANGE)
    if not len(large):
        return None
    given = rows[large].sum(axis=1), counts[large].sum(axis=1), rows[large, 0]
    tails = hypergeom.cdf(counts[large, 0], *given), hypergeom.sf(counts[large, 0] - 1, *given)
    p_values = np.minimum(1.0, 2 * np.minimum(*tails) * len(shares))
    best = min(range(len(large)), key=lambda at: (p_values[at], -sizes[large[at]]))
    share, (before, after) = shares[large[best]], fractions[large[best]].tolist()
    return Change(share.kind, share.value, before, after, float(p_values[best]))
