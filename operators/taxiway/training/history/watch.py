"""Watches a fit while it runs: reports its progress, and stops it if a rule of `model.stop_on` finds a mistake."""

import logging
import time
from collections.abc import Callable, Sequence

from taxiway.spec.model.section import StopRule
from taxiway.training.history.curves import Curve
from taxiway.training.history.rules import STOPPING

_log = logging.getLogger(__name__)
PROGRESS = __name__
"""The name of the logger of the progress: DEBUG for a terminal, which shows the newest line only, INFO for a task's log."""
_EVERY_S = 30.0
_IN_TERMINAL_S = 0.5
_CHECKS = 100


class Watch:
    """The progress and the rules of one fit.

    Args:
        stop_on: The rules that stop it.
        total: The number of iterations that are planned; None if it is not known.
        clock: Returns the time in seconds.

    Attributes:
        stopped: Why it was stopped; None if it was not.
        printed: The curves of an estimator that prints its history.
    """

    def __init__(
        self, stop_on: Sequence[StopRule] = (), total: int | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stop_on = tuple(stop_on)
        self.stopped: str | None = None
        self.printed: tuple[Curve, ...] = ()
        self.total = total
        self._calls = 0
        self._clock = clock
        self._began = self._shown = self._logged = clock()

    def after(self, iteration: int, history: Callable[[], Sequence[Curve]]) -> bool:
        """Take note of an iteration.

        Args:
            iteration: The number of iterations so far.
            history: Returns all curves so far; only called if they are looked at.

        Returns:
            Whether to stop.
        """
        self._report(iteration, history)
        self._calls += 1
        # All values are looked at again, so rarely in a long history.
        if self.stopped is None and self._calls % max(1, self._calls // _CHECKS) == 0:
            self._check(iteration, history)
        return self.stopped is not None

    def _check(self, iteration: int, history: Callable[[], Sequence[Curve]]) -> None:
        curves = history() if self.stop_on else ()
        for rule in self.stop_on:
            for curve in curves:
                found = STOPPING[rule](curve)
                if found is not None:
                    self.stopped = f"stopped in iteration {iteration:,} by the rule {rule}: {found}"
                    return

    def _report(self, iteration: int, history: Callable[[], Sequence[Curve]]) -> None:
        now = self._clock()
        if now - self._shown < _IN_TERMINAL_S:
            return
        self._shown, level = now, logging.DEBUG
        if now - self._logged >= _EVERY_S:
            self._logged, level = now, logging.INFO
        total = f" of {self.total:,}" if self.total else ""
        values = "".join(f", {curve.part} {curve.metric} {curve.values[-1]:.4g}" for curve in history() if len(curve.values))
        _log.log(level, "iteration %s%s, %.3g per second%s", f"{iteration:,}", total, iteration / (now - self._began), values)


class ReportedHistory:
    """What a training function of a team reports of its iterations.

    Args:
        watch: Watches the training.

    Attributes:
        kept: The iteration that the model is of; None for the last one.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.kept: int | None = None
        self._reported: dict[tuple[str, str], tuple[list[int], list[float]]] = {}

    def add(self, iteration: int, values: Sequence[tuple[str, str, float | None]]) -> bool:
        """Add the values of an iteration.

        Args:
            iteration: Its number.
            values: The part, the metric, and its value; None if it is not known.

        Returns:
            Whether to stop.

        Raises:
            ValueError: The number is not larger than the one before.
        """
        for part, metric, value in values:
            if value is None:
                continue
            iterations, found = self._reported.setdefault((part, metric), ([], []))
            if iterations and iteration <= iterations[-1]:
                raise ValueError(
                    f"data.report: iteration {iteration} after {iterations[-1]}; allowed: each iteration once, in ascending order"
                )
            iterations.append(int(iteration))
            found.append(float(value))
        return self.watch.after(iteration, lambda: self._curves(None))

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The history so far."""
        return self._curves(self.kept)

    def _curves(self, kept: int | None) -> tuple[Curve, ...]:
        return tuple(
            Curve("validation" if part == "validation" else "training", metric, values, kept=kept, iterations=iterations)
            for (part, metric), (iterations, values) in self._reported.items()
        )
