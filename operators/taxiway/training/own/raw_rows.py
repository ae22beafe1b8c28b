"""The raw training rows, for functions that learn from them or look at them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import read_rows, read_table
from taxiway.data.ingest.rehearsal import used_positions
from taxiway.features.encoding import frame_of
from taxiway.records import FeatureSet, Snapshot, Span
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RawRows:
    """The raw rows that a feature set was made from; each method reads them again.

    Attributes:
        features: The feature set.
        store: Where the rows are.
    """

    features: FeatureSet
    store: Store

    def rows(self, positions: Any) -> "pd.DataFrame":
        """Rows with all columns of the source."""
        return _taken(read_rows(self._spans, self.store), self._used(positions))

    def table(self, positions: Any) -> "pa.Table":
        """Rows with all columns of the source, as Arrow."""
        return read_table(self._spans, self.store).take(self._used(positions))

    def frame(self, positions: Any) -> "pd.DataFrame":
        """The raw columns of the model, in the form in which a model gets them that is served."""
        features = self.features
        rows = read_rows(self._spans, self.store, [*features.columns])
        return _taken(frame_of(features, rows), self._used(positions))

    def groups(self, column: str) -> "NDArray[np.intp]":
        """The number of each training row's group, from 0: rows with the same value of a column. Rows without a value are one group."""
        import numpy as np
        import pandas as pd

        rows = read_rows(self._spans, self.store, [column])
        codes: NDArray[np.intp] = pd.factorize(rows[column], use_na_sentinel=False)[0].astype(np.intp)
        used: NDArray[np.intp] = codes[self._used(slice(None))]
        return used

    def _used(self, positions: Any) -> Any:
        """The positions of training rows among all rows of the spans."""
        drawn = self.features.rehearsed
        return used_positions(self._spans, drawn)[positions] if drawn else positions

    @property
    def _spans(self) -> tuple[Span, ...]:
        return self.store.get(Snapshot, self.features.snapshot).training


def _taken(rows: "pd.DataFrame", positions: Any) -> "pd.DataFrame":
    taken: pd.DataFrame = rows.iloc[positions].reset_index(drop=True)
    return taken
