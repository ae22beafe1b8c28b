"""Shapley values of any model by sampling: of orders in which the columns of a row become known.

A column that is not known has the values of background rows (the interventional value function of Strumbelj and Kononenko, "Explaining
prediction models and individual predictions with feature contributions", 2014). Orders are drawn in pairs of an order and its reverse
(Castro, Gomez and Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009; Mitchell, Cooper, Frank and Holmes,
"Sampling permutations for Shapley value estimation", 2022, which finds such antithetic pairs better than plain ones). SHAP's
PermutationExplainer draws the same pairs; it takes no texts or missing categories, and its error does not use that the halves of a pair
balance each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.features.encoding import predict_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Masks = NDArray[np.bool_]

PAIRS = 10
"""How many orders are drawn, each with its reverse."""
_SEED = 0
_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class SampledValues:
    """Estimated Shapley values.

    Attributes:
        base: What the model predicts on average over the background rows (outputs).
        values: The value of each column (columns, outputs). Their sum and the base are the prediction, whatever orders were drawn.
        errors: The standard error of each value, from the spread of the pairs (columns, outputs).
    """

    base: "Floats"
    values: "Floats"
    errors: "Floats"


def sampled_shapley(value: "Callable[[Masks], Floats]", players: int, pairs: int = PAIRS) -> SampledValues:
    """Estimate the Shapley values of a game; the same call has the same result.

    Args:
        value: Returns the value (teams, outputs) of teams, each a row of a matrix (teams, players) that says who is in it.
        players: How many players there are.
        pairs: How many orders are drawn, each with its reverse; at least 2.
    """
    import numpy as np

    chance = np.random.default_rng(_SEED)
    ends = value(np.array([[False] * players, [True] * players]))
    found = np.empty((pairs, players, ends.shape[1]))
    for at in range(pairs):
        order = chance.permutation(players)
        found[at] = (_increments(value, order, ends) + _increments(value, order[::-1], ends)) / 2
    return SampledValues(ends[0], found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(pairs))


def _increments(value: "Callable[[Masks], Floats]", order: "NDArray[np.intp]", ends: "Floats") -> "Floats":
    """By how much each player changes the value (players, outputs) when they join in an order."""
    import numpy as np

    place = np.argsort(order)
    between = value(place[None, :] <= np.arange(len(order) - 1)[:, None]) if len(order) > 1 else ends[:0]
    return np.diff(np.concatenate([ends[:1], between, ends[1:]]), axis=0)[place]


def value_of_columns(
    predict: "Callable[[pd.DataFrame], Any]", row: "pd.DataFrame", background: "pd.DataFrame"
) -> "Callable[[Masks], Floats]":
    """The game whose players are the columns of a row: what the model predicts on average if only those of a team are known.

    Args:
        predict: Takes frames of `raw_frame`; returns numbers (rows) or (rows, outputs).
        row: The row, a frame of `raw_frame`.
        background: The background rows, with the same columns.
    """
    import numpy as np
    import pandas as pd

    rows = len(background)
    pairs = [(name, row[name].to_numpy(), background[name].to_numpy()) for name in row]

    def answers(teams: "Masks") -> "Floats":
        cells = {}
        for at, (name, own, others) in enumerate(pairs):
            mixed = np.where(teams[:, at, None], own, others[None, :]).ravel()
            cells[name] = pd.Series(mixed, dtype=own.dtype)
        found = np.asarray(predict_rows(predict, pd.DataFrame(cells)), dtype="float64").reshape(len(teams), rows, -1)
        means: Floats = found.mean(axis=1)
        return means

    def value(teams: "Masks") -> "Floats":
        at_once = max(1, _CELLS_AT_ONCE // (rows * len(pairs)))
        return np.concatenate([answers(teams[at : at + at_once]) for at in range(0, len(teams), at_once)])

    return value
