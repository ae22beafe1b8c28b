"""How many distinct values a column has, how many of them occur once, and its entropy, from a sample that merges.

The sample is Gibbons' distinct sample (VLDB 2001): every value whose hash lies below a threshold, with its exact number of rows.
"""

import base64
import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from taxiway.records import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Counts = NDArray[np.uint64]
    Floats = NDArray[np.float64]

KEPT = 1024
"""So many values are kept; up to there all figures are exact."""
HASHES = 1 << 64
"""How many hashes there are: the threshold of a sample that holds every value."""


class Estimate(NamedTuple):
    """A figure and its standard error, 0 where it is exact."""

    value: float
    error: float


class DistinctSample(Record):
    """The values of a column whose 64-bit hash is below `threshold`, by hash, with the rows that hold each.

    `hashes` (ascending, 64 bits each) and `counts` (in as few bytes each as the largest needs) are little-endian, as base64.
    """

    threshold: int = HASHES
    hashes: str = ""
    counts: str = ""

    @cached_property
    def unpacked(self) -> "tuple[Hashes, Counts]":
        """Hashes and counts as arrays of one length."""
        import numpy as np

        hashes = np.frombuffer(base64.b64decode(self.hashes), dtype="<u8")
        return hashes, _unpacked(self.counts, len(hashes))

    @property
    def complete(self) -> bool:
        """Whether every value of the column is in it, so that all figures are exact."""
        return self.threshold == HASHES

    @property
    def fraction(self) -> float:
        """The share of all distinct values that the sample holds on average."""
        return self.threshold / HASHES

    def distinct(self, rows: int, known: Sequence[int] = ()) -> Estimate:
        """The number of distinct values over `rows` rows with a value.

        Where it is estimated: from the threshold (3.1 % standard error), or from how many rows a sampled value has, whichever is
        more precise; the latter is exact for a key. `known` as in `entropy`.
        """
        counts = self.unpacked[1]
        if self.complete:
            return Estimate(len(counts), 0.0)
        by_threshold = Estimate(len(counts) / self.fraction, math.sqrt(len(counts) * (1 - self.fraction)) / self.fraction)
        by_rows = self._mean_over_rare_rows(rows, known, 1 / self._rare(rows, known))
        scaled = Estimate(len(known) + rows * by_rows.value, rows * by_rows.error)
        return scaled if scaled.error < by_threshold.error else by_threshold

    def uniqueness(self, rows: int, known: Sequence[int] = ()) -> Estimate:
        """The share of `rows` rows whose value no other row has; `known` as in `entropy`."""
        counts = self.unpacked[1]
        if self.complete:
            return Estimate(int((counts == 1).sum()) / rows if rows else 0.0, 0.0)
        return self._mean_over_rare_rows(rows, known, (self._rare(rows, known) == 1).astype(float))

    def entropy(self, rows: int, known: Sequence[int] = ()) -> Estimate:
        """-sum p ln p in nats over the values of `rows` rows with a value.

        `known` are exact row counts of the most frequent values, where the sample is not complete: only what the others add is
        estimated.
        """
        import numpy as np

        if self.complete:
            return Estimate(_information(self.unpacked[1], rows), 0.0)
        others = self._mean_over_rare_rows(rows, known, -np.log(self._rare(rows, known) / rows))
        exact = _information(np.asarray(known, dtype="uint64"), rows)
        return Estimate(min(exact + others.value, math.log(rows)), others.error)

    def _rare(self, rows: int, known: Sequence[int]) -> "Floats":
        """The counts of the sampled values that are not known: rarer than those, or as rare as the last of them."""
        counts = self.unpacked[1].astype(float)
        last = min(known, default=rows + 1)
        rarer = counts < last
        found: Floats = counts[rarer] if rarer.any() else counts[counts == last]
        return found

    def _mean_over_rare_rows(self, rows: int, known: Sequence[int], of_row: "Floats") -> Estimate:
        """The mean over all rows of a quantity that is `of_row` in the rows of each sampled rare value, and 0 in all others.

        A ratio estimate: what the sampled values have, by their rows (Cochran, Sampling Techniques, chapter 6).
        """
        import numpy as np

        counts, left = self._rare(rows, known), 1 - sum(known) / rows
        if left <= 0:
            return Estimate(0.0, 0.0)
        if not len(counts):
            return Estimate(0.0, left)
        ratio = float((counts * of_row).sum() / counts.sum())
        spread = float(np.sqrt(((counts * (of_row - ratio)) ** 2).sum() * (1 - self.fraction)) / counts.sum())
        return Estimate(left * ratio, left * spread)


def _information(counts: "Counts", rows: int) -> float:
    import numpy as np

    shares = counts[counts > 0].astype(float) / rows
    return max(0.0, -math.fsum((shares * np.log(shares)).tolist()))


def sample(hashes: "Any", counts: "Any", threshold: int) -> DistinctSample:
    """A sample from all values with a hash below `threshold`, each once; it is cut to `KEPT` values."""
    import numpy as np

    hashes, counts = np.asarray(hashes, dtype="uint64"), np.asarray(counts, dtype="uint64")
    order = np.argsort(hashes)
    hashes, counts = hashes[order], counts[order]
    if len(hashes) > KEPT:
        threshold = int(hashes[KEPT])
        hashes, counts = hashes[:KEPT], counts[:KEPT]
    return DistinctSample(
        threshold=threshold, hashes=base64.b64encode(hashes.astype("<u8").tobytes()).decode(), counts=_packed(counts)
    )


def merged_samples(parts: Sequence[DistinctSample]) -> DistinctSample:
    """The sample of the union of all rows: exactly what sampling them together would have given, in any order and grouping."""
    import numpy as np

    if len(parts) == 1:
        return parts[0]
    threshold = min((part.threshold for part in parts), default=HASHES)
    alike: dict[str, list[DistinctSample]] = {}
    for part in parts:
        alike.setdefault(part.hashes, []).append(part)
    # Parts with the same values, as those of a category, need no sorting.
    arrays = [(same[0].unpacked[0], np.sum([part.unpacked[1] for part in same], axis=0)) for same in alike.values()]
    # Of many parts only the smallest hashes are left in the end: a low guess at the new threshold spares sorting the rest.
    guess = max(threshold * 8 // max(len(arrays), 1), 1) if threshold < HASHES else threshold
    while True:
        ends = [len(h) if guess >= HASHES else int(np.searchsorted(h, np.uint64(guess))) for h, _ in arrays]
        hashes, counts = _summed(
            np.concatenate([h[:end] for (h, _), end in zip(arrays, ends, strict=True)] or [np.array([], "uint64")]),
            np.concatenate([c[:end] for (_, c), end in zip(arrays, ends, strict=True)] or [np.array([], "uint64")]),
        )
        if guess >= threshold or len(hashes) > KEPT:
            return sample(hashes, counts, min(guess, threshold))
        guess = threshold if guess * 8 > threshold else guess * 8


def _summed(hashes: "Hashes", counts: "Counts") -> "tuple[Hashes, Counts]":
    """Each hash once, with the sum of its counts."""
    import numpy as np

    if not len(hashes):
        return hashes, counts
    order = np.argsort(hashes)
    hashes, counts = hashes[order], counts[order]
    starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))
    return hashes[starts], np.add.reduceat(counts, starts)


def _packed(numbers: "NDArray[np.uint64]") -> str:
    """Whole numbers as base64, each in as few bytes as the largest needs."""
    import numpy as np

    if not len(numbers):
        return ""
    width = np.min_scalar_type(int(numbers.max())).newbyteorder("<")
    return base64.b64encode(numbers.astype(width).tobytes()).decode()


def _unpacked(text: str, length: int) -> "NDArray[np.uint64]":
    import numpy as np

    content = base64.b64decode(text)
    return np.frombuffer(content, dtype=f"<u{len(content) // length}" if length else "<u8").astype("uint64")
