"""A picture of the weeks: how well they were predicted, what was trained and promoted, and which inputs had drifted."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.demo.watch.play import Monday
from taxiway.demo.watch.weeks import COLUMNS, FAULTS
from taxiway.records import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _RED, _GREY, _GREEN = "#3465a4", "#e08b1a", "#c0392b", "#888888", "#2e8b57"
_PROMOTED = (Outcome.FIRST_CHAMPION, Outcome.PROMOTED)


def draw(mondays: Sequence[Monday], path: Path) -> None:
    """Write the picture as a PNG file.

    Args:
        mondays: The weeks that were played, oldest first; at least one.
        path: The file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    _draw_performance(above, mondays)
    _draw_drift(below, mondays)
    below.set_xticks(range(len(mondays)), [each.week.partition("-")[2] for each in mondays], rotation=90)
    below.set_xlabel("week of 2013")
    figure.savefig(path, dpi=110)


def _draw_performance(axes: "Axes", mondays: Sequence[Monday]) -> None:
    numbers = range(len(mondays))
    estimates = [each.estimated for each in mondays]
    axes.fill_between(
        numbers, [each.served.low for each in mondays], [each.served.high for each in mondays], color=_BLUE, alpha=0.2, lw=0
    )
    axes.plot(numbers, [each.served.value for each in mondays], "o-", color=_BLUE, label="realised, with its 99% interval")
    axes.plot(
        numbers,
        [each.value if each is not None else math.nan for each in estimates],
        "s:",
        color=_ORANGE,
        ms=4,
        label="estimated before the labels came",
    )
    evaluated = [each.monitored.found.reference.performance.value for each in mondays]
    axes.step(numbers, evaluated, where="mid", color=_GREY, label="the champion on its evaluation rows")
    told = {alert.first for each in mondays for alert in each.alerts}
    alerts = [number for number, each in enumerate(mondays) if each.monday in told]
    axes.plot(alerts, [mondays[number].served.value for number in alerts], "o", color=_RED, label="a week with an alert")
    _draw_changes(axes, mondays)
    _draw_faults(axes, mondays)
    axes.set_ylabel(mondays[0].monitored.found.reference.metric)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=9, frameon=False)
    axes.grid(axis="y", alpha=0.3)


def _draw_changes(axes: "Axes", mondays: Sequence[Monday]) -> None:
    """A vertical line for each training, after the week that it followed, and for each rollback."""
    top = axes.get_ylim()[1]
    for number, monday in enumerate(mondays):
        if monday.trained is not None:
            promoted = monday.trained.outcome in _PROMOTED
            text = f"v{monday.trained.version}" if promoted else monday.trained.outcome.lower()
            color = _GREEN if promoted else _GREY
            axes.axvline(number + 0.5, color=color, lw=1)
            axes.text(number + 0.55, top, text, color=color, fontsize=9, rotation=90, ha="left", va="top")
        rollback = monday.monitored.rollback
        if rollback is not None and rollback.rolled_back:
            axes.axvline(number + 0.5, color=_RED, lw=1)
            axes.text(number + 0.55, top, "rolled back", color=_RED, fontsize=9, rotation=90, ha="left", va="top")


def _draw_faults(axes: "Axes", mondays: Sequence[Monday]) -> None:
    bottom = axes.get_ylim()[0]
    for fault in FAULTS:
        hit = [number for number, each in enumerate(mondays) if fault.has(each.week)]
        if hit:
            axes.axvspan(hit[0] - 0.5, hit[-1] + 0.5, color=_ORANGE, alpha=0.12, lw=0)
            axes.text(hit[0] - 0.4, bottom, fault.title, fontsize=8, va="bottom")


def _draw_drift(axes: "Axes", mondays: Sequence[Monday]) -> None:
    columns = [name for name in COLUMNS if name != COLUMNS[0]]
    image = [[_distance(monday, name) for monday in mondays] for name in columns]
    axes.imshow(image, aspect="auto", cmap="Oranges", vmin=0, vmax=0.6, interpolation="nearest")
    axes.set_yticks(range(len(columns)), columns, fontsize=8)
    axes.set_title("inputs that drifted, darker the more", fontsize=9, loc="left")


def _distance(monday: Monday, column: str) -> float:
    """How far an input of the week had drifted from the champion's evaluation rows; 0 if it had not."""
    drift = monday.monitored.found.windows[-1].drift
    return next((each.distance for each in drift.columns if each.column == column), 0.0)
