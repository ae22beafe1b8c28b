"""Metrics by slice: for each value of some columns, with confidence intervals."""

import math
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.evaluation.metrics import METRICS
from taxiway.records import SliceResult
from taxiway.spec.gate import Gate
from taxiway.stats.bootstrap import compare

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def results_by_slice(
    rows: "pd.DataFrame", labels: "Floats", ours: "Floats", theirs: "Floats", gate: Gate
) -> tuple[SliceResult, ...]:
    """The difference of candidate and champion in each slice, with simultaneous intervals (Bonferroni).

    Args:
        rows: The evaluation rows, with the columns of `gate.slices.by`.
        labels: The true labels, one for each row.
        ours: The candidate's scores, one for each row.
        theirs: The champion's scores, one for each row.
        gate: The gate section of the pipeline.

    Returns:
        One result for each value of each column; without a difference if the slice has too few rows, or only one label.

    Raises:
        DataError: A column of `gate.slices.by` is missing in the rows.
    """
    if gate.slices is None:
        return ()
    missing = [column for column in gate.slices.by if column not in rows]
    if missing:
        raise DataError(
            f"gate.slices.by has {', '.join(missing)}, missing in the evaluation rows; remove it, or add the column to the source"
        )
    metric = METRICS[gate.against_champion.metric]
    groups = [
        (column, str(value), index)
        for column in gate.slices.by
        for value, index in sorted(
            rows.groupby(column, observed=True, dropna=False).indices.items(), key=lambda item: str(item[0])
        )
    ]
    large = sum(len(index) >= gate.slices.min_rows for _, _, index in groups)
    shared = 1 - (1 - gate.confidence) / max(large, 1)
    found = []
    for column, value, index in groups:
        comparable = len(index) >= gate.slices.min_rows and labels[index].min() < labels[index].max()
        difference = (
            compare(metric.compute, labels[index], ours[index], theirs[index], shared).difference if comparable else None
        )
        if difference is not None and not math.isfinite(difference.low):
            difference = None  # so few rows of one label that some replicate does not have it
        found.append(
            SliceResult(
                metric=metric.name, column=column, value=value, rows=len(index), confidence=shared, difference=difference
            )
        )
    return tuple(found)
