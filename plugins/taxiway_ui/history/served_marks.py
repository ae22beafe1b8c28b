"""What is drawn with the windows of a chart: alerts and rollbacks above, rows, labels and drifted inputs below."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from taxiway.records import Promotion
from taxiway.records.served import AlertKind, EarlierWindow, ServedAlert, ServedWindow

CELL = 14
"""The height of a cell of the grid of inputs."""
_MAX_INPUTS = 15
_MAX_BAR = 30
_FAINTEST = 0.12
_OF_OLD_RECORDS = 0.5

Across = Callable[[float], float]
"""The horizontal position of a window, by its number from 0; with a fraction, of a time in it."""


@dataclass(frozen=True)
class Cell:
    """An input that had drifted in a window.

    Attributes:
        x: The middle of the window.
        opacity: How strong its color is, by the distance.
        text: The text of its tooltip.
    """

    x: float
    opacity: float
    text: str


@dataclass(frozen=True)
class DriftedInput:
    """An input that has drifted.

    Attributes:
        name: The input.
        y: The upper end of its row in the grid.
        cells: The windows in which it had drifted.
    """

    name: str
    y: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Bar:
    """The rows of a window, and those of them that have a label.

    Attributes:
        x: The middle of the window.
        height: The height for its rows.
        labelled: The height for its rows with a label.
        text: The numbers.
    """

    x: float
    height: float
    labelled: float
    text: str


@dataclass(frozen=True)
class Mark:
    """An alert of a window that is not about its performance, or a rollback.

    Attributes:
        x: The middle of the window, or the time of the rollback.
        sign: What is written.
        text: What it is about.
        window: The anchor of the window; empty for a rollback.
    """

    x: float
    sign: str
    text: str
    window: str = ""


def anchor(version: int, first: date) -> str:
    """The id of the row of a window in the table."""
    return f"window-{version}-{first}"


def opacity(distance: float) -> float:
    """How strong the color of an input is that has drifted by so much, from 0 to 1."""
    return round(_FAINTEST + (1 - _FAINTEST) * math.sqrt(min(1.0, distance)), 2)


def bars(shown: Sequence[EarlierWindow], x: Across) -> tuple[Bar, ...]:
    """The rows and labels of all windows; the largest window has the highest bar."""
    most = max(1, *(one.window.rows for one in shown))
    return tuple(_bar(one.window, x(number), most) for number, one in enumerate(shown))


def _bar(window: ServedWindow, x: float, most: int) -> Bar:
    height, labelled = (round(_MAX_BAR * count / most, 1) for count in (window.rows, window.labelled))
    return Bar(x, height, labelled, f"{window.rows:,} rows from {window.first}, {window.labelled:,} with a label")


def alert_marks(shown: Sequence[EarlierWindow], alerts: Sequence[ServedAlert], x: Across) -> Iterator[Mark]:
    """The alerts that are not about the estimated or realised performance, which is drawn itself.

    Args:
        shown: The windows, oldest first.
        alerts: The alerts that stand; those of audits belong to the window of the audit.
        x: Where a window is.
    """
    about: dict[int, list[str]] = {number: [] for number in range(len(shown))}
    for number, one in enumerate(shown):
        about[number] += ["inputs have anomalies"] if one.window.anomalies else []
        about[number] += ["a check has found something"] if one.window.findings else []
        many = one.window.outliers is not None and one.window.outliers.too_many
        about[number] += ["more outliers than usual"] if many else []
        about[number] += ["labels are late"] if one.window.labels_late else []
    texts = {
        AlertKind.AUDIT: "the last audit; labels are needed again",
        AlertKind.TARGET: "the audit misses its target",
        AlertKind.DRIFT: "inputs have drifted that had not before",
    }
    for alert in alerts:
        before = [number for number, one in enumerate(shown) if one.window.first <= alert.first]
        if alert.kind in texts and before:
            about[before[-1]].append(texts[alert.kind])
    for number, found in about.items():
        if found:
            first = shown[number].window.first
            yield Mark(x(number), "!", f"from {first}: {', '.join(found)}", anchor(shown[number].version, first))


def rollback_marks(shown: Sequence[EarlierWindow], promotions: Sequence[Promotion], x: Across) -> Iterator[Mark]:
    """The rollbacks and the ends of champions since the first window.

    Args:
        shown: The windows, oldest first.
        promotions: The promotions of the model.
        x: Where a time is.
    """
    starts = [datetime.combine(one.window.first, time.min, UTC) for one in shown]
    for made in promotions:
        if made.verdict is not None or made.at < starts[0]:
            continue
        number = max(at for at, start in enumerate(starts) if start <= made.at)
        at = f"{made.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        to, sign = (
            (f"rollback to version {made.to_version}", "\u21a9") if made.to_version else ("the model was retired", "\u2715")
        )
        yield Mark(
            x(number + _fraction(starts, number, made.at) - 0.5),
            f"{sign} {made.to_version or ''}".strip(),
            f"{to}, {at}: {made.reason}",
        )


def _fraction(starts: Sequence[datetime], number: int, at: datetime) -> float:
    """How much of its window is over at a time; the newest window is as long as the one before."""
    later = [start for start in starts if start > starts[number]]
    earlier = [start for start in starts if start < starts[number]]
    length = later[0] - starts[number] if later else starts[number] - earlier[-1] if earlier else None
    return min(1.0, (at - starts[number]) / length) if length else 0.5


def drifted_inputs(shown: Sequence[EarlierWindow], top: int, x: Across) -> tuple[DriftedInput, ...]:
    """The inputs that had drifted in any window, those in the most windows first; so many as there is room for."""
    cells: dict[str, list[Cell]] = {}
    for number, one in enumerate(shown):
        window = one.window
        distances = dict(zip(window.drifted, window.distances, strict=False))
        for name in window.drifted:
            distance = distances.get(name)
            text = f"{name} had drifted in the window from {window.first}"
            if distance is None:
                cells.setdefault(name, []).append(Cell(x(number), _OF_OLD_RECORDS, text))
            else:
                cells.setdefault(name, []).append(Cell(x(number), opacity(distance), f"{text}, by {100 * distance:.1f} points"))
    names = sorted(cells, key=lambda name: (-len(cells[name]), name))[:_MAX_INPUTS]
    return tuple(DriftedInput(name, top + (CELL + 2) * place, tuple(cells[name])) for place, name in enumerate(names))
