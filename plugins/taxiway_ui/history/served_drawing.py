"""The geometry of the chart of a champion's performance in production, in pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taxiway.records import Interval
from taxiway.records.served import ServedPerformance, ServedWindow
from taxiway_ui.history.drawing import Label, number_text, round_ticks

HEIGHT = 220
_TOP, _BOTTOM, _LEFT, _RIGHT = 14, 34, 58, 24
_STEP = 84
_MIN_WIDTH = 330
_APART = 9
"""How far the estimated and the realised value of a window are apart."""


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
    """

    kind: str
    found: Interval
    x: float
    y: float
    low: float
    high: float
    worse: bool


@dataclass(frozen=True)
class ServedChart:
    """A chart of estimated and realised performance by window.

    Attributes:
        width: Its width.
        height: Its height.
        left: Where the area of the values begins.
        right: Where it ends.
        bottom: Its lower end.
        ticks: The numbers at the vertical axis.
        windows: The first days at the horizontal axis.
        values: The values.
        band: The upper end of the band of the evaluation rows, and its height.
        audit: The points of a polygon around where the metric can be since the last audit; empty if that is not known.
    """

    width: int
    height: int
    left: int
    right: int
    bottom: int
    ticks: tuple[Label, ...]
    windows: tuple[Label, ...]
    values: tuple[Value, ...]
    band: tuple[float, float]
    audit: str


def draw_served(found: ServedPerformance) -> ServedChart:
    """The chart of a champion's performance in production."""
    of_windows = [each for window in found.windows for each in (window.estimated, window.realised, window.band) if each]
    intervals = [found.evaluation, *of_windows]
    ticks = round_ticks(min(each.low for each in intervals), max(each.high for each in intervals))
    bottom = HEIGHT - _BOTTOM
    width = max(_MIN_WIDTH, _LEFT + _RIGHT + _STEP * len(found.windows))

    def y(value: float) -> float:
        return round(bottom - (bottom - _TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 1)

    def x(number: int) -> float:
        return round(_LEFT + (width - _LEFT - _RIGHT) * (number + 0.5) / len(found.windows), 1)

    upper, lower = y(found.evaluation.high), y(found.evaluation.low)
    values = [value for number, window in enumerate(found.windows) for value in _values(window, x(number), y)]
    return ServedChart(
        width,
        HEIGHT,
        _LEFT,
        width - _RIGHT,
        bottom,
        tuple(Label(number_text(tick, ticks[1] - ticks[0]), y(tick)) for tick in ticks),
        tuple(Label(str(window.first), x(number)) for number, window in enumerate(found.windows)),
        tuple(values),
        (upper, max(1.0, round(lower - upper, 1))),
        _polygon([(x(number), window.band) for number, window in enumerate(found.windows) if window.band is not None], y),
    )


def _polygon(bands: Sequence[tuple[float, Interval]], y: Callable[[float], float]) -> str:
    """The upper ends from left to right, then the lower ends back; a band of one window is as wide as its values."""
    if len(bands) == 1:
        ((at, band),) = bands
        bands = [(at - 2 * _APART, band), (at + 2 * _APART, band)]
    points = [(at, y(band.high)) for at, band in bands] + [(at, y(band.low)) for at, band in reversed(bands)]
    return " ".join(f"{across},{down}" for across, down in points)


def _values(window: ServedWindow, x: float, y: Callable[[float], float]) -> list[Value]:
    known = [("estimated", window.estimated, x - _APART), ("realised", window.realised, x + _APART)]
    return [
        Value(kind, each, at, y(each.value), y(each.low), y(each.high), window.worse == kind)
        for kind, each, at in known
        if each is not None
    ]
