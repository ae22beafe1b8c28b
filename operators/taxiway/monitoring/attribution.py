"""How much of the change of a metric each drifted input explains.

The reference rows are changed so that some of their columns are distributed as in the window, and the metric is estimated again. What a
column adds depends on which others were changed before, so it is averaged over all orders: its Shapley value (Shapley 1953; for changes of
a distribution, Budhathoki et al. 2021, Why did the distribution change?, AISTATS).
"""

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

MOST_COLUMNS = 8
"""The largest number of columns: the metric is estimated for each of their subsets."""


def shapley(value: Callable[[frozenset[str]], float], names: Sequence[str]) -> dict[str, float]:
    """The Shapley values of names, exactly; their sum is the value of all names minus that of none.

    Args:
        value: The value of a set of names. It is called once for each of the 2**n sets.
        names: The n names.
    """
    sets = [frozenset(chosen) for size in range(len(names) + 1) for chosen in combinations(names, size)]
    values = {each: value(each) for each in sets}
    weights = [1 / (len(names) * math.comb(len(names) - 1, size)) for size in range(len(names))]
    return {
        name: math.fsum(weights[len(each)] * (values[each | {name}] - values[each]) for each in sets if name not in each)
        for name in names
    }


def moved(before: "pd.Series[Any]", after: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column of the reference rows, changed as little as possible so that it is distributed as in the window.

    A number becomes the one that has its rank in the window. A category is kept, unless it is less frequent in the window: then a random
    part of its rows gets categories that are more frequent there. So are missing values. The relations to other columns stay.

    Args:
        before: The column in the reference rows: float64 for numbers, other types for categories; see `raw_frame`.
        after: The column in the window, with at least one row.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(SEED)
    if before.dtype != "float64":
        codes, categories = pd.factorize(pd.concat([before, after]), use_na_sentinel=False)
        changed = _recoded(codes[: len(before)], codes[len(before) :], rng)
        texts = np.asarray(categories, dtype=object)
        texts[pd.isna(texts)] = None
        return pd.Series(texts[changed], before.index, dtype="object")
    values, new = before.to_numpy().copy(), np.sort(after[after.notna()].to_numpy())
    missing = _recoded(np.isnan(values).astype(int), after.isna().to_numpy().astype(int), rng) == 1
    gained = np.flatnonzero(np.isnan(values) & ~missing)
    known = values[~np.isnan(values)]
    values[gained] = rng.choice(known if len(known) else new, len(gained))
    kept = np.flatnonzero(~missing)
    order = kept[np.lexsort([rng.random(len(kept)), values[kept]])]
    values[missing] = np.nan
    if len(order):
        values[order] = new[((np.arange(len(order)) + 0.5) / len(order) * len(new)).astype(int)]
    return pd.Series(values, before.index)


def _recoded(before: "Integers", after: "Integers", rng: "np.random.Generator") -> "Integers":
    """Codes of which as few as possible are changed, so that each has the share that it has in `after`."""
    import numpy as np

    count = int(max(before.max(initial=0), after.max(initial=0))) + 1
    ends = np.rint(np.cumsum(np.bincount(after, minlength=count)) / len(after) * len(before)).astype(int)
    excess = np.bincount(before, minlength=count) - np.diff(ends, prepend=0)
    changed = before.copy()
    freed = [rng.permutation(np.flatnonzero(before == code))[: excess[code]] for code in range(count) if excess[code] > 0]
    if freed:
        changed[np.concatenate(freed)] = rng.permutation(np.repeat(np.arange(count), np.maximum(-excess, 0)))
    return changed
