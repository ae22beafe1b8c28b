"""The geometry of the chart of a pipeline's performance in production, in pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from taxiway.records import Interval, Promotion
from taxiway.records.served import EarlierWindow, ServedPerformance
from taxiway_ui.history.drawing import Label, number_text, round_ticks
from taxiway_ui.history.served_marks import (
    CELL,
    Bar,
    DriftedInput,
    Mark,
    alert_marks,
    anchor,
    bars,
    drifted_inputs,
    rollback_marks,
)

HEIGHT = 220
_TOP, _BOTTOM, _LEFT, _RIGHT = 26, 34, 58, 24
_MAX_STEP, _MIN_STEP = 84, 22
_FULL_WIDTH = 1100
_LABEL = 78
"""The room of the first day of a window."""
_MIN_WIDTH = 330
_APART = 9
"""How far the estimated and the realised value of a window are apart, at most."""
_BARS = 42
"""The room for the bars of rows and labels."""
_NAMES_LEFT = 128
"""The room on the left with the names of inputs."""


@dataclass(frozen=True)
class Value:
    """A value with its interval.

    Attributes:
        kind: `estimated` or `realised`.
        found: The numbers.
        x: Its horizontal position.
        y: The vertical position of the value.
        low: That of the lower end of the interval.
        high: That of the upper end.
        worse: Whether it is worse than on the evaluation rows.
        window: The anchor of its window.
    """

    kind: str
    found: Interval
    x: float
    y: float
    low: float
    high: float
    worse: bool
    window: str


@dataclass(frozen=True)
class Span:
    """The windows of one version, which follow each other.

    Attributes:
        version: The version.
        left: Where they begin.
        width: How wide they are.
        top: The upper end of the band of its evaluation rows.
        height: The height of the band.
    """

    version: int
    left: float
    width: float
    top: float
    height: float


@dataclass(frozen=True)
class ServedChart:
    """A chart of estimated and realised performance by window, of its rows and labels, and of the inputs that had drifted.

    Attributes:
        width: Its width.
        height: Its height, with the grid of inputs.
        left: Where the area of the values begins.
        right: Where it ends.
        bottom: Its lower end.
        ticks: The numbers at the vertical axis.
        windows: The first days at the horizontal axis, so many that they do not touch.
        values: The values.
        spans: The versions, oldest first.
        audit: The points of a polygon around where the metric can be since the last audit; empty if that is not known.
        alerts: The alerts that are not about the performance.
        rollbacks: The rollbacks and ends of champions.
        bars: The rows and labels of the windows.
        base: The lower end of the bars.
        most_rows: The rows of the highest bar.
        inputs: The inputs that had drifted, in a grid below, those that drifted most often first.
        cell: How wide and how high a cell of the grid is.
    """

    width: int
    height: int
    left: int
    right: int
    bottom: int
    ticks: tuple[Label, ...]
    windows: tuple[Label, ...]
    values: tuple[Value, ...]
    spans: tuple[Span, ...]
    audit: str
    alerts: tuple[Mark, ...]
    rollbacks: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    base: int
    most_rows: int
    inputs: tuple[DriftedInput, ...]
    cell: tuple[float, int]


def draw_served(found: ServedPerformance, promotions: Sequence[Promotion] = ()) -> ServedChart:
    """The chart of the windows of a pipeline: those that the newest run has compared, after those of earlier ones.

    Args:
        found: What the newest run has found.
        promotions: The promotions of the model; its rollbacks are drawn.
    """
    now = [EarlierWindow(version=found.version, evaluation=found.evaluation, window=window) for window in found.windows]
    shown = [*found.earlier, *now]
    intervals = [each for one in shown for each in _intervals(one)]
    ticks = round_ticks(min(each.low for each in intervals), max(each.high for each in intervals))
    bottom, left = HEIGHT - _BOTTOM, _NAMES_LEFT if any(one.window.drifted for one in shown) else _LEFT
    step = min(_MAX_STEP, max(_MIN_STEP, (_FULL_WIDTH - left - _RIGHT) / len(shown)))
    width = max(_MIN_WIDTH, round(left + _RIGHT + step * len(shown)))
    step = (width - left - _RIGHT) / len(shown)

    def y(value: float) -> float:
        return round(bottom - (bottom - _TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 1)

    def x(number: float) -> float:
        return round(left + step * (number + 0.5), 1)

    inputs = drifted_inputs(shown, HEIGHT + _BARS, x)
    apart = min(_APART, step / 4)
    values = [value for number, one in enumerate(shown) for value in _values(one, x(number), apart, y)]
    bands = [(x(number), one.window.band) for number, one in enumerate(shown) if one.window.band is not None]
    return ServedChart(
        width,
        HEIGHT + _BARS + (len(inputs) + 1) * (CELL + 2) if inputs else HEIGHT + _BARS,
        left,
        width - _RIGHT,
        bottom,
        tuple(Label(number_text(tick, ticks[1] - ticks[0]), y(tick)) for tick in ticks),
        _labels(shown, step, x),
        tuple(values),
        tuple(_spans(shown, left, step, y)),
        _polygon(bands, y),
        tuple(alert_marks(shown, found.alerts, x)),
        tuple(rollback_marks(shown, promotions, x)),
        bars(shown, x),
        HEIGHT + _BARS - 8,
        max(one.window.rows for one in shown),
        inputs,
        (round(min(step - 2, 2 * CELL), 1), CELL),
    )


def _intervals(one: EarlierWindow) -> list[Interval]:
    window = one.window
    return [one.evaluation, *(each for each in (window.estimated, window.realised, window.band) if each)]


def _labels(shown: Sequence[EarlierWindow], step: float, x: Callable[[int], float]) -> tuple[Label, ...]:
    """The first days of some windows, the newest one first."""
    every = max(1, -(-_LABEL // int(step)))
    numbers = range(len(shown) - 1, -1, -every)
    return tuple(Label(str(shown[number].window.first), x(number)) for number in reversed(numbers))


def _spans(shown: Sequence[EarlierWindow], start: float, step: float, y: Callable[[float], float]) -> list[Span]:
    spans, number = [], 0
    for version, windows in groupby(shown, key=lambda one: one.version):
        ones = list(windows)
        upper, lower = y(ones[-1].evaluation.high), y(ones[-1].evaluation.low)
        left = round(start + step * number, 1)
        spans.append(Span(version, left, round(step * len(ones), 1), upper, max(1.0, round(lower - upper, 1))))
        number += len(ones)
    return spans


def _polygon(bands: Sequence[tuple[float, Interval]], y: Callable[[float], float]) -> str:
    """The upper ends from left to right, then the lower ends back; a band of one window is as wide as its values."""
    if len(bands) == 1:
        ((at, band),) = bands
        bands = [(at - 2 * _APART, band), (at + 2 * _APART, band)]
    points = [(at, y(band.high)) for at, band in bands] + [(at, y(band.low)) for at, band in reversed(bands)]
    return " ".join(f"{across},{down}" for across, down in points)


def _values(one: EarlierWindow, x: float, apart: float, y: Callable[[float], float]) -> list[Value]:
    window = one.window
    known = [("estimated", window.estimated, x - apart), ("realised", window.realised, x + apart)]
    return [
        Value(kind, each, at, y(each.value), y(each.low), y(each.high), window.worse == kind, anchor(one.version, window.first))
        for kind, each, at in known
        if each is not None
    ]
