"""The HTML report on data: one file without scripts or network requests, with the worst anomalies first.

The content is computed here; the layout is in `data.html`.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from taxiway.data.profiling.distance import density
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.schema.constraints import Drift
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.checks.drift import MeasuredDistance, measure
from taxiway.messages import percent
from taxiway.records import Anomaly, DataReport, Severity, Status

_EXACT_IN_DOUBLES = 1 << 53
_BINS = 24
_SHOWN_VALUES = 10
_LONG_TAIL = 0.5  # the outermost percent is cut if it is longer than this fraction of the range of all others


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram.

    Attributes:
        name: The value or the range of values.
        share: The fraction of the rows with a value.
        reference: The same fraction in the reference data; None without it.
    """

    name: str
    share: float
    reference: float | None


@dataclass(frozen=True)
class ColumnView:
    """One column of the report.

    Attributes:
        name: The name of the column.
        feature: Its feature in the schema; None if the schema does not have it.
        column: Its statistics.
        reference: Its statistics in the reference data; None without them.
        anomalies: The anomalies in the column.
        bars: Its histogram.
        measured: The distance from the reference data; None if there is none.
        weight: The sort key: first anomalies, then distances.
    """

    name: str
    feature: Feature | None
    column: ColumnProfile
    reference: ColumnProfile | None
    anomalies: tuple[Anomaly, ...]
    bars: tuple[Bar, ...]
    measured: MeasuredDistance | None
    weight: tuple[float, ...]

    @property
    def top(self) -> float:
        """The height of the tallest bar, as a fraction of rows."""
        return max([bar.share for bar in self.bars] + [bar.reference or 0.0 for bar in self.bars], default=0.0) or 1.0

    def text(self, value: float | None) -> str:
        """A value of the column as text; see `value_text`."""
        return value_text(value, self.column.type)

    @property
    def state(self) -> str:
        """`error`, `warning` or `fine`: the highest severity of the column's anomalies."""
        if any(anomaly.severity is Severity.ERROR for anomaly in self.anomalies):
            return "error"
        return "warning" if self.anomalies else "fine"


def page_of(
    name: str,
    profile: Profile,
    *,
    report: DataReport | None = None,
    schema: Schema | None = None,
    reference: Profile | None = None,
    reference_name: str = "",
    made: datetime | None = None,
) -> str:
    """The HTML report of a profile.

    Args:
        name: The name of the data.
        profile: Its statistics.
        report: The anomalies to show; None for a profile alone.
        schema: The schema, for units and descriptions.
        reference: Statistics of data to compare with.
        reference_name: The name of that data.
        made: The time to show on the report; now if None.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": value_text, "percent": percent}
    anomalies = report.anomalies if report else ()
    views = [_view(column, schema, reference, reference_name, name, anomalies) for column in profile.columns]
    named = {column.name for column in profile.columns}
    return environment.get_template("data.html").render(
        name=name,
        profile=profile,
        reference=reference,
        reference_name=reference_name,
        report=report,
        passed=report is not None and report.status is Status.PASS,
        blocking=report.blocking if report else (),
        elsewhere=[anomaly for anomaly in anomalies if anomaly.column not in named],
        columns=sorted(views, key=lambda view: view.weight),
        made=made or datetime.now(UTC),
    )


def _view(
    column: ColumnProfile,
    schema: Schema | None,
    reference: Profile | None,
    reference_name: str,
    name: str,
    anomalies: tuple[Anomaly, ...],
) -> ColumnView:
    feature = schema.feature(column.name) if schema else None
    reference_column = reference.column(column.name) if reference else None
    found = tuple(anomaly for anomaly in anomalies if anomaly.column == column.name)
    measured = None
    if reference_column is not None and column.type == reference_column.type and column.present and reference_column.present:
        measurable = feature or _inferred_feature(column)
        if measurable is not None:
            constraint = measurable.drift or measurable.skew or Drift(limit=1.0)
            measured = measure(reference_column, column, measurable, constraint, reference_name, name)
    errors = sum(anomaly.severity is Severity.ERROR for anomaly in found)
    moved = measured.value - measured.critical_value if measured else 0.0
    return ColumnView(
        column.name,
        feature,
        column,
        reference_column,
        found,
        bars(column, reference_column),
        measured,
        (-errors, -len(found), -moved),
    )


def _inferred_feature(column: ColumnProfile) -> Feature | None:
    """A feature for a column that is not in the schema; None if its type has no distance."""
    kinds = {"integer": "integer", "number": "number", "string": "string", "boolean": "boolean"}
    return Feature.model_validate({"name": column.name, "type": kinds[column.type]}) if column.type in kinds else None


def bars(column: ColumnProfile, reference: ColumnProfile | None = None, bins: int = _BINS) -> tuple[Bar, ...]:
    """The histogram of a column: its most frequent values, or at most `bins` bins of equal width.

    Args:
        column: The column's statistics.
        reference: The same column in the reference data, with the same bars.
        bins: The largest number of bins.
    """
    listed = column.type in ("string", "boolean") or (
        column.type == "integer" and column.values_complete and len(column.values) <= _SHOWN_VALUES
    )
    return _value_bars(column, reference) if listed else _number_bars(column, reference, bins)


def _value_bars(column: ColumnProfile, reference: ColumnProfile | None) -> tuple[Bar, ...]:
    """The values that are most frequent on either side."""
    here = {item.value: item.rows / column.present for item in column.values}
    there = {item.value: item.rows / reference.present for item in reference.values} if reference else {}
    ordered = sorted({*here, *there}, key=lambda value: (-max(here.get(value, 0.0), there.get(value, 0.0)), value))
    shown = ordered[:_SHOWN_VALUES]
    if column.type == "integer":
        shown.sort(key=float)  # after a merge of numbers and integers, they may be written as either
    return tuple(Bar(value, here.get(value, 0.0), there.get(value, 0.0) if reference else None) for value in shown)


def _number_bars(column: ColumnProfile, reference: ColumnProfile | None, bins: int) -> tuple[Bar, ...]:
    """Bins of equal width over the range of both sides; the outermost bin includes a long tail."""
    sides = [side for side in (column, reference) if side is not None and side.quantiles]
    if not sides:
        return ()
    edges = _edges([side.quantiles for side in sides], bins, whole=column.type == "integer")
    if len(edges) == 1:
        return (Bar(value_text(edges[0], column.type), 1.0, 1.0 if reference else None),)
    shares = [_shares(side, edges) for side in (column, reference)]
    names = [f"{value_text(low, column.type)} to {value_text(high, column.type)}" for low, high in pairwise(edges)]
    if min(side.quantiles[0] for side in sides) < edges[0]:
        names[0] = f"{value_text(edges[1], column.type)} and less"
    if max(side.quantiles[-1] for side in sides) > edges[-1]:
        names[-1] = f"{value_text(edges[-2], column.type)} and more"
    if column.type == "integer" and edges[1] - edges[0] == 1:
        names = [value_text(low + 0.5) for low in edges[:-1]]
    return tuple(Bar(name, shares[0][at], shares[1][at] if reference is not None else None) for at, name in enumerate(names))


def _edges(quantiles: list[tuple[float, ...]], bins: int, *, whole: bool) -> list[float]:
    """The edges of the bins, or the only value. Bins of integers (`whole`) are at least 1 wide."""
    ends = [min(side[0] for side in quantiles), max(side[-1] for side in quantiles)]
    inner = [min(side[1] for side in quantiles), max(side[-2] for side in quantiles)]
    width = (inner[1] - inner[0]) / bins
    low, high = (
        end if abs(end - near) <= _LONG_TAIL * bins * width or not width else near
        for end, near in zip(ends, inner, strict=True)
    )
    if low == high:
        return [low]
    if whole and high - low < bins:
        return [low - 0.5 + step for step in range(int(high - low) + 2)]
    return [low + (high - low) * step / bins for step in range(bins + 1)]


def _shares(column: ColumnProfile | None, edges: list[float]) -> list[float]:
    """The fraction of a column's finite values in each bin, estimated from its quantiles."""
    if column is None or not column.quantiles:
        return [0.0] * (len(edges) - 1)
    points = frozenset(low for low, high in pairwise(column.quantiles) if low == high)
    found = density(column, points)
    # The outermost bins have no ends, so that nothing is left out.
    inner = edges[1:-1]
    shares = [
        sum(mass * max(0.0, min(end, high) - max(start, low)) / (end - start) for start, end, mass in found.pieces)
        for low, high in pairwise([-math.inf, *inner, math.inf])
    ]
    for point, mass in found.atoms:
        shares[bisect_right(inner, point)] += mass
    return shares


def _moment_text(seconds: float) -> str:
    """Seconds since 1970 as `2024-01-01 12:30:00`; unlike Python's, its dates reach beyond the years 1 to 9999."""
    import numpy as np

    return str(np.datetime64(math.floor(seconds), "s")).replace("T", " ")


def value_text(value: float | None, kind: str = "number", digits: int = 4) -> str:
    """A statistic of a column as text: dates and times for such columns, else a number.

    Args:
        value: The statistic; dates and times in seconds since 1970.
        kind: The type of the column.
        digits: The significant digits of numbers that are not whole.
    """
    if value is None:
        return "-"
    if kind in ("date", "datetime"):
        return _moment_text(value)[: -len(" 00:00:00") if kind == "date" else -len(":00")]
    if isinstance(value, int) or (value.is_integer() and abs(value) < _EXACT_IN_DOUBLES):
        return f"{int(value):,}"
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e6 else f"{value:.{digits}g}"
