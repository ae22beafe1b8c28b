"""Rows of numbers and categories as numbers, for outlier scores.

The numbers of a column have to be the farther from the others, the rarer they are. So a category is the negative logarithm of how often it
occurs.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST = 1e6
"""A number farther away is as far as this: scikit-learn computes with 32-bit floats."""


@dataclass(frozen=True)
class _Numbers:
    low: float
    width: float

    def coded(self, values: "pd.Series[Any]") -> "Floats":
        import numpy as np

        return np.clip((values.to_numpy(dtype=float) - self.low) / self.width, -_MOST, _MOST)


@dataclass(frozen=True)
class _Categories:
    surprisals: "Mapping[Any, float]"
    missing: float
    unseen: float

    def coded(self, values: "pd.Series[Any]") -> "Floats":
        import numpy as np
        import pandas as pd

        codes, categories = pd.factorize(values.astype("object"))
        known = [self.surprisals.get(category, self.unseen) for category in categories]
        found: Floats = np.array([*known, self.missing])[codes]  # the code of a missing value is -1
        return found


class Coding:
    """The form in which rows are scored, learned from reference rows.

    Args:
        rows: The reference rows, as from `raw_frame`: columns of float64 are numbers, all others categories.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        self.names = list(rows.columns)
        self._columns = [
            _numbers(rows[name]) if rows[name].dtype == "float64" else _categories(rows[name]) for name in self.names
        ]

    def coded(self, rows: "pd.DataFrame") -> "Floats":
        """The rows as numbers (rows, columns): from 0 to 1 for the numbers of the reference rows, and NaN for missing ones."""
        import numpy as np

        return np.stack([each.coded(rows[name]) for name, each in zip(self.names, self._columns, strict=True)], axis=1)


def _numbers(values: "pd.Series[Any]") -> _Numbers:
    import numpy as np

    known = values.to_numpy(dtype=float)
    known = known[~np.isnan(known)]
    if not len(known):
        return _Numbers(0.0, 1.0)
    low, high = float(known.min()), float(known.max())
    return _Numbers(low, high - low or 1.0)


def _categories(values: "pd.Series[Any]") -> _Categories:
    counts = values.value_counts()
    total, missing = len(values) + 1, int(values.isna().sum())
    surprisals = {category: math.log(total / count) for category, count in counts.items()}
    return _Categories(surprisals, math.log(total / max(missing, 1)), math.log(total))
