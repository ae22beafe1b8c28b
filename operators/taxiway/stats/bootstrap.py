"""Confidence intervals by the paired bootstrap: the same resampled rows for candidate and champion."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from taxiway.records import Interval
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Metric = Callable[[Any, Floats, Floats], Floats]
    """A function of predictions for n rows, labels (n) and weights (replicates, n) that returns the metric of each replicate."""

REPLICATES = 400
METHOD = f"bootstrap, standard interval, {REPLICATES} replicates (Clopper and Pearson if few rows decide)"
"""The intervals of `compare` and `taxiway.evaluation.metrics.few_rows`, for people."""
MIN_GROUPS = 20
"""With fewer groups, intervals by the cluster bootstrap are too narrow (Cameron, Gelbach and Miller 2008)."""
_BATCH_CELLS = 2_000_000


@dataclass(frozen=True)
class PairedIntervals:
    """The intervals of one metric.

    Attributes:
        candidate: Of the candidate.
        champion: Of the champion; None without one.
        difference: Of candidate minus champion; None without a champion.
        others: For each of the others its interval, and that of candidate minus it.
    """

    candidate: Interval
    champion: Interval | None
    difference: Interval | None
    others: tuple[tuple[Interval, Interval], ...] = ()


def compare(
    metric: "Metric",
    labels: "Floats",
    candidate: Any,
    champion: Any,
    confidence: float,
    groups: "NDArray[np.intp] | None" = None,
    others: Sequence[Any] = (),
) -> PairedIntervals:
    """Estimate a metric with two-sided bootstrap standard intervals (Efron 1979).

    The standard error comes from 400 replicates with a fixed seed, and the interval from the normal distribution: the extreme
    quantiles that many slices need cannot be estimated from 400 replicates. With groups, whole groups are resampled (the cluster
    bootstrap, Davison and Hinkley 1997, section 3.8), because rows of one group are not independent.

    Args:
        metric: The metric.
        labels: The labels, one for each row.
        candidate: The candidate's predictions for the rows.
        champion: The champion's predictions for the rows; None without a champion.
        confidence: The confidence level, such as 0.99.
        groups: The number of each row's group, from 0; None if each row is on its own.
        others: More predictions to compare those of the candidate with, on the same replicates.

    Returns:
        The intervals; NaN bounds if the metric cannot be computed for some replicate, as with only one class.
    """
    import numpy as np

    sides = [candidate, *([] if champion is None else [champion]), *others]
    ones = np.ones((1, len(labels)))
    values = np.array([metric(side, labels, ones)[0] for side in sides])
    draws = np.hstack(
        [_replicates(metric, labels, sides, _drawn(len(labels), groups, *batch)) for batch in _batches(len(labels))]
    )

    def interval(value: float, drawn: "Floats") -> Interval:
        return standard_interval(float(value), float(np.std(drawn, ddof=1)), confidence, len(labels))

    first, *rest = (interval(*side) for side in zip(values, draws, strict=True))
    differences = [interval(values[0] - value, draws[0] - drawn) for value, drawn in zip(values[1:], draws[1:], strict=True)]
    against = tuple(zip(rest, differences, strict=True))
    if champion is None:
        return PairedIntervals(first, None, None, against)
    return PairedIntervals(first, *against[0], against[1:])


def covariances(
    metric: "Metric", labels: "Floats", sides: Sequence[Any], groups: "NDArray[np.intp] | None" = None
) -> "tuple[Floats, Floats]":
    """The values of a metric for several predictions of the same rows, and their covariances by the paired bootstrap.

    Args:
        metric: The metric.
        labels: The labels, one for each row.
        sides: The predictions for the rows, of each model.
        groups: The number of each row's group, from 0; None if each row is on its own. Whole groups are resampled.

    Returns:
        The values (models), and their covariances (models, models).
    """
    import numpy as np

    ones = np.ones((1, len(labels)))
    values = np.array([metric(side, labels, ones)[0] for side in sides])
    batches = _batches(len(labels))
    draws = np.hstack([_replicates(metric, labels, [*sides], _drawn(len(labels), groups, *batch)) for batch in batches])
    return values, np.atleast_2d(np.cov(draws))


def standard_interval(value: float, error: float, confidence: float, rows: int) -> Interval:
    """The two-sided interval of an estimate that is distributed normally.

    Args:
        value: The estimate.
        error: Its standard error.
        confidence: The confidence level, such as 0.99.
        rows: The rows that it was estimated from.
    """
    margin = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Interval(value=value, low=value - margin, high=value + margin, rows=rows)


def within(interval: Interval, low: float, high: float) -> Interval:
    """An interval that ends at the smallest and the largest possible value. NaN bounds stay as they are."""
    ends = {
        name: value if math.isnan(value) else min(max(value, low), high)
        for name, value in (("low", interval.low), ("high", interval.high))
    }
    return interval.model_copy(update=ends)


def _batches(rows: int) -> "Iterator[tuple[int, np.random.Generator]]":
    """Batches of replicates whose weights fit into memory: their number, and a seeded generator."""
    import numpy as np

    each = min(REPLICATES, max(1, _BATCH_CELLS // rows))
    for start in range(0, REPLICATES, each):
        yield min(each, REPLICATES - start), np.random.default_rng([SEED, start])


def _drawn(rows: int, groups: "NDArray[np.intp] | None", count: int, rng: "np.random.Generator") -> "Floats":
    """How often each row is drawn in each of `count` replicates (count, rows)."""
    import numpy as np

    units = rows if groups is None else int(groups.max()) + 1
    weights = np.empty((count, units))
    for replicate, drawn in zip(weights, rng.integers(0, units, (count, units)), strict=True):
        replicate[:] = np.bincount(drawn, minlength=units)
    return weights if groups is None else weights[:, groups]


def _replicates(metric: "Metric", labels: "Floats", sides: list[Any], weights: "Floats") -> "Floats":
    import numpy as np

    return np.stack([metric(side, labels, weights) for side in sides])
