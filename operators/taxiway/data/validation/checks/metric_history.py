"""The newest span's metrics against those of the spans before it, where the schema watches them."""

from collections.abc import Sequence

from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import Schema
from taxiway.data.schema.watch import Watch, limits, metric_of
from taxiway.data.validation.results import Findings
from taxiway.records import Anomaly, Severity


def check_history(past: Sequence[Profile], newest: Profile, span: str, schema: Schema, findings: Findings) -> None:
    """Every watch of the schema, and the ratio of rows; `past` are the profiles of the spans before, oldest first."""
    if schema.rows_ratio is not None and past:
        findings.add(_rows_ratio(past, newest, span, schema))
    for watch in schema.history:
        findings.add(_watched(watch, past, newest, span, schema, findings))


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
        expected=f"{bounds.words} times",
        sentence=f"{span} has {newest.rows:,} rows, {ratio:.2f} times the {mean:,.0f} of the spans before it; {bounds.words} times "
        "is expected.",
        proposal=f"rows_ratio.{'min' if bounds.min is not None and ratio < bounds.min else 'max'}: {ratio:.2f}",
    )


def _watched(
    watch: Watch, past: Sequence[Profile], newest: Profile, span: str, schema: Schema, findings: Findings
) -> Anomaly | None:
    now = metric_of(newest, watch)
    before = [value for profile in past if (value := metric_of(profile, watch)) is not None]
    bounds = limits(watch, before)
    if now is None or bounds is None:
        why = f"{span} has none" if now is None else f"{len(before)} spans before {span} are too few, or the last is 0"
        findings.note(f"{watch.words} was not judged by its history: {why}")
        return None
    if bounds[0] <= now <= bounds[1]:
        return None
    feature = None if watch.column is None else schema.feature(watch.column)
    shown = ", ".join(f"{value:.4g}" for value in before[-3:])
    return Anomaly(
        kind="history",
        span=span,
        column=watch.column,
        severity=Severity.WARNING if feature is not None and feature.stage.warns else watch.severity,
        observed=f"{watch.metric} {now:.4g}",
        expected=f"{bounds[0]:.4g} to {bounds[1]:.4g}",
        sentence=f"{watch.words} is {now:.4g} in {span}; by the {len(before)} spans before it{f' (last {shown})' if shown else ''} it "
        f"should be {bounds[0]:.4g} to {bounds[1]:.4g} (strategy {watch.strategy}).",
    )
