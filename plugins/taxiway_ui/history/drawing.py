"""The geometry of the chart of a metric: where its lines, points and labels are, in pixels."""

from dataclasses import dataclass
from math import ceil, floor, log10

from taxiway_ui.history.metric_history import MetricHistory, Point, Return

HEIGHT = 240
_TOP, _BOTTOM, _LEFT, _RIGHT = 26, 34, 58, 54
_MAX_STEP, _MIN_STEP = 46, 17
_FULL_WIDTH = 1100
"""The room on a wide screen; a chart of many points is as narrow as that, and a chart of few points narrower."""
_MIN_WIDTH = 330
_BAR = 10
_LETTER = 6.4
_TICKS = 4


@dataclass(frozen=True)
class Label:
    """A text at a position."""

    text: str
    at: float


@dataclass(frozen=True)
class Dot:
    """A point with its interval.

    Attributes:
        point: The point.
        x: Its horizontal position.
        y: The vertical position of its value.
        low: That of the lower end of its interval.
        high: That of the upper end.
        champion: That of the champion's value; None if there was none.
        named: Whether there is room for the version.
    """

    point: Point
    x: float
    y: float
    low: float
    high: float
    champion: float | None
    named: bool


@dataclass(frozen=True)
class Line:
    """The vertical line of a rollback or the end of a champion."""

    made: Return
    x: float


@dataclass(frozen=True)
class Chart:
    """A chart of a metric.

    Attributes:
        width: Its width.
        height: Its height.
        left: Where the area of the points begins.
        right: Where it ends.
        top: Its upper end.
        bottom: Its lower end.
        ticks: The numbers at the vertical axis.
        spans: The spans at the horizontal axis.
        dots: The points.
        lines: The rollbacks and ends of champions.
        threshold: The position of the threshold; None if there is none.
        bar: Half the width of the bar of a champion.
    """

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    ticks: tuple[Label, ...]
    spans: tuple[Label, ...]
    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    threshold: float | None
    bar: int


def draw(history: MetricHistory) -> Chart:
    """The chart of a metric's history."""
    count = len(history.points)
    step = min(_MAX_STEP, max(_MIN_STEP, (_FULL_WIDTH - _LEFT - _RIGHT) // count))
    width = max(_MIN_WIDTH, _LEFT + _RIGHT + count * step)
    inner = width - _LEFT - _RIGHT
    ticks = round_ticks(*_range(history))
    low, high = ticks[0], ticks[-1]
    bottom = HEIGHT - _BOTTOM

    def x(number: float) -> float:
        return round(_LEFT + inner * (number + 0.5) / count, 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - _TOP) * (value - low) / (high - low), 1)

    named = _named(history, step)
    dots = tuple(
        Dot(
            point,
            x(number),
            y(point.value.value),
            y(point.value.low),
            y(point.value.high),
            y(point.champion_value.value) if point.champion_value is not None else None,
            number in named,
        )
        for number, point in enumerate(history.points)
    )
    return Chart(
        width,
        HEIGHT,
        _LEFT,
        width - _RIGHT,
        _TOP,
        bottom,
        tuple(Label(number_text(tick, ticks[1] - ticks[0]), y(tick)) for tick in ticks),
        _span_labels(dots, inner / count),
        dots,
        tuple(Line(made, x(made.after - 0.5)) for made in history.returns),
        y(history.threshold) if history.threshold is not None else None,
        min(_BAR, step // 2 - 1),
    )


def _range(history: MetricHistory) -> tuple[float, float]:
    """The lowest and the highest number that is drawn."""
    values = [history.threshold] if history.threshold is not None else []
    for point in history.points:
        values += [point.value.value, point.value.low, point.value.high]
        if point.champion_value is not None:
            values.append(point.champion_value.value)
    return min(values), max(values)


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers that begin at or below `low` and end at or above `high`."""
    reach = (high - low) or abs(high) or 1.0
    size = 10 ** floor(log10(reach / _TICKS))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor * _TICKS >= reach)
    first, last = floor(low / step), ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def number_text(value: float, step: float) -> str:
    """A tick with as many decimals as the step between ticks needs."""
    decimals = max(0, -floor(log10(step) + 1e-9))
    if round(step, decimals) != round(step, decimals + 2):
        decimals += 1  # 0.025
    return f"{value:,.{decimals}f}"


def _named(history: MetricHistory, step: int) -> frozenset[int]:
    """The promoted points whose versions can be written without touching each other, the newest ones first."""
    shown: list[int] = []
    for number in range(len(history.points) - 1, -1, -1):
        point = history.points[number]
        room = (shown[-1] - number) * step if shown else None
        if point.promotion is not None and (room is None or room >= len(str(point.version)) * _LETTER + 3):
            shown.append(number)
    return frozenset(shown)


def _span_labels(dots: tuple[Dot, ...], step: float) -> tuple[Label, ...]:
    """The names of spans below their first attempts, so many that they do not touch."""
    firsts = [dot for number, dot in enumerate(dots) if number == 0 or dot.point.span != dots[number - 1].point.span]
    needed = max(len(dot.point.span) for dot in firsts) * _LETTER + 10
    every = max(1, ceil(needed / step))
    shown: list[Label] = []
    for dot in reversed(firsts):
        if not shown or shown[-1].at - dot.x >= every * step - 0.1:
            shown.append(Label(dot.point.span, dot.x))
    return tuple(reversed(shown))
