"""What several test folders need: a free port, and skipping what cannot run here."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

PATIENCE_S = 300.0
"""A limit for what hangs, far above what a busy machine needs for one step of anything."""
_PROGRESS_EVERY_S = 10.0
_REST = 4
"""A probe is followed by a pause of four times its duration, up to a second: what is waited for needs the processor, too."""


_FEWEST = 5


def examples(count: int) -> settings:
    """Try a property on `count` examples when it is written: on a quarter in each run, and on ten times as many in `make test-deep`."""
    return settings(max_examples=max(min(count, _FEWEST), count * settings.default.max_examples // 100))


def rounds(some: int, whole: int) -> int:
    """The rounds of a simulation: some in each run, and all of them in `make test-deep`, which selects the mark `deep`."""
    return whole if settings.get_current_profile_name() == "deep" else some


def require(what: str, present: bool, reason: str) -> None:
    """Skip the test where `what` is missing, unless TAXIWAY_REQUIRE names it: then fail. Skip it where TAXIWAY_SKIP names it."""
    if what in os.environ.get("TAXIWAY_SKIP", "").split(","):
        pytest.skip(f"TAXIWAY_SKIP names {what}")
    if present:
        return
    if what in os.environ.get("TAXIWAY_REQUIRE", "").split(","):
        pytest.fail(f"TAXIWAY_REQUIRE names {what}, but {reason}")
    pytest.skip(reason)


def need_library(path: str) -> None:
    """Skip the test if the library of a dotted path, such as `catboost.CatBoostClassifier`, is not installed."""
    pytest.importorskip(path.partition(".")[0])


def until(
    probe: Callable[[], Any],
    what: str,
    *,
    progress: Callable[[], Any] = lambda: None,
    patience_s: float = PATIENCE_S,
    every_s: float = 0.02,
) -> Any:
    """Poll until `probe` gives something true, and return that.

    However slow the machine is, it is waited for as long as something changes: what `probe` gives, or what `progress` gives. The
    test fails after `patience_s` without a change, and says what was last seen.
    """
    last: object = object()
    changed, asked = time.monotonic(), float("-inf")
    while True:
        began = time.monotonic()
        if found := probe():
            return found
        now = time.monotonic()
        # `progress` is evaluated less often than `probe`, because it may be a costly request to a server.
        if now - asked >= min(_PROGRESS_EVERY_S, patience_s / 10):
            asked = now
            if (seen := (found, progress())) != last:
                last, changed = seen, now
            elif now - changed > patience_s:
                pytest.fail(f"nothing changed for {patience_s:g} s while waiting until {what}; last seen: {last}")
        time.sleep(max(every_s, min(_REST * (time.monotonic() - began), 1)))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def shared_data(name: str) -> Path:
    """A public data set beside the project; the test is skipped where it is not there."""
    path = Path(__file__).parents[2] / "shared" / "data" / name
    if not path.is_file():
        pytest.skip(f"{name} is not there: public data lie in shared/data beside the project")
    return path
