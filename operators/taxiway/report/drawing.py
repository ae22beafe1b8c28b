"""The geometry of the pictures of intervals: where their lines and labels are, in the units of the picture."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from taxiway.gates.wording import decimals, estimate_and_bounds
from taxiway.messages import number_text
from taxiway.records import Interval, Reason, ReasonCode

WIDTH, HEIGHT = 320, 54
_LETTER = 6.2
_MAX_MARGIN = 110
"""The most room for the number at an end of an interval."""
_OF_DIFFERENCES = (ReasonCode.METRIC_AGAINST_CHAMPION, ReasonCode.SLICE_DROP, ReasonCode.BASELINE)
_REQUIRED = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
_COMPARISON = re.compile(r".*(>=|<=|>|<) ", re.DOTALL)


@dataclass(frozen=True)
class Scale:
    """Maps numbers to horizontal positions.

    Attributes:
        low: The number at the left end.
        high: The number at the right end.
        width: The width of the picture.
        margin: The room beside both ends.
    """

    low: float
    high: float
    width: float
    margin: float

    def x(self, value: float) -> float:
        """The position of a number."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.margin + share * (self.width - 2 * self.margin), 1)


@dataclass(frozen=True)
class Place:
    """A number in a picture: its position, and its text."""

    x: float
    text: str


@dataclass(frozen=True)
class Drawn:
    """An interval and its limit as a picture.

    Attributes:
        value: The estimate.
        low: The lower end.
        high: The upper end.
        limit: The position of the limit; None without one.
        limit_text: What is required, such as `at least 0.6`.
        limit_label: The position of the middle of that text.
        allowed: The positions between which the limit is met; None if there is no limit, or no side of it.
        zero: The position of zero, for a difference; None for another number, or if the limit is there.
    """

    value: Place
    low: Place
    high: Place
    limit: float | None = None
    limit_text: str = ""
    limit_label: float = 0.0
    allowed: tuple[float, float] | None = None
    zero: float | None = None


def scale_of(numbers: Iterable[float], width: float = WIDTH, margin: float = 0.0) -> Scale:
    """The scale on which all numbers can be drawn."""
    known = [number for number in numbers if math.isfinite(number)] or [0.0]
    low, high = min(known), max(known)
    if low == high:
        room = abs(low) or 1.0
        return Scale(low - room / 2, high + room / 2, width, margin)
    return Scale(low, high, width, margin)


def drawn(reason: Reason) -> Drawn | None:
    """The picture of a reason; None if it has no estimate."""
    found = reason.estimate
    if found is None:
        return None
    limit = reason.limit if reason.limit is not None and math.isfinite(reason.limit) else None
    of_difference = reason.code in _OF_DIFFERENCES or (reason.code is ReasonCode.CONDITION and " - o " in f"{reason.rule} ")
    form = _number_format(found, limit, signed=of_difference)
    texts = [f"{number:{form}}" for number in estimate_and_bounds(found)]
    margin = min(_MAX_MARGIN, 4 + _LETTER * max(map(len, texts)))
    shown = [*estimate_and_bounds(found), *([] if limit is None else [limit]), *([0.0] if of_difference else [])]
    scale = scale_of(shown, margin=margin)
    zero = scale.x(0.0) if of_difference and limit != 0 else None
    value, low, high = (Place(scale.x(number), text) for number, text in zip(estimate_and_bounds(found), texts, strict=True))
    if limit is None:
        return Drawn(value, low, high, zero=zero)
    comparison, at = _comparison(reason.rule), scale.x(limit)
    text = f"{_REQUIRED.get(comparison, 'limit')} {number_text(limit)}"
    half = min(len(text) * _LETTER / 2, WIDTH / 2)
    sides = {">": (at, float(WIDTH)), "<": (0.0, at)}
    return Drawn(
        value,
        low,
        high,
        limit=at,
        limit_text=text,
        limit_label=round(min(max(at, half), WIDTH - half), 1),
        allowed=sides.get(comparison[:1]),
        zero=zero,
    )


def _number_format(found: Interval, limit: float | None, *, signed: bool) -> str:
    values = estimate_and_bounds(found)
    bounds = () if limit is None else (limit,)
    return f"{'+' if signed else ''}.{decimals(values, bounds, scale=max(map(abs, values)))}f"


def _comparison(rule: str | None) -> str:
    """The last comparison in a rule, such as `>=`; empty if there is none."""
    match = _COMPARISON.match(rule or "")
    return match[1] if match else ""
