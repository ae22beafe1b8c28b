"""Check the newest span's metrics against those of earlier spans, by the schema's `metric_checks` and `rows_ratio`."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.data.validation.inputs import CheckInput, CheckTarget
from taxiway.data.validation.results import CheckResults
from taxiway.messages import counted
from taxiway.records import Anomaly, Severity

_ROUNDING = 1e-9
"""The relative difference of two metrics that are equal but for rounding."""


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Compare the newest span's metrics with those of the spans before it."""
    earlier, newest, schema = check_input.earlier, check_input.newest, check_input.schema
    if schema.rows_ratio is not None and earlier:
        results.add(_rows_ratio(earlier, newest, schema))
    for monitor in schema.metric_checks:
        _check_monitor(monitor, earlier, newest, schema, results)


def _rows_ratio(earlier: Sequence[Profile], newest: CheckTarget, schema: Schema) -> Anomaly | None:
    rows = newest.profile.rows
    mean = sum(profile.rows for profile in earlier) / len(earlier)
    bounds = schema.rows_ratio
    if bounds is None or not mean or bounds.holds(rows / mean):
        return None
    ratio = rows / mean
    return Anomaly(
        kind="rows_ratio",
        span=newest.name,
        column=None,
        severity=Severity.ERROR,
        observed=f"{ratio:.2f} times the mean number of rows",
        expected=f"{bounds.describe()} times",
        message=f"{newest.title} has {counted(rows, 'row')}, {ratio:.2f} times the mean of the spans before it ({mean:,.0f}); allowed: "
        f"{bounds.describe()} times.",
        proposal=f"rows_ratio.{'min' if bounds.min is not None and ratio < bounds.min else 'max'}: {ratio:.2f}",
    )


def _check_monitor(
    monitor: MetricMonitor, earlier: Sequence[Profile], newest: CheckTarget, schema: Schema, results: CheckResults
) -> None:
    now = metric_of(newest.profile, monitor)
    before = [value for profile in earlier if (value := metric_of(profile, monitor)) is not None]
    bounds = limits(monitor, before)
    if now is None or bounds is None:
        why = f"{newest.title} has no value" if now is None else _why_no_limits(monitor, before)
        results.add_note(f"{monitor.describe()} was not checked ({monitor.strategy}): {why}")
    else:
        results.add(None if bounds[0] <= now <= bounds[1] else _out_of_bounds(monitor, now, before, bounds, newest, schema))


def _why_no_limits(monitor: MetricMonitor, past: Sequence[float]) -> str:
    """Why `limits` is None for these values."""
    if monitor.strategy == "ratio" and past:
        return "the value of the span before it is 0, so there is no ratio to it"
    needed = monitor.min_spans if monitor.strategy == "normal" else 1
    return f"it needs {counted(needed, 'earlier span')} with a value, and there {'is' if len(past) == 1 else 'are'} {len(past)}"


def _out_of_bounds(
    monitor: MetricMonitor,
    now: float,
    before: Sequence[float],
    bounds: tuple[float, float],
    newest: CheckTarget,
    schema: Schema,
) -> Anomaly:
    feature = None if monitor.column is None else schema.feature(monitor.column)
    shown = ", ".join(f"{value:.4g}" for value in before[-3:])
    return Anomaly(
        kind="history",
        span=newest.name,
        column=monitor.column,
        severity=monitor.severity if feature is None else feature.lowered_severity(monitor.severity),
        observed=f"{monitor.metric} {now:.4g}",
        expected=f"{bounds[0]:.4g} to {bounds[1]:.4g}",
        message=f"{monitor.describe()} is {now:.4g} in {newest.title}; allowed: {bounds[0]:.4g} to {bounds[1]:.4g} (strategy {monitor.strategy}, "
        f"{counted(len(before), 'span')} before it{f', last values {shown}' if shown else ''}).",
    )


def metric_of(profile: Profile, monitor: MetricMonitor) -> float | None:
    """The metric's value in one span; None if there is no such column, or no value in it."""
    if monitor.metric == "rows":
        return float(profile.rows)
    column = None if monitor.column is None else profile.column(monitor.column)
    if column is None:
        return None
    if monitor.metric == "missing_fraction":
        return 1 - column.present_fraction
    if not column.present:
        return None
    match monitor.metric:
        case "zeros_fraction":
            return column.zeros / column.present
        case "distinct" | "uniqueness" | "entropy":
            return float(getattr(column, monitor.metric).value)
        case "median":
            return column.quantiles[len(column.quantiles) // 2] if column.quantiles else None
        case "mean_length":
            return column.lengths.mean if column.lengths else None
        case _:
            found: float | None = getattr(column, monitor.metric)
            return found


def limits(monitor: MetricMonitor, past: Sequence[float]) -> tuple[float, float] | None:
    """The smallest and the largest value that a monitor allows for the newest span.

    Args:
        monitor: The monitor.
        past: The values of the earlier spans, oldest first.

    Returns:
        Both limits, inclusive; None if there are too few values, or if the last one is 0 and a ratio to it is limited.
    """
    match monitor.strategy:
        case "bounds":
            return _limit_or(monitor.min, -math.inf), _limit_or(monitor.max, math.inf)
        case "change" if past:
            return past[-1] - _limit_or(monitor.max_decrease, math.inf), past[-1] + _limit_or(monitor.max_increase, math.inf)
        case "ratio" if past:
            bounds = past[-1] * _limit_or(monitor.min_ratio, -math.inf), past[-1] * _limit_or(monitor.max_ratio, math.inf)
            # There is no ratio to 0. With a negative value, the smaller ratio gives the larger limit.
            return None if not past[-1] else (min(bounds), max(bounds))
        case "normal" if len(past) >= monitor.min_spans:
            mean, margin = fmean(past), _margin_in_deviations(monitor.deviations, len(past)) * stdev(past)
            margin = max(margin, _ROUNDING * abs(mean))  # after constant values, the same value is allowed
            return mean - margin, mean + margin
        case _:
            return None


def _limit_or(limit: float | None, unlimited: float) -> float:
    return unlimited if limit is None else limit


def _margin_in_deviations(deviations: float, spans: int) -> float:
    """How many sample standard deviations the next value may be from the mean.

    This is the prediction interval with the coverage of `deviations` of the normal distribution. Mean and deviation are estimated
    from few spans, so Student's t replaces the normal distribution.
    """
    from scipy.stats import t

    return float(t.ppf(NormalDist().cdf(deviations), spans - 1)) * math.sqrt(1 + 1 / spans)
