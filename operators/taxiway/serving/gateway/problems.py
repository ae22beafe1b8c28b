"""What is wrong at the moment. A problem is logged once when it begins and once when it ends, however often it is noticed."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from taxiway.messages import counted

log = logging.getLogger(__name__)

_QUIET_S = 10.0


@dataclass
class _Problem:
    message: str
    about: str
    seen_at: float
    times: int = 1


class Problems:
    """The problems of one part of the gateway. It may be used by several threads.

    Args:
        name: The part, such as a model; it begins each line of the log.
        clock: The time in seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._current: dict[str, _Problem] = {}

    @property
    def text(self) -> str:
        """The messages of all problems; empty if there is none."""
        return "; ".join(problem.message for problem in list(self._current.values()))

    def begin(self, kind: str, message: str, about: str = "", error: Exception | None = None) -> None:
        """Note a problem. It is logged if there was none of its kind, or one about something else.

        Args:
            kind: The kind of the problem; there is at most one of a kind.
            message: What is wrong, for `text` and the log.
            about: What the problem is about, such as a version.
            error: An unexpected exception, which is logged with its traceback.
        """
        known = self._current.get(kind)
        if known is None or known.about != about:
            log.warning("%s: %s", self._name, message, exc_info=error)
            self._current[kind] = _Problem(message, about, self._clock())
        else:
            known.message, known.seen_at = message, self._clock()
            known.times += 1

    def end(self, kind: str) -> None:
        """Note that there is no problem of this kind any more."""
        problem = self._current.pop(kind, None)
        if problem is not None:
            log.info("%s: resolved, after it was noticed %s: %s", self._name, counted(problem.times, "time"), problem.message)

    def end_if_quiet(self, kind: str) -> None:
        """End a problem that was last noted more than 10 s ago, such as requests that are refused now and then."""
        problem = self._current.get(kind)
        if problem is not None and self._clock() - problem.seen_at > _QUIET_S:
            self.end(kind)
