"""Metrics by slice: for each value of some columns, with confidence intervals."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError
from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.groups import require_single_values
from taxiway.records import Interval, SliceResult
from taxiway.spec.gate import Gate

if TYPE_CHECKING:
    import pandas as pd


def results_by_slice(rows: "pd.DataFrame", comparison: Comparison, gate: Gate) -> tuple[SliceResult, ...]:
    """The difference of candidate and champion in each slice, with simultaneous intervals (Bonferroni).

    Args:
        rows: The evaluation rows, with the columns of `gate.slices.by`.
        comparison: The predictions of both for these rows.
        gate: The gate section of the pipeline.

    Returns:
        One result for each value of each column; without a difference if the slice has too few rows or groups of rows, or only one label.

    Raises:
        DataError: A column of `gate.slices.by` is missing in the rows, or has lists or structs.
    """
    if gate.slices is None:
        return ()
    missing = [column for column in gate.slices.by if column not in rows]
    if missing:
        raise DataError(
            f"gate.slices.by has {', '.join(missing)}, missing in the evaluation rows; remove it, or add the column to the source"
        )
    for column in gate.slices.by:
        require_single_values(rows, column, "gate.slices.by")
    metric, min_rows = gate.comparison_metric, gate.slices.min_rows
    slices = [found for column in gate.slices.by for found in _slices_of(rows, column)]
    large_enough = [len(index) >= min_rows and comparison.take(index).has_enough_groups for _, _, index in slices]
    confidence = 1 - (1 - gate.confidence) / max(sum(large_enough), 1)
    results = []
    for (column, value, index), compared in zip(slices, large_enough, strict=True):
        difference = _difference(metric, comparison.take(index), confidence) if compared else None
        results.append(
            SliceResult(
                metric=metric, column=column, value=value, rows=len(index), confidence=confidence, difference=difference
            )
        )
    return tuple(results)


def _slices_of(rows: "pd.DataFrame", column: str) -> "Iterator[tuple[str, str, Any]]":
    """The column, the value as text and the positions of the rows of each slice, in the order of the values."""
    indices = rows.groupby(column, observed=True, dropna=False).indices
    for value, index in sorted(indices.items(), key=lambda item: str(item[0])):
        yield column, str(value), index


def _difference(metric: str, comparison: Comparison, confidence: float) -> Interval | None:
    """Candidate minus champion in one slice; None if all labels are equal, or too few rows differ for an interval."""
    if not comparison.labels.min() < comparison.labels.max():
        return None
    difference = comparison.intervals(metric, confidence).difference
    # With few rows of one label, a bootstrap replicate may have none, and its metric is NaN.
    return difference if difference is not None and math.isfinite(difference.low) else None
