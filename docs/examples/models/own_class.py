"""A model of the team's own class: each class weighs its rows by their distance, and no exchange format has such a model."""

from pathlib import Path
from typing import Any, Self


class Neighborhood:
    """A kernel classifier: the probability of a class is its share of the weights of all rows."""

    def __init__(self, rows: Any, hot: Any, width: float) -> None:
        self.rows = rows
        self.hot = hot
        self.width = width

    def predict_proba(self, matrix: Any) -> Any:
        """The probabilities of the classes (n, classes) for transformed rows."""
        import numpy as np

        squares = ((matrix[:, None, :] - self.rows[None, :, :]) ** 2).sum(axis=2)
        weights = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * self.width**2))
        return weights @ self.hot / weights.sum(axis=1, keepdims=True)

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs into an empty folder: data, and no pickles."""
        import numpy as np

        np.savez(folder / "neighborhood.npz", rows=self.rows, hot=self.hot, width=self.width)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` has written."""
        import numpy as np

        with np.load(folder / "neighborhood.npz") as saved:
            return cls(saved["rows"], saved["hot"], float(saved["width"]))


def train(data: Any, params: dict[str, Any]) -> Neighborhood:
    """Choose the width with the smallest loss on the validation rows."""
    import numpy as np

    hot = np.eye(len(data.classes))[data.labels]
    made = [Neighborhood(data.matrix, hot, width) for width in params["widths"]]
    held = np.arange(len(data.validation_labels)), data.validation_labels
    losses = [-np.log(model.predict_proba(data.validation_matrix)[held] + 1e-9).mean() for model in made]
    return made[int(np.argmin(losses))]
