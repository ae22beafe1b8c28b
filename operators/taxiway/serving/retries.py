"""When to try again what failed: soon at first, then less and less often."""

import time
from collections.abc import Callable

_LONGEST_S = 30.0


class Retry:
    """The time of the next try. The delay doubles with each failure, up to 30 s.

    Args:
        first_s: The first delay in seconds.
        clock: The time in seconds.
    """

    def __init__(self, first_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._first_s = first_s
        self._clock = clock
        self._at = float("-inf")
        self._delay_s = first_s

    @property
    def due(self) -> bool:
        """Whether it is time for another try."""
        return not self.wait_s

    @property
    def wait_s(self) -> float:
        """The seconds until the next try; 0 if it is time for it."""
        return max(0.0, self._at - self._clock())

    def failed(self) -> None:
        """Note a failure."""
        self._at = self._clock() + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LONGEST_S)

    def reset(self) -> None:
        """Try at once, and begin with the first delay again."""
        self._at, self._delay_s = float("-inf"), self._first_s
