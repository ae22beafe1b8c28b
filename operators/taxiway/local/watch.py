"""Starts the parts of a stack in order, and replaces those that end or hang. What a part is made of is in `parts`."""

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from taxiway.errors import StackStartError, TaxiwayError


class Health(Enum):
    """The result of a health check; UNKNOWN if it says nothing about the part, because another part does not answer."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class Part(Protocol):
    """A part of a stack, such as MLflow.

    Attributes:
        name: Its name.
        needs: The names of the parts that must be healthy before it can start, and without which it cannot be healthy.
    """

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    def start(self) -> None:
        """Start it; it has never run, or has ended."""

    def ended(self) -> str:
        """How it ended, such as `exited with code 1`; empty while it runs."""

    def check(self) -> Health:
        """Check its health; this may take seconds, and runs in a thread."""

    def end(self) -> None:
        """End all its processes that are left."""

    def end_of_log(self) -> str:
        """The last lines of its log, for messages; empty if it has none."""


@dataclass(frozen=True)
class Limits:
    """How long parts are waited for, and how often they are replaced.

    Attributes:
        start_s: How long a part may take until it is healthy for the first time.
        told_s: How long a part is unhealthy before this is reported.
        hang_s: How long a part is unhealthy before it is replaced.
        restarts: How often a part is replaced within `within_s` before the stack is given up.
        within_s: See `restarts`.
        look_s: The time between two health checks of a healthy part.
    """

    start_s: float = 900.0
    told_s: float = 15.0
    hang_s: float = 120.0
    restarts: int = 5
    within_s: float = 600.0
    look_s: float = 2.0


class _State(Enum):
    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass
class _Watched:
    part: Part
    state: _State = _State.WAITING
    since: float = 0.0
    told: bool = False
    lost: list[float] = field(default_factory=list)
    check: "Future[Health] | None" = None
    next_check: float = 0.0

    def enter(self, state: _State) -> None:
        self.state, self.since, self.told = state, time.monotonic(), False


class Watch:
    """The parts of a stack and their states; call `step` again and again.

    Args:
        parts: The parts, in the order of their starts.
        emit: Takes each event: `starting`, `healthy`, `unhealthy` or `restarting`, with the part's name and details.
        limits: The limits.
        healthy: The names of parts that run already.
    """

    def __init__(
        self, parts: Iterable[Part], emit: Callable[..., None], limits: Limits | None = None, healthy: Collection[str] = ()
    ) -> None:
        self._watched = {part.name: _Watched(part) for part in parts}
        self._emit = emit
        self._limits = limits or Limits()
        self._pool = ThreadPoolExecutor(len(self._watched))
        self.ready = False
        for name in healthy:
            self._watched[name].enter(_State.HEALTHY)

    def step(self) -> None:
        """Look at each part once, and start or replace it if needed.

        Raises:
            StackStartError: A part ended or hung while the stack started, or was replaced too often.
        """
        for watched in self._watched.values():
            if watched.state is _State.WAITING:
                self._start_if_possible(watched)
            elif why := watched.part.ended():
                self._replace(watched, why)
            else:
                self._judge(watched)
        if not self.ready and all(watched.state is _State.HEALTHY for watched in self._watched.values()):
            self.ready = True

    def close(self) -> None:
        """Check no more; the parts are left as they are."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _can_be_healthy(self, watched: _Watched) -> bool:
        return all(self._watched[name].state is _State.HEALTHY for name in watched.part.needs)

    def _start_if_possible(self, watched: _Watched) -> None:
        if not self._can_be_healthy(watched):
            return
        self._emit(event="starting", service=watched.part.name)
        watched.enter(_State.STARTING)
        watched.check, watched.next_check = None, 0.0
        try:
            watched.part.start()
        except TaxiwayError as error:
            if not self.ready:
                raise
            self._replace(watched, f"did not start: {error}")

    def _judge(self, watched: _Watched) -> None:
        now, limits, health = time.monotonic(), self._limits, self._check_health(watched)
        if health is Health.GOOD and watched.state is not _State.HEALTHY:
            self._emit(event="healthy", service=watched.part.name, seconds=now - watched.since)
            watched.enter(_State.HEALTHY)
        elif health is Health.BAD and watched.state is _State.HEALTHY and self._can_be_healthy(watched):
            watched.enter(_State.UNHEALTHY)
        elif watched.state is _State.UNHEALTHY and (health is Health.UNKNOWN or not self._can_be_healthy(watched)):
            watched.since = now  # the time in which another part fails does not count
        age = now - watched.since
        if watched.state is _State.STARTING and age > limits.start_s:
            self._replace(watched, f"was not healthy {limits.start_s:.0f} s after its start")
        elif watched.state is _State.UNHEALTHY and age > limits.hang_s:
            self._replace(watched, f"runs, but was not healthy for {limits.hang_s:.0f} s")
        elif watched.state is _State.UNHEALTHY and age > limits.told_s and not watched.told:
            watched.told = True
            self._emit(event="unhealthy", service=watched.part.name, seconds=limits.hang_s)

    def _check_health(self, watched: _Watched) -> Health | None:
        """The result of a health check, if one has ended; the next one is begun when it is time."""
        now = time.monotonic()
        if watched.check is None and now >= watched.next_check:
            watched.check = self._pool.submit(watched.part.check)
        if watched.check is None or not watched.check.done():
            return None
        health = watched.check.result()
        watched.check = None
        watched.next_check = now + (self._limits.look_s if watched.state is _State.HEALTHY else 0.2)
        return health

    def _replace(self, watched: _Watched, why: str) -> None:
        name, now, limits = watched.part.name, time.monotonic(), self._limits
        if not self.ready:
            raise StackStartError(f"{name} {why} while starting{watched.part.end_of_log()}")
        watched.lost = [at for at in watched.lost if now - at < limits.within_s]
        if len(watched.lost) >= limits.restarts:
            raise StackStartError(
                f"{name} {why}, and was restarted {limits.restarts} times in the last {limits.within_s / 60:g} minutes"
                f"{watched.part.end_of_log()}"
            )
        watched.lost.append(now)
        self._emit(event="restarting", service=name, detail=why, count=len(watched.lost), limit=limits.restarts)
        watched.part.end()
        watched.enter(_State.WAITING)
