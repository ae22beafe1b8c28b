"""ADWIN2: a window over a stream of numbers that is as long as its mean has not changed (Bifet and Gavaldà, SDM 2007).

The window is kept as an exponential histogram: buckets of 1, 2, 4, ... elements, of which only the sum and the squared deviations
are known. So a stream of n elements takes O(log n) memory, and a check compares O(log n) pairs of an older and a newer part.
"""

import math
from collections import deque
from dataclasses import dataclass

MAX_BUCKETS = 5
"""The most buckets of a size, before the two oldest become one of the next size."""
CLOCK = 32
"""A check is made after so many elements."""
MIN_PART = 5
"""The fewest elements of a part that is compared."""
_GRACE = 10  # elements before the first check


@dataclass(frozen=True)
class Bucket:
    """Some consecutive elements.

    Attributes:
        total: Their sum.
        deviations: The sum of the squared deviations from their mean.
    """

    total: float
    deviations: float


class Adwin:
    """The window, for numbers between 0 and 1.

    A change is found if the means of an older and a newer part differ by more than Bernstein's bound for their sizes, with the
    variance of the window and with `delta` divided by the number of cuts; the older part is dropped then, bucket by bucket.

    Args:
        delta: The probability of a change that is not there, for each length of the window, if the elements are independent.
        clock: How often to check, in elements.
    """

    def __init__(self, delta: float, clock: int = CLOCK) -> None:
        self._delta = delta
        self._clock = clock
        self._sizes: list[deque[Bucket]] = [deque()]
        self._seen = 0
        self.width = 0
        self.total = 0.0
        self.deviations = 0.0

    @property
    def mean(self) -> float:
        """The mean of the elements in the window."""
        return self.total / self.width if self.width else 0.0

    def add(self, value: float) -> bool:
        """Add the next element; returns whether a change was found.

        Args:
            value: A number, in [0, 1].
        """
        self._sizes[0].append(Bucket(value, 0.0))
        if self.width:
            self.deviations += self.width * (value - self.mean) ** 2 / (self.width + 1)
        self.width += 1
        self.total += value
        self._merge_oldest()
        self._seen += 1
        if self._seen % self._clock or self.width <= _GRACE:
            return False
        found = False
        while self._has_cut():
            self._drop_oldest()
            found = True
        return found

    def _merge_oldest(self) -> None:
        """Where there are too many buckets of a size, make one of the next size of the two oldest."""
        for level, buckets in enumerate(self._sizes):
            if len(buckets) <= MAX_BUCKETS:
                return
            first, second, size = buckets.popleft(), buckets.popleft(), 2**level
            between = (first.total - second.total) ** 2 / (2 * size)
            if level + 1 == len(self._sizes):
                self._sizes.append(deque())
            merged = Bucket(first.total + second.total, first.deviations + second.deviations + between)
            self._sizes[level + 1].append(merged)

    def _has_cut(self) -> bool:
        """Whether the means of an older and a newer part differ by more than the bound."""
        if self.width < 2 * MIN_PART:
            return False
        log_term = math.log(2 * math.log(self.width) / self._delta)
        spread, older, sum_older = 2 * log_term * self.deviations / self.width, 0, 0.0
        for level in range(len(self._sizes) - 1, -1, -1):
            for bucket in self._sizes[level]:
                older += 2**level
                sum_older += bucket.total
                newer = self.width - older
                if newer < MIN_PART:
                    return False
                if older >= MIN_PART:
                    inverse = 1 / (older - MIN_PART + 1) + 1 / (newer - MIN_PART + 1)
                    bound = math.sqrt(spread * inverse) + 2 / 3 * log_term * inverse
                    if abs(sum_older / older - (self.total - sum_older) / newer) > bound:
                        return True
        return False

    def _drop_oldest(self) -> None:
        level = len(self._sizes) - 1
        oldest, size = self._sizes[level].popleft(), 2**level
        if not self._sizes[level] and level:
            self._sizes.pop()
        self.width -= size
        self.total -= oldest.total
        between = size * self.width * (oldest.total / size - self.mean) ** 2 / (size + self.width)
        self.deviations = max(0.0, self.deviations - oldest.deviations - between)
