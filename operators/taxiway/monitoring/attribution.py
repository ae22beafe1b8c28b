"""How much of the change of a metric each drifted input explains.

The reference rows are changed so that some of their columns are distributed as in the window, and the metric is estimated again. What a
column adds depends on which others were changed before, so it is averaged over all orders: its Shapley value (Shapley 1953; for changes of
a distribution, Budhathoki et al. 2021, Why did the distribution change?, AISTATS).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

EXACT_NAMES = 6
"""The largest number of names whose Shapley values are exact: the metric is estimated for each of their 64 subsets."""
MAX_NAMES = 16
"""The largest number of names. Beyond, a sample of so few orders says nothing."""
_SAMPLED_SETS = 256
_CONFIDENCE = 0.95

Values = Callable[[Sequence[frozenset[str]]], Sequence[float]]
"""The values of sets of names, for all sets at once."""


@dataclass(frozen=True)
class Attribution:
    """How much each name adds to a value.

    Attributes:
        values: The Shapley value of each name. Their sum is the value of all names minus that of none.
        errors: Half the width of the 95% interval of each, for the sample of orders; 0 if they are exact.
        orders: The number of sampled orders; 0 if the values are exact.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    orders: int = 0


def shapley(values: Values, names: Sequence[str]) -> Attribution:
    """The Shapley values of names: exactly for at most `EXACT_NAMES`, else by a sample of orders with a fixed seed.

    Args:
        values: The values of sets of names. It is called once, with 64 sets at most if the result is exact, else with at most 256.
        names: The names.
    """
    return _exact(values, names) if len(names) <= EXACT_NAMES else _sampled(values, names)


def _exact(values: Values, names: Sequence[str]) -> Attribution:
    sets = [frozenset(chosen) for size in range(len(names) + 1) for chosen in combinations(names, size)]
    known = dict(zip(sets, values(sets), strict=True))
    weights = [1 / (len(names) * math.comb(len(names) - 1, size)) for size in range(len(names))]
    found = {
        name: math.fsum(weights[len(each)] * (known[each | {name}] - known[each]) for each in sets if name not in each)
        for name in names
    }
    return Attribution(found, dict.fromkeys(names, 0.0))


def _sampled(values: Values, names: Sequence[str]) -> Attribution:
    """What each name adds in random orders, each of which is also taken backwards: two opposite orders have a smaller error than two others."""
    import numpy as np
    from scipy.stats import t

    rng, count = np.random.default_rng(SEED), _SAMPLED_SETS // (2 * (len(names) - 1))
    pairs = [[order, order[::-1]] for order in ([names[at] for at in rng.permutation(len(names))] for _ in range(count))]
    sets = list(dict.fromkeys(each for pair in pairs for order in pair for each in _growing(order)))
    known = dict(zip(sets, values(sets), strict=True))

    def added(order: Sequence[str]) -> dict[str, float]:
        at = [known[each] for each in _growing(order)]
        return {name: after - before for name, before, after in zip(order, at, at[1:], strict=False)}

    of_pairs = [[added(order) for order in pair] for pair in pairs]
    means = {name: [(one[name] + other[name]) / 2 for one, other in of_pairs] for name in names}
    found = {name: float(np.mean(each)) for name, each in means.items()}
    wide = float(t.ppf((1 + _CONFIDENCE) / 2, count - 1)) / math.sqrt(count)
    errors = {name: wide * float(np.std(each, ddof=1)) for name, each in means.items()}
    return Attribution(found, errors, 2 * count)


def _growing(order: Sequence[str]) -> Iterator[frozenset[str]]:
    """The sets of the first names of an order, from none to all."""
    for size in range(len(order) + 1):
        yield frozenset(order[:size])


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
