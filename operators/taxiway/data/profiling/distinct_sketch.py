"""The number of distinct values, the uniqueness and the entropy of a column, from a sample of its values that can be merged.

The sample is the distinct sample of Gibbons (VLDB 2001): every value whose hash is below a threshold, with its exact number of
rows.
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
"""The size of a sample, in values. Up to this number of distinct values, all estimates are exact."""
HASHES = 1 << 64
"""The number of possible hashes, which is the threshold of a sample with every value."""


class Estimate(NamedTuple):
    """An estimate with its standard error.

    Attributes:
        value: The estimate.
        error: Its standard error; 0 if the value is exact.
    """

    value: float
    error: float


class DistinctSample(Record):
    """The values of a column whose 64-bit hash is below a threshold, with the number of rows of each.

    Attributes:
        threshold: The threshold, at most 2**64.
        hashes: The hashes of the values in ascending order, as base64 of little-endian 64-bit integers.
        counts: The number of rows of each value, as base64 of little-endian integers, each of as few bytes as the largest
            needs.
    """

    threshold: int = HASHES
    hashes: str = ""
    counts: str = ""

    @cached_property
    def unpacked(self) -> "tuple[Hashes, Counts]":
        """The hashes and the counts, as arrays of the same length."""
        import numpy as np

        hashes = np.frombuffer(base64.b64decode(self.hashes), dtype="<u8")
        return hashes, _unpack(self.counts, len(hashes))

    @property
    def complete(self) -> bool:
        """Whether the sample has every value of the column, so that all estimates are exact."""
        return self.threshold == HASHES

    @property
    def fraction(self) -> float:
        """The expected fraction of the distinct values that are in the sample."""
        return self.threshold / HASHES

    def distinct(self, rows: int, known: Sequence[int] = ()) -> Estimate:
        """Estimate the number of distinct values.

        The estimate is made from the threshold (standard error: 3.1%), or from the number of rows of each sampled value, which
        is exact for a key. The one with the smaller standard error is returned.

        Args:
            rows: The number of rows with a value.
            known: The exact row counts of the most frequent values; see `entropy`.
        """
        counts = self.unpacked[1]
        if self.complete:
            return Estimate(len(counts), 0.0)
        by_threshold = Estimate(len(counts) / self.fraction, math.sqrt(len(counts) * (1 - self.fraction)) / self.fraction)
        by_rows = self._mean_over_rare_rows(rows, known, 1 / self._rare(rows, known))
        scaled = Estimate(len(known) + rows * by_rows.value, rows * by_rows.error)
        return scaled if scaled.error < by_threshold.error else by_threshold

    def uniqueness(self, rows: int, known: Sequence[int] = ()) -> Estimate:
        """Estimate the fraction of rows whose value occurs in no other row.

        Args:
            rows: The number of rows with a value.
            known: The exact row counts of the most frequent values; see `entropy`.
        """
        counts = self.unpacked[1]
        if self.complete:
            return Estimate(int((counts == 1).sum()) / rows if rows else 0.0, 0.0)
        return self._mean_over_rare_rows(rows, known, (self._rare(rows, known) == 1).astype(float))

    def entropy(self, rows: int, known: Sequence[int] = ()) -> Estimate:
        """Estimate the entropy, -sum(p ln p), in nats.

        Args:
            rows: The number of rows with a value.
            known: The exact row counts of the most frequent values. If the sample is not complete, only the contribution of the
                other values is estimated.
        """
        import numpy as np

        if self.complete:
            return Estimate(_information(self.unpacked[1], rows), 0.0)
        others = self._mean_over_rare_rows(rows, known, -np.log(self._rare(rows, known) / rows))
        exact = _information(np.asarray(known, dtype="uint64"), rows)
        return Estimate(min(exact + others.value, math.log(rows)), others.error)

    def _rare(self, rows: int, known: Sequence[int]) -> "Floats":
        """The counts of the sampled values that are rarer than the known ones, or else as rare as the rarest known one."""
        counts = self.unpacked[1].astype(float)
        last = min(known, default=rows + 1)
        rarer = counts < last
        found: Floats = counts[rarer] if rarer.any() else counts[counts == last]
        return found

    def _mean_over_rare_rows(self, rows: int, known: Sequence[int], of_row: "Floats") -> Estimate:
        """Estimate the mean over all rows of a quantity that is 0 in the rows of known values.

        This is a ratio estimate: the sum over the sampled values, divided by their rows (Cochran, Sampling Techniques, chapter
        6).

        Args:
            rows: The number of rows with a value.
            known: The exact row counts of the most frequent values.
            of_row: The quantity in each row of a sampled rare value, in the order of `_rare`.
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
    """Create a sample of at most `KEPT` values.

    Args:
        hashes: The hashes of all values whose hash is below the threshold, each once, in any order.
        counts: The number of rows of each.
        threshold: The threshold; it is reduced if there are more than `KEPT` values.
    """
    import numpy as np

    hashes, counts = np.asarray(hashes, dtype="uint64"), np.asarray(counts, dtype="uint64")
    order = np.argsort(hashes)
    hashes, counts = hashes[order], counts[order]
    if len(hashes) > KEPT:
        threshold = int(hashes[KEPT])
        hashes, counts = hashes[:KEPT], counts[:KEPT]
    return DistinctSample(
        threshold=threshold, hashes=base64.b64encode(hashes.astype("<u8").tobytes()).decode(), counts=_pack(counts)
    )


def merge_samples(parts: Sequence[DistinctSample]) -> DistinctSample:
    """Merge samples.

    Returns:
        Exactly the sample of the union of the rows, in any order and grouping of the parts.
    """
    import numpy as np

    if len(parts) == 1:
        return parts[0]
    threshold = min((part.threshold for part in parts), default=HASHES)
    alike: dict[str, list[DistinctSample]] = {}
    for part in parts:
        alike.setdefault(part.hashes, []).append(part)
    # Parts with the same values, as those of a categorical column, need no sorting.
    arrays = [(same[0].unpacked[0], np.sum([part.unpacked[1] for part in same], axis=0)) for same in alike.values()]
    # Only the smallest hashes of many parts are kept, so a low guess at the new threshold saves sorting the others.
    guess = max(threshold * 8 // max(len(arrays), 1), 1) if threshold < HASHES else threshold
    while True:
        ends = [len(h) if guess >= HASHES else int(np.searchsorted(h, np.uint64(guess))) for h, _ in arrays]
        hashes, counts = _sum_by_hash(
            np.concatenate([h[:end] for (h, _), end in zip(arrays, ends, strict=True)] or [np.array([], "uint64")]),
            np.concatenate([c[:end] for (_, c), end in zip(arrays, ends, strict=True)] or [np.array([], "uint64")]),
        )
        if guess >= threshold or len(hashes) > KEPT:
            return sample(hashes, counts, min(guess, threshold))
        guess = threshold if guess * 8 > threshold else guess * 8


def _sum_by_hash(hashes: "Hashes", counts: "Counts") -> "tuple[Hashes, Counts]":
    """Each hash once, with the sum of its counts."""
    import numpy as np

    if not len(hashes):
        return hashes, counts
    order = np.argsort(hashes)
    hashes, counts = hashes[order], counts[order]
    starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))
    return hashes[starts], np.add.reduceat(counts, starts)


def _pack(numbers: "NDArray[np.uint64]") -> str:
    """Integers as base64, each of as few bytes as the largest needs."""
    import numpy as np

    if not len(numbers):
        return ""
    width = np.min_scalar_type(int(numbers.max())).newbyteorder("<")
    return base64.b64encode(numbers.astype(width).tobytes()).decode()


def _unpack(text: str, length: int) -> "NDArray[np.uint64]":
    import numpy as np

    content = base64.b64decode(text)
    return np.frombuffer(content, dtype=f"<u{len(content) // length}" if length else "<u8").astype("uint64")
