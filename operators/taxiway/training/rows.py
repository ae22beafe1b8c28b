"""The rows to fit on: transformed, with labels and weights, and how some of them are held out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.records import FeatureSet
from taxiway.spec.metrics import Problem
from taxiway.stats.seed import SEED
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_TRIAL_ROWS_PER_CLASS = 20
_TRIAL_ROWS = 200


@dataclass(frozen=True)
class TrainingRows:
    """The rows to fit on.

    Attributes:
        matrix: The transformed features (n, features).
        labels: The label of each row.
        name: The name of the label.
        weights: The weight of each row; None if all weigh alike.
    """

    matrix: "Matrix"
    labels: Any
    name: str
    weights: Any = None

    @classmethod
    def made_up(cls, problem: Problem, *, weighted: bool = False) -> "TrainingRows":
        """Rows of four numbers in 0 to 1, with labels of two classes or positive numbers that depend on them."""
        import numpy as np

        matrix = np.random.default_rng(SEED).random((_TRIAL_ROWS, 4))
        numbers = matrix.sum(axis=1) + 0.1
        return cls(
            matrix,
            numbers if problem == "regression" else numbers > np.median(numbers),
            "made up",
            np.ones(_TRIAL_ROWS) if weighted else None,
        )

    def take(self, positions: "NDArray[np.intp]") -> "TrainingRows":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[positions]
        return TrainingRows(self.matrix[positions], self.labels[positions], self.name, weights)

    def few(self) -> "TrainingRows":
        """At most 200 rows, or 20 of each class of a label with few classes: enough to see what a fitted estimator consists of."""
        import numpy as np
        import pandas as pd

        counted = np.arange(len(self.labels)) if self.weights is None else np.flatnonzero(self.weights > 0)
        codes, values = pd.factorize(self.labels[counted])
        if len(values) > len(codes) / _TRIAL_ROWS_PER_CLASS:
            chosen = np.arange(min(len(codes), _TRIAL_ROWS))
        else:
            chosen = np.flatnonzero(pd.Series(codes).groupby(codes).cumcount().to_numpy() < _TRIAL_ROWS_PER_CLASS)
        return self.take(counted[chosen])


def read_training_rows(features: FeatureSet, store: Store) -> tuple[TrainingRows, tuple[str, ...]]:
    """The rows of a feature set, and the names of the features."""
    import pyarrow.parquet as pq

    with store.local_file(features.rows) as path:
        table = pq.read_table(path)
    # By position: a feature may be called label.
    *features_at, label_at = range(table.num_columns - (features.weight is not None))
    weights = table.column(table.num_columns - 1).to_numpy() if features.weight is not None else None
    made = table.select(features_at)
    rows = TrainingRows(made.to_pandas().to_numpy(), table.column(label_at).to_numpy(), features.label, weights)
    return rows, tuple(made.column_names)


def split_rows(rows: TrainingRows, fraction: float, *, stratified: bool) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """The positions of the rows to learn from, which have every class, and of those held out, which have as many as possible."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(rows.labels))
    if not stratified:
        learned, held = train_test_split(positions, test_size=fraction, random_state=SEED)
        return learned, held
    codes, counts = np.unique(rows.labels, return_inverse=True, return_counts=True)[1:]
    common = positions[counts[codes] >= 2]
    by = codes[common] if fraction * len(common) >= (counts >= 2).sum() else None
    learned, held = train_test_split(common, test_size=fraction, random_state=SEED, stratify=by)
    # Every class has to be learned, so what would leave one out stays with the training rows.
    missing = np.setdiff1d(codes, codes[learned])
    back = np.isin(codes[held], missing)
    return np.concatenate([positions[counts[codes] < 2], learned, held[back]]), held[~back]
