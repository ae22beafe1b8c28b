"""A t-test that may be looked at after every value: an e-process for the mean of normal values whose variance is not known.

Under the alternative, the mean has a normal prior with a variance that is a multiple of that of the values. The ratio of the likelihoods
of the t statistic is a martingale if the mean is 0, whatever the variance is, so it reaches 1/error at any time with a probability of at
most the error (Lai 1976, Annals of Statistics 4:265; Wang and Ramdas 2025, Sequential Analysis 44:56).
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_PRIOR = 16.0
"""The variance of the prior, in that of the values: with it, four values that are nearly equal are evidence at the level 1%."""


def log_t_evidence(values: "Floats") -> float:
    """The logarithm of the evidence that the mean is above 0; there is evidence at the level `error` once it reaches -ln(error).

    Args:
        values: The independent values so far (n), such as the mean difference of each day; they are about normal.

    Returns:
        The logarithm; 0 with fewer than two values, and if their mean is not above 0.
    """
    count = len(values)
    if count < 2 or values.mean() <= 0:
        return 0.0
    of_mean = count * float(values.mean()) ** 2
    around = float(((values - values.mean()) ** 2).sum())
    scale = 1 + count * _PRIOR
    return (count * (math.log(around + of_mean) - math.log(around + of_mean / scale)) - math.log(scale)) / 2
