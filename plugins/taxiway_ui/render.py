"""From views to HTML: the templates, how numbers and times are written, and where an interval lies in its picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from taxiway.messages import format_params
from taxiway.records import Interval
from taxiway.spec.metrics import METRIC_FACTS
from taxiway_ui.views import stages, stopped_at

FOLDER = Path(__file__).parent
WIDTH = 240
_MARGIN = 6


@dataclass(frozen=True)
class Scale:
    """Maps numbers to the picture of intervals, which is `WIDTH` wide."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """Where `value` lies."""
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 1)


def scale_of(intervals: Iterable[Interval | None]) -> Scale:
    """The scale on which all of these differences, and zero, can be seen; zero is in the middle."""
    ends = [abs(end) for interval in intervals if interval is not None for end in (interval.low, interval.high)]
    reach = max(ends, default=0.0) or 1.0
    return Scale(-reach, reach)


def side(metric: str, difference: Interval) -> str:
    """Whether a whole interval lies on one side of zero: `better`, `worse`, or `open` where it does not tell."""
    known = METRIC_FACTS.get(metric)
    if known is None or difference.low <= 0 <= difference.high:
        return "open"
    return "better" if known.sign * difference.value > 0 else "worse"


def page(template: str, **values: Any) -> str:
    """A page as HTML. Every value is escaped where it is written."""
    return _environment().get_template(template).render(**values)


def time_text(moment: datetime | None) -> str:
    """A moment as people write it, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""


def number_text(value: float) -> str:
    """A metric, to three digits after the point."""
    return f"{value:.3f}"


def signed_text(value: float) -> str:
    """A difference, with its sign."""
    return f"{value:+.3f}"


def humanize(name: str) -> str:
    """`validate_data` as people say it."""
    return name.replace("_", " ").lower()


def params_text(text: str) -> str:
    """A model's parameters, from JSON, as `learning_rate=0.05123, loss=poisson`; text that is no JSON object as it is."""
    try:
        return format_params(text)
    except (ValueError, AttributeError):
        return text


def web_address(text: str) -> str:
    """`text` where it is an http address, else nothing: it becomes a link."""
    return text if urlsplit(text).scheme in ("http", "https") else ""


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
        "number": number_text,
        "signed": signed_text,
        "humanize": humanize,
        "params": params_text,
        "web": web_address,
        "path": lambda text: quote(text, safe=""),
    }
    made.globals |= {"stages": stages, "stopped_at": stopped_at, "scale_of": scale_of, "side": side, "picture_width": WIDTH}
    return made
