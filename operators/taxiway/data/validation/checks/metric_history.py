"""The newest span's metrics against those of the spans before it, where the schema watches them."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import Schema
from taxiway.data.schema.watch import _ROUNDING, MetricMonitor
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults
from taxiway.records import Anomaly, Severity


def check(given: CheckInput, results: CheckResults) -> None:
    """Compare the newest span's metrics with those of the spans before it: each watch of the schema, and the ratio of rows."""
    past, newest, schema = given.earlier, given.newest, given.schema
    if schema.rows_ratio is not None and past:
        results.add(_rows_ratio(past, newest.profile, newest.name, schema))
    for watch in schema.metric_checks:
        _check_watch(watch, past, newest.profile, newest.name, schema, results)


def _rows_ratio(past: Sequence[Profile], newest: Profile, span: str, schema: Schema) -> Anomaly | None:
    mean = sum(profile.rows for profile in past) / len(past)
    bounds = schema.rows_ratio
    if bounds is None or not mean or bounds.holds(newest.rows / mean):
        return None
    ratio = newest.rows / mean
    return Anomaly(
        kind="rows_ratio",
        span=span,
        column=None,
        severity=Severity.ERROR,
        observed=f"{ratio:.2f} times as many rows",
        expected=f"{bounds.describe()} times",
        message=f"{span} has {newest.rows:,} rows, {ratio:.2f} times the {mean:,.0f} of the spans before it; {bounds.describe()} times "
        "is expected.",
        proposal=f"rows_ratio.{'min' if bounds.min is not None and ratio < bounds.min else 'max'}: {ratio:.2f}",
    )


def _check_watch(
    watch: MetricMonitor, past: Sequence[Profile], newest: Profile, span: str, schema: Schema, results: CheckResults
) -> None:
    now = metric_of(newest, watch)
    before = [value for profile in past if (value := metric_of(profile, watch)) is not None]
    bounds = limits(watch, before)
    if now is None or bounds is None:
        why = f"{span} has none" if now is None else f"{len(before)} spans before {span} are too few, or the last is 0"
        results.add_note(f"{watch.describe()} was not judged by its history: {why}")
    else:
        results.add(None if bounds[0] <= now <= bounds[1] else _off_history(watch, now, before, bounds, span, schema))


def _off_history(
    watch: MetricMonitor, now: float, before: Sequence[float], bounds: tuple[float, float], span: str, schema: Schema
) -> Anomaly:
    feature = None if watch.column is None else schema.feature(watch.column)
    shown = ", ".join(f"{value:.4g}" for value in before[-3:])
    return Anomaly(
        kind="history",
        span=span,
        column=watch.column,
        severity=Severity.WARNING if feature is not None and feature.stage.warns else watch.severity,
        observed=f"{watch.metric} {now:.4g}",
        expected=f"{bounds[0]:.4g} to {bounds[1]:.4g}",
        message=f"{watch.describe()} is {now:.4g} in {span}; by the {len(before)} spans before it{f' (last {shown})' if shown else ''} it "
        f"should be {bounds[0]:.4g} to {bounds[1]:.4g} (strategy {watch.strategy}).",
    )


def metric_of(profile: Profile, watch: MetricMonitor) -> float | None:
    """The metric's value in one span; None where there is no such column, or no value in it."""
    if watch.metric == "rows":
        return float(profile.rows)
    column = None if watch.column is None else profile.column(watch.column)
    if column is None:
        return None
    if watch.metric == "missing_fraction":
        return 1 - column.present_fraction
    if not column.present:
        return None
    match watch.metric:
        case "zeros_fraction":
            return column.zeros / column.present
        case "distinct" | "uniqueness" | "entropy":
            return float(getattr(column, watch.metric).value)
        case "median":
            return column.quantiles[len(column.quantiles) // 2] if column.quantiles else None
        case "mean_length":
            return column.lengths.mean if column.lengths else None
        case _:
            found: float | None = getattr(column, watch.metric)
            return found


def limits(watch: MetricMonitor, past: Sequence[float]) -> tuple[float, float] | None:
    """Between which values the next one after `past` (oldest first) may be; None where the past is too short to say."""
    match watch.strategy:
        case "bounds":
            return _or(watch.min, -math.inf), _or(watch.max, math.inf)
        case "change" if past:
            return past[-1] - _or(watch.max_decrease, math.inf), past[-1] + _or(watch.max_increase, math.inf)
        case "ratio" if past:
            bounds = past[-1] * _or(watch.min_ratio, -math.inf), past[-1] * _or(watch.max_ratio, math.inf)
            # A quotient by 0 says nothing, and one by a negative value turns the sides around.
            return None if not past[-1] else (min(bounds), max(bounds))
        case "normal" if len(past) >= watch.min_spans:
            middle, reach = fmean(past), _reach(watch.deviations, len(past)) * stdev(past)
            reach = max(reach, _ROUNDING * abs(middle))  # of a constant past, the same value again is inside
            return middle - reach, middle + reach
        case _:
            return None


def _or(number: float | None, otherwise: float) -> float:
    return otherwise if number is None else number


def _reach(deviations: float, spans: int) -> float:
    """How many sample deviations the next value may be away, so that it is as rare as `deviations` of the normal distribution.

    The prediction interval: mean and deviation are known from few spans only, so Student's t takes the normal's place.
    """
    from scipy.stats import t

    return float(t.ppf(NormalDist().cdf(deviations), spans - 1)) * math.sqrt(1 + 1 / spans)
