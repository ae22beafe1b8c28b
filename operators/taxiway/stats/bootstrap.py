"""Intervals by the paired bootstrap: rows are drawn anew, for candidate and champion the same ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.records import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Metric = Callable[[Floats, Floats, Floats], Floats]
    """Scores and labels, one a row, and weights, a row a replicate: gives the metric of each replicate."""

REPLICATES = 400
_BATCH_CELLS = 2_000_000


@dataclass(frozen=True)
class PairedIntervals:
    """One metric's intervals; the champion's and the difference's are None where there is no champion."""

    candidate: Interval
    champion: Interval | None
    difference: Interval | None


def compare(
    metric: "Metric", labels: "Floats", candidate: "Floats", champion: "Floats | None", confidence: float
) -> PairedIntervals:
    """Estimate `metric` with the bootstrap standard interval at `confidence` (Efron 1979), two-sided.

    The standard error comes from 400 replicates drawn with a fixed seed, the interval from the normal distribution: extreme
    quantiles, which many slices need, are then not read off a handful of replicates. All arrays have one entry a row. A metric
    that cannot be computed (one class only) gives NaN bounds.
    """
    import numpy as np

    sides = [candidate] if champion is None else [candidate, champion]
    ones = np.ones((1, len(labels)))
    values = np.array([metric(side, labels, ones)[0] for side in sides])
    draws = np.hstack([_replicates(metric, labels, sides, count, rng) for count, rng in _batches(len(labels))])
    z = _z(confidence)

    def interval(value: float, drawn: "Floats") -> Interval:
        margin = z * float(np.std(drawn, ddof=1))
        return Interval(value=float(value), low=float(value) - margin, high=float(value) + margin, rows=len(labels))

    first = interval(values[0], draws[0])
    if champion is None:
        return PairedIntervals(first, None, None)
    return PairedIntervals(first, interval(values[1], draws[1]), interval(values[0] - values[1], draws[0] - draws[1]))


def _z(confidence: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + confidence) / 2)


def _batches(rows: int) -> "Iterator[tuple[int, np.random.Generator]]":
    """How many replicates to draw at a time, so that their weights fit into memory, and from which seed."""
    import numpy as np

    each = min(REPLICATES, max(1, _BATCH_CELLS // rows))
    for start in range(0, REPLICATES, each):
        yield min(each, REPLICATES - start), np.random.default_rng([20130101, start])


def _replicates(metric: "Metric", labels: "Floats", sides: "list[Floats]", count: int, rng: "np.random.Generator") -> "Floats":
    import numpy as np

    rows = len(labels)
    weights = np.stack([np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(count)]).astype(float)
    return np.stack([metric(side, labels, weights) for side in sides])
