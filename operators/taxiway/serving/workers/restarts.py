"""When a process that has ended is replaced: at once, unless one after another ends soon after its start."""

import time
from collections.abc import Callable

from taxiway.serving.retries import Retry

SOON_S = 10.0
"""A process that ended within so many seconds ended soon after its start."""
_AT_ONCE = 5
_FIRST_S = 1.0


class Restarts:
    """Counts the processes in a row that ended soon after their start, and delays the replacement from the sixth on.

    A request that ends its process ends two, because it is retried alone; so two such requests delay nobody else.

    Args:
        clock: The time in seconds.

    Attributes:
        ended_soon: How many processes in a row ended soon after their start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._retry = Retry(_FIRST_S, clock)
        self._started_at = float("-inf")
        self.ended_soon = 0

    @property
    def wait_s(self) -> float:
        """The seconds until the next process may be started; 0 if it may be now."""
        return self._retry.wait_s

    def started(self) -> None:
        """Note the start of a process."""
        self._started_at = self._clock()

    def ended(self) -> None:
        """Note that the process has ended, or has not loaded its model."""
        if self._clock() - self._started_at > SOON_S:
            self.ended_soon = 0
            self._retry.reset()
        self.ended_soon += 1
        if self.ended_soon > _AT_ONCE:
            self._retry.failed()
