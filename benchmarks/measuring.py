"""What the benchmarks share: timing something many times, and printing rows with their ratio to one of them."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"


def seconds(work: Callable[[], Any], times: int, *, before: Callable[[], Any] = lambda: None) -> float:
    """The median time of `work` over `times` runs; `before` is called before each, and not timed."""
    taken = []
    for _ in range(times):
        before()
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which `percent` % of `values` lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; the first column is words, the others numbers. The machine's load is said below it: it moves the numbers."""
    table = Table(title=title, title_justify="left")
    for at, heading in enumerate(headings):
        table.add_column(heading, justify="right" if at else "left", no_wrap=bool(at))
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    console.print(table)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(f"{os.cpu_count()} cores, load average {load} (1, 5, 15 minutes)")
