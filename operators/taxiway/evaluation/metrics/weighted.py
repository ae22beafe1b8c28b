"""Weighted sums and means over rows, one for each bootstrap replicate."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]


def mean(values: "Floats", weights: "Floats") -> "Floats":
    """The weighted mean of the rows' values (n), for each replicate of the weights (replicates, n)."""
    found: Floats = weights @ values / weights.sum(axis=1)
    return found


def sums_by(positions: "Indices", weights: "Floats", count: int) -> "Floats":
    """The weights of the rows at each of `count` positions (replicates, count)."""
    import numpy as np

    return np.stack([np.bincount(positions, each, minlength=count) for each in weights])


def ratio(part: "Floats", whole: "Floats", *, empty: float) -> "Floats":
    """Elementwise part / whole, and `empty` where the whole is 0."""
    import numpy as np

    found: Floats = np.divide(part, whole, out=np.full_like(whole, empty), where=whole > 0)
    return found


def mean_of_defined(values: "Floats") -> "Floats":
    """The mean over the last axis without NaN; NaN if there is nothing else."""
    import numpy as np

    defined = ~np.isnan(values)
    found: Floats = ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1).astype(float), empty=np.nan)
    return found
