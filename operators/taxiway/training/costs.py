"""What fitting a model costs: time, CPU time, memory and energy."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WATTS = 12.0
"""The power of a busy core, without memory, cooling and what the machine draws when idle."""
_HIGH_WATER_UNIT = 1 if sys.platform == "darwin" else 1024


@contextmanager
def measured_costs() -> Iterator[dict[str, float]]:
    """Measure what is done inside; the costs are in the mapping at the end.

    Yields:
        `train.seconds`; `train.cpu_seconds`, of this process and of those that it started and that have ended; `train.energy_wh`, an
        estimate: CPU seconds x 12 W / 3,600; and `train.peak_memory_mb`, the most memory (MiB) that this process has used since it
        started, and not only inside.
    """
    costs: dict[str, float] = {}
    started, before = time.monotonic(), _cpu_seconds()
    yield costs
    cpu = _cpu_seconds() - before
    costs |= {
        "train.seconds": time.monotonic() - started,
        "train.cpu_seconds": cpu,
        "train.energy_wh": cpu * WATTS / 3_600,
        "train.peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _HIGH_WATER_UNIT / 2**20,
    }


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
