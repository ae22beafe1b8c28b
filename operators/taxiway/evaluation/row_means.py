"""The means over the evaluation rows that conditions are about: of candidate, champion, and their disagreement."""

from typing import TYPE_CHECKING

from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.metrics.labels import right_rows
from taxiway.evaluation.metrics.own import OwnMetricFunction
from taxiway.evaluation.metrics.probabilities import brier_rows, clipped_log_loss_rows
from taxiway.evaluation.predictions import Predictions
from taxiway.records import RowMeans
from taxiway.spec.conditions.entry import METRICS_BY_ROW
from taxiway.stats.bounds import effective_groups

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BY_ROW = {"accuracy": right_rows, "brier": brier_rows, "clipped_log_loss": clipped_log_loss_rows}
assert _BY_ROW.keys() == {*METRICS_BY_ROW}


def row_means(comparison: Comparison) -> tuple[RowMeans, ...]:
    """The means for each metric of the gate's conditions; rows of a group count as `taxiway.stats.bounds.effective_groups` says."""
    return tuple(
        _of_metric(comparison, metric) for metric in dict.fromkeys(entry.metric for entry in comparison.gate.conditions)
    )


def _of_metric(comparison: Comparison, metric: str) -> RowMeans:
    import numpy as np

    rows = len(comparison.labels)
    units = float(rows) if comparison.groups is None else effective_groups(np.bincount(comparison.groups).tolist())
    new = _values(comparison, comparison.candidate, metric)
    if comparison.champion is None:
        return RowMeans(metric=metric, rows=rows, units=units, candidate=float(new.mean()))
    old = _values(comparison, comparison.champion, metric)
    return RowMeans(
        metric=metric,
        rows=rows,
        units=units,
        candidate=float(new.mean()),
        champion=float(old.mean()),
        disagreement=_disagreement(comparison.candidate, comparison.champion),
        variance=float((new - old).var(ddof=1)) if rows > 1 else 0.0,
    )


def _disagreement(candidate: Predictions, champion: Predictions) -> float | None:
    """The share of rows with different predicted classes; None for a regression, which has none."""
    if candidate.predicted is None or champion.predicted is None:
        return None
    return float((candidate.predicted != champion.predicted).mean())


def _values(comparison: Comparison, predictions: Predictions, metric: str) -> "Floats":
    """The metric of each row."""
    own = comparison.gate.metrics.get(metric)
    if own is not None:
        return OwnMetricFunction(metric, own, comparison.classes, comparison.rows).by_row(predictions, comparison.labels)
    return _BY_ROW[metric](predictions, comparison.labels)
