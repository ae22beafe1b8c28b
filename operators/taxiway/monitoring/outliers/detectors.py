"""What scores rows, learned from reference rows: the larger the score, the more outlying the row."""

from typing import TYPE_CHECKING, Literal, Protocol

from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Method = Literal["ecod", "isolation_forest"]
_TREES, _ROWS_A_TREE = 100, 256
_MISSING = 2.0
"""What a forest gets for a missing number; those of the reference rows are from 0 to 1."""


class Detector(Protocol):
    """Scores rows, each one alone."""

    def scores(self, values: "Floats") -> "Floats":
        """The scores of rows (rows, columns), from `Coding`."""
        ...


class Ecod:
    """Empirical cumulative distributions (Li, Zhao, Hu, Botta, Ionescu and Chen 2022, ECOD).

    The score is the sum over the columns of -log of the share of reference rows whose value is at least as extreme, on the side where fewer
    are. PyOD adds the rows that are scored to the reference rows. Here, the score of a row does not depend on others, so many outliers
    do not hide each other.

    Args:
        values: The reference rows, from `Coding`.
    """

    def __init__(self, values: "Floats") -> None:
        import numpy as np

        self._rows = len(values)
        self._sorted = [np.sort(column[~np.isnan(column)]) for column in values.T]

    def scores(self, values: "Floats") -> "Floats":
        """The scores of rows."""
        import numpy as np

        total = np.zeros(len(values))
        for column, known in zip(values.T, self._sorted, strict=True):
            below = known.searchsorted(column, side="right")
            above = len(known) - known.searchsorted(column, side="left")
            as_extreme = np.where(np.isnan(column), self._rows - len(known), np.minimum(below, above))
            total -= np.log((as_extreme + 0.5) / (self._rows + 1))
        return total


class Forest:
    """An isolation forest (Liu, Ting and Zhou 2008), by scikit-learn.

    Args:
        values: The reference rows, from `Coding`.
    """

    def __init__(self, values: "Floats") -> None:
        from sklearn.ensemble import IsolationForest

        rows = min(_ROWS_A_TREE, len(values))
        self._forest = IsolationForest(n_estimators=_TREES, max_samples=rows, random_state=SEED).fit(_filled(values))

    def scores(self, values: "Floats") -> "Floats":
        """The scores of rows, from 0 to 1."""
        found: Floats = -self._forest.score_samples(_filled(values))
        return found


def _filled(values: "Floats") -> "Floats":
    import numpy as np

    return np.where(np.isnan(values), _MISSING, values)


DETECTORS: dict[Method, type[Ecod] | type[Forest]] = {"ecod": Ecod, "isolation_forest": Forest}
