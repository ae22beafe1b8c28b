"""The history of stochastic gradient descent, which scikit-learn prints and does not keep."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import zip_longest
from statistics import fmean
from typing import Any, TextIO

from taxiway.training.history.curves import Curve, last_step
from taxiway.training.history.watch import Watch

_NAMES = ("SGDClassifier", "SGDRegressor")
_VALUES = re.compile(r"Norm: .*Avg\. loss: ([^\s,]+)(?:.*Validation score: ([^\s,]+))?")
_LEAST = 1e-3
"""Smaller values have too few digits: six decimals are printed."""
_OTHERS = ("-- Epoch ", "Total training time: ", "Convergence after ", "[Parallel(")


@contextmanager
def printed_history(estimator: Any, watch: Watch) -> Iterator[None]:
    """Keep the history that SGDClassifier and SGDRegressor print while they are fitted inside; other estimators have none.

    They learn the same as without it, because `verbose` only makes them print.

    Args:
        estimator: The estimator, or a pipeline of scikit-learn that ends with it.
        watch: Gets the curves.
    """
    last = last_step(estimator)
    if sys.stdout is None or sys.stderr is None or not _lock.acquire(blocking=False):  # another thread keeps a history
        yield
        return
    try:
        with _kept(last, watch):
            yield
    finally:
        _lock.release()


_lock = threading.Lock()
"""The streams of a process are the same for all of its threads."""


@contextmanager
def _kept(last: Any, watch: Watch) -> Iterator[None]:
    is_sgd = type(last).__module__.startswith("sklearn.") and type(last).__name__ in _NAMES
    if not is_sgd or getattr(last, "n_jobs", None) not in (None, 1):  # threads mix the lines of several classes
        yield
        return
    verbose, lines = last.verbose, list[str]()
    shown, errors = _Lines(sys.stdout, lines, hides=not verbose), _Lines(sys.stderr, lines, hides=not verbose)
    last.set_params(verbose=max(1, verbose))
    try:
        with redirect_stdout(shown), redirect_stderr(errors):
            yield
    finally:
        last.set_params(verbose=verbose)
        shown.end()
        errors.end()
    watch.printed = tuple(_curves(lines))


class _Lines:
    """A stream that keeps the lines of a history, and writes what else is written to it to another stream, which it resembles."""

    def __init__(self, stream: TextIO, lines: list[str], *, hides: bool) -> None:
        self._stream = stream
        self._lines = lines
        self._hides = hides
        self._begun = ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            is_history = line.startswith(_OTHERS) or _VALUES.match(line) is not None
            if is_history:
                self._lines.append(line)
            if not is_history or not self._hides:
                self._stream.write(f"{line}\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def end(self) -> None:
        """Write what was begun and has no end of a line."""
        self._stream.write(self._begun)


def _curves(lines: list[str]) -> Iterator[Curve]:
    """The mean loss of the training rows and the score of the held-out rows, after each epoch; of several classes, the means."""
    losses: list[list[float]] = []
    scores: list[list[float]] = []
    for line in lines:
        if line == "-- Epoch 1":  # of the first class, or the next
            losses.append([])
            scores.append([])
        elif losses and (found := _VALUES.match(line)) is not None:
            losses[-1].append(float(found[1]))
            scores[-1].extend([float(found[2])] if found[2] is not None else [])
    for values, metric in ((_means(losses), "loss"), (_means(scores), "score")):
        if len(values) > 1 and max(map(abs, values)) >= _LEAST:
            is_score = metric == "score"
            yield Curve("validation" if is_score else "training", metric, values, higher_is_better=is_score)


def _means(each: list[list[float]]) -> list[float]:
    """The mean of several series after each epoch, of which those that ended earlier keep their last value."""
    series = [values for values in each if values]
    last = [values[-1] for values in series]
    return [fmean(last[at] if value is None else value for at, value in enumerate(values)) for values in zip_longest(*series)]
