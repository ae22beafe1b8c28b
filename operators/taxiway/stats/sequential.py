"""An e-process on disagreements: labels may be looked at one by one, and the answer is valid whenever one stops.

For each row, let X be 1 if only the new model is right, -1 if only the old one is, and 0 otherwise; a row on which both predict the same
needs no label. Whoever bets a fraction of their capital on the mean of X being above a bound does not gain on average if it is not, so the
probability that their capital is ever 1/error times the start is at most the error (Ville's inequality; Waudby-Smith and Ramdas 2024,
Journal of the Royal Statistical Society B 86:1). The capital is an average over many fractions, so none has to be chosen.

`log_capital_of` is the same bet on other numbers between two limits, such as the difference of two models' losses. It depends on
what the values are, and not on their order.

The package confseq has such processes, too. It is compiled from C++ when it is installed, and this one depends on three counts only, in
whatever order the rows came.
"""

import math
from typing import TYPE_CHECKING, Any

from taxiway.stats.search import boundary, smallest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FRACTIONS = 24
_SMALLEST_FRACTION = 0.01
_LARGEST_FRACTION = 0.9
_ROWS_AT_ONCE = 1 << 10
"""Rows whose growth by all fractions fits into a processor's cache."""


def log_capital(wins: Any, losses: Any, ties: Any, bound: float) -> "Floats":
    """The logarithm of the capital after some rows; there is evidence at the level `error` once it reaches -ln(error).

    Args:
        wins: The rows on which only the new model is right; a number or an array.
        losses: The rows on which only the old model is right.
        ties: All other rows that were passed, also those on which both models predict the same.
        bound: The null hypothesis is that new minus old is at most this, above -1 and below 1.
    """
    import numpy as np
    from scipy.special import logsumexp

    shape = (..., *(None for _ in np.shape(wins)))
    bets = _fractions()[shape] / (1 + bound)
    gains = (
        np.asarray(wins) * np.log1p(bets * (1 - bound))
        + np.asarray(losses) * np.log1p(-bets * (1 + bound))
        + np.asarray(ties) * np.log1p(-bets * bound)
    )
    found: Floats = logsumexp(gains, axis=0) - math.log(_FRACTIONS)
    return found


def log_capital_of(values: "Floats", bound: float) -> float:
    """The same as `log_capital` for rows with any value from -1 to 1, such as differences of losses; it falls with the bound.

    The rows are independent, and may be in any order.

    Args:
        values: The values (n).
        bound: The null hypothesis is that their expected value is at most this, above -1 and below 1.
    """
    import numpy as np

    growth = (1 + values) / (1 + bound) - 1
    fractions, gains = _fractions()[:, None], np.zeros(_FRACTIONS)
    for start in range(0, len(growth), _ROWS_AT_ONCE):
        gains += np.log1p(fractions * growth[start : start + _ROWS_AT_ONCE]).sum(axis=1)
    # Not scipy's logsumexp, which takes longer for so few numbers than all of the above for a thousand rows.
    largest = float(gains.max())
    return largest + math.log(float(np.exp(gains - largest).mean()))


def sequence_limits(values: "Floats", log_error: float) -> tuple[float, float]:
    """A confidence sequence: limits of the expected value that hold for all numbers of rows at once, so one may look after each.

    Args:
        values: Values of independent rows, from -1 to 1 (n).
        log_error: The logarithm of the probability that the lower limit is ever above the expected value; also of that of the upper one.
    """
    if not len(values):
        return -1.0, 1.0
    mean = float(values.mean())

    def shown(signed: "Floats", bound: float) -> bool:
        return log_capital_of(signed, bound) >= -log_error

    low = boundary(lambda bound: shown(values, bound), mean, -1.0)
    high = -boundary(lambda bound: shown(-values, bound), -mean, -1.0)
    return low, high


def expected_labels(gain: float, disagreement: float, bound: float, log_error: float, most_rows: int) -> int | None:
    """About how many labels it takes until new minus old is shown to be above a bound, if one labels only disagreements.

    The capital is followed along the expected counts, which is about the median of the labels.

    Args:
        gain: The true value of new minus old.
        disagreement: The share of rows on which the models predict differently; on each of them one of the two is right.
        bound: The bound to exceed.
        log_error: The logarithm of the error.
        most_rows: Where to stop: the rows of the plan that is fixed in advance.

    Returns:
        The number of labels; None if `most_rows` are not enough.
    """
    wins, losses = (disagreement + gain) / 2, (disagreement - gain) / 2

    def shown(rows: int) -> bool:
        return bool(log_capital(rows * wins, rows * losses, rows * (1 - disagreement), bound) >= -log_error)

    rows = smallest(shown, most=most_rows)
    return None if rows is None else math.ceil(rows * disagreement)


def _fractions() -> "Floats":
    """The fractions of the capital that are bet, which the largest loss of 1 cannot use up."""
    import numpy as np

    return np.geomspace(_SMALLEST_FRACTION, _LARGEST_FRACTION, _FRACTIONS)
