"""The rows of the training data that are saved with a model whose predictions are explained by sampling."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import read_rows
from taxiway.features.encoding import frame_of, raw_frame
from taxiway.features.origins import origins
from taxiway.features.signature import ModelColumns
from taxiway.models.contributions import has_exact_contributions
from taxiway.records import FeatureSet, Span
from taxiway.stats.seed import SEED
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd

BACKGROUND_ROWS = 50


def background_of(fitted: Any, features: FeatureSet, spans: Sequence[Span], store: Store) -> bytes | None:
    """Draw rows of the training data, in the form in which a model saves them.

    Args:
        fitted: The fitted pipeline of a transform and an estimator.
        features: The feature set that it was trained on.
        spans: The spans of its training rows.
        store: Where their rows are.

    Returns:
        The rows as JSON by column, with null for missing values; None for a model whose contributions are computed exactly, without rows.
    """
    (_, transform), (_, estimator) = fitted.steps
    if has_exact_contributions(estimator) and origins(transform) is not None:
        return None
    return background_cells(frame_of(features, _drawn(spans, store, list(features.columns))))


def background_cells(frame: "pd.DataFrame") -> bytes:
    """Rows in the form in which a model saves them; at most `BACKGROUND_ROWS`, which are drawn.

    Args:
        frame: The rows as the model takes them.
    """
    if len(frame) > BACKGROUND_ROWS:
        frame = frame.sample(BACKGROUND_ROWS, random_state=SEED)
    cells = {str(name): [None if cell != cell else cell for cell in frame[name].tolist()] for name in frame}
    return json.dumps(cells, allow_nan=False, ensure_ascii=False).encode()


def background_frame(content: bytes, columns: ModelColumns) -> "pd.DataFrame":
    """The rows that `background_of` has drawn, as a model takes them."""
    return raw_frame(json.loads(content), columns.numeric, columns.categorical)


def _drawn(spans: Sequence[Span], store: Store, columns: list[str]) -> "pd.DataFrame":
    """Rows that are drawn from all spans with equal chances, without replacement."""
    import numpy as np
    import pandas as pd

    total = sum(span.rows for span in spans)
    chosen = np.sort(np.random.default_rng(SEED).choice(total, min(total, BACKGROUND_ROWS), replace=False))

    def parts() -> Iterator["pd.DataFrame"]:
        start = 0
        for span in spans:  # one after the other: all rows at once may need much memory
            here = chosen[(chosen >= start) & (chosen < start + span.rows)] - start
            start += span.rows
            if len(here):
                yield read_rows((span,), store, columns).iloc[here]

    return pd.concat(parts(), ignore_index=True)
