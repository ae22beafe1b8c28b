"""Renders views as HTML: the templates, the formats of numbers and times, and the pictures of intervals."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from taxiway.messages import format_params, percent
from taxiway.messages import number_text as plain_number
from taxiway.records import DataReport, Interval, Severity
from taxiway.records.evaluation import Better
from taxiway.spec.metrics import facts_of
from taxiway_ui.clients import NO_KEYS
from taxiway_ui.history.drawing import draw
from taxiway_ui.history.metric_history import MAX_POINTS
from taxiway_ui.history.served_drawing import draw_served
from taxiway_ui.history.served_marks import anchor, opacity
from taxiway_ui.overview.changes import MAX_CHANGES
from taxiway_ui.overview.overview import MAX_NEEDS
from taxiway_ui.overview.rows import Order
from taxiway_ui.runs.marks import stages, stopped_at
from taxiway_ui.runs.states import State
from taxiway_ui.times import age_text, day_text, time_text

FOLDER = Path(__file__).parent
WIDTH = 240
_MARGIN = 6


@dataclass(frozen=True)
class Scale:
    """Maps numbers to horizontal positions in the picture of an interval.

    Attributes:
        low: The number at the left end.
        high: The number at the right end.
    """

    low: float
    high: float

    def x(self, value: float) -> float:
        """The position of a number, in pixels from the left."""
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 1)


def scale_of(intervals: Iterable[Interval | None]) -> Scale:
    """The scale that fits all of these differences, with zero in the middle."""
    ends = [abs(end) for interval in intervals if interval is not None for end in (interval.low, interval.high)]
    reach = max(ends, default=0.0) or 1.0
    return Scale(-reach, reach)


def side(metric: str, difference: Interval, better: Better | None = None) -> str:
    """Classify a difference: `better` or `worse` if the whole interval is on one side of zero, else `open`.

    Args:
        metric: The metric.
        difference: The difference.
        better: Whether higher or lower values are better; None if it is one of Taxiway's metrics.
    """
    try:
        sign = {"higher": 1, "lower": -1}[better] if better else facts_of(metric).direction
    except ValueError:
        return "open"  # a metric of another version of Taxiway
    if difference.low <= 0 <= difference.high:
        return "open"
    return "better" if sign * difference.value > 0 else "worse"


def page(template: str, **values: Any) -> str:
    """Render a page as HTML. All values are escaped.

    Args:
        template: The template.
        values: What it shows. Without `forms`, it has none; `done` is what a form has just done; `doctor` is whether to link to its page.
    """
    return _environment().get_template(template).render(**{"forms": None, "done": None, "doctor": False} | values)


def number_text(value: float) -> str:
    """Format a metric with three decimals."""
    return f"{value:.3f}"


def signed_text(value: float) -> str:
    """Format a difference with its sign and three decimals."""
    return f"{value:+.3f}"


def humanize(name: str) -> str:
    """Format a name such as `validate_data`: `validate data`."""
    return name.replace("_", " ").lower()


def params_text(text: str) -> str:
    """Format parameters, given as JSON: `learning_rate=0.05123, loss=poisson`; other text is returned as it is."""
    try:
        return format_params(text)
    except (ValueError, AttributeError):
        return text


def web_address(text: str) -> str:
    """The text if it is an HTTP address, which may become a link; else empty."""
    return text if urlsplit(text).scheme in ("http", "https") else ""


def waivable_names(report: DataReport) -> tuple[str, ...]:
    """The anomalies of a report that can be waived, as `KIND:COLUMN`, or `KIND` for the whole table: those that block first.

    Those that the schema waives are among them, because their waivers may have expired or may be about to.
    """
    errors = [anomaly for anomaly in report.anomalies if anomaly.severity is Severity.ERROR]
    ordered = (*report.blocking, *errors)
    return tuple(dict.fromkeys(f"{found.kind}:{found.column}" if found.column else found.kind for found in ordered))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "time": time_text,
        "age": age_text,
        "day": day_text,
        "number": number_text,
        "plain": plain_number,
        "signed": signed_text,
        "humanize": humanize,
        "params": params_text,
        "percent": percent,
        "web": web_address,
        "path": lambda text: quote(text, safe=""),
    }
    made.globals |= {
        "stages": stages,
        "stopped_at": stopped_at,
        "scale_of": scale_of,
        "side": side,
        "picture_width": WIDTH,
        "waivable_names": waivable_names,
        "no_keys": NO_KEYS,
        "states": tuple(State),
        "orders": tuple(Order),
        "most_needs": MAX_NEEDS,
        "most_changes": MAX_CHANGES,
        "most_points": MAX_POINTS,
        "draw": draw,
        "draw_served": draw_served,
        "opacity": opacity,
        "anchor": anchor,
    }
    return made
