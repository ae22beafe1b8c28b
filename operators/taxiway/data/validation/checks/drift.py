"""Drift (the newest span against earlier ones) and skew (serving data against training data): distributions are compared.

A distance is an anomaly if it is above its limit and above what is expected by chance at these numbers of rows.
"""

from dataclasses import dataclass

from taxiway.data.profiling.distance import (
    jensen_shannon,
    jensen_shannon_null,
    l_infinity,
    l_infinity_null,
    normalized_difference,
    normalized_difference_null,
)
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.schema.constraints import Drift
from taxiway.data.schema.model import CATEGORICAL_TYPES, SERVING, Feature, Schema
from taxiway.data.validation.checks.columns import fits
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults, limit_above
from taxiway.messages import number_text, number_texts, percent, quoted
from taxiway.records import Anomaly, SchemaChange

_MIN_SHARE_CHANGE = 0.1


@dataclass(frozen=True)
class Comparison:
    """Which rows are compared with which.

    Attributes:
        kind: The kind of anomaly: `drift` or `skew`.
        label: The label under which anomalies are reported: that of a span, or `serving`.
        current_name: How messages name the rows that are checked.
        reference_name: How messages name the rows that they are compared with.
    """

    kind: str
    label: str
    current_name: str
    reference_name: str

    def constraint(self, feature: Feature) -> Drift | None:
        """The feature's constraint for this comparison."""
        return feature.drift if self.kind == "drift" else feature.skew


@dataclass(frozen=True)
class MeasuredDistance:
    """The distance between two columns.

    Attributes:
        measure: The measure, such as `L-infinity distance`.
        distance: Its value, from 0 to 1.
        null_quantile: The distance that two samples of the same distribution exceed by chance at p=0.001.
        message: What changed, for messages.
        changed_value: The categorical value that changed most; empty for numbers.
    """

    measure: str
    distance: float
    null_quantile: float
    message: str
    changed_value: str = ""


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Compare each feature with a drift limit with earlier rows, and each feature with a skew limit with serving data."""
    schema, newest = check_input.schema, check_input.newest
    if check_input.baseline is not None:
        _check(
            check_input.baseline.profile,
            newest.profile,
            Comparison("drift", newest.name, newest.title, check_input.baseline.name),
            schema,
            results,
        )
        if not any(feature.drift for feature in schema.features):
            results.add_note(
                f"drift from {check_input.baseline.name} was not checked: no feature in the schema has a drift limit"
            )
    if check_input.serving is not None:
        _check(
            newest.profile, check_input.serving.profile, Comparison("skew", "serving", "serving", "training"), schema, results
        )
    _note_skew(check_input, results)


def _note_skew(check_input: CheckInput, results: CheckResults) -> None:
    limited = check_input.schema.feature_skew is not None or any(feature.skew for feature in check_input.schema.features)
    if check_input.serving is None and limited:
        results.add_note("skew was not checked: there is no serving data; pass it with taxiway validate --serving")
    if check_input.serving is not None and not limited:
        results.add_note(
            "serving data was not compared: the schema has no skew limit on any feature, and no feature_skew section"
        )


def _check(reference: Profile, current: Profile, comparison: Comparison, schema: Schema, results: CheckResults) -> None:
    for feature in schema.features:
        column, constraint = current.column(feature.name), comparison.constraint(feature)
        if constraint is None or (comparison.kind == "skew" and not feature.expected_in(SERVING)):
            continue
        if column is None or not fits(feature, column):
            # Other checks report this for the rows that are checked; serving data is only compared.
            if comparison.kind == "skew":
                problem = "there is no such column in serving" if column is None else f"it is {column.storage} in serving"
                results.add(_unmeasured_anomaly(problem, feature, constraint, comparison))
            continue
        reference_column = reference.column(feature.name)
        if reference_column is None or reference_column.present or column.present or not fits(feature, reference_column):
            results.add(_compare_column(reference_column, column, feature, constraint, comparison, results))


def measure(
    reference: ColumnProfile,
    current: ColumnProfile,
    feature: Feature,
    constraint: Drift,
    reference_name: str,
    current_name: str,
) -> MeasuredDistance:
    """The distance of two columns that both have values, by the measure of `constraint.distance`, or the default of the type."""
    if feature.type not in CATEGORICAL_TYPES:
        return _jensen_shannon(reference, current, feature, reference_name, current_name)
    by_row_counts = constraint.distance == "normalized_difference"
    change = normalized_difference(reference, current) if by_row_counts else l_infinity(reference, current)
    null_quantile = normalized_difference_null(reference, current) if by_row_counts else l_infinity_null(reference, current)
    change_text = (
        f"the number of rows with {quoted(change.value)} changed from {change.before:,.0f} in {reference_name} to {change.after:,.0f}"
        if by_row_counts
        else f"the share of {quoted(change.value)} changed from {percent(change.before)} in {reference_name} to {percent(change.after)}"
    )
    name = "normalized difference" if by_row_counts else "L-infinity distance"
    return MeasuredDistance(
        name, change.distance, null_quantile, f"{feature.name}: {change_text} in {current_name}", quoted(change.value)
    )


def _jensen_shannon(
    reference: ColumnProfile, current: ColumnProfile, feature: Feature, reference_name: str, current_name: str
) -> MeasuredDistance:
    unit = f" {feature.unit}" if feature.unit else ""
    medians = [profile.quantiles[len(profile.quantiles) // 2] for profile in (reference, current) if profile.quantiles]
    change = (
        "the median changed from {} to {}".format(*number_texts(*medians)) + unit
        if len(medians) == 2
        else "one side has no finite values"
    ) + _changed_most(reference, current)
    message = f"{feature.name}: {current_name} differs from {reference_name} ({change})"
    return MeasuredDistance(
        "Jensen-Shannon divergence", jensen_shannon(reference, current), jensen_shannon_null(reference, current), message
    )


def _changed_most(reference: ColumnProfile, current: ColumnProfile) -> str:
    """The integer whose share changed most, if by at least 10 points: for example a new sentinel for missing values."""
    if not (reference.values and reference.values_complete and current.values and current.values_complete):
        return ""
    change = l_infinity(reference, current)
    if change.distance < _MIN_SHARE_CHANGE:
        return ""
    return f"; the share of {change.value} changed from {percent(change.before)} to {percent(change.after)}"


def _compare_column(
    reference: ColumnProfile | None,
    current: ColumnProfile,
    feature: Feature,
    constraint: Drift,
    comparison: Comparison,
    results: CheckResults,
) -> Anomaly | None:
    if reference is None or not fits(feature, reference):
        found = "there is no such column" if reference is None else f"it is {reference.storage}"
        return _unmeasured_anomaly(f"{found} in {comparison.reference_name}", feature, constraint, comparison)
    if not reference.present or not current.present:
        side = comparison.reference_name if current.present else comparison.current_name
        return _unmeasured_anomaly(f"there are no values in {side}", feature, constraint, comparison)
    measured = measure(reference, current, feature, constraint, comparison.reference_name, comparison.current_name)
    if measured.null_quantile >= 1:
        results.add_note(
            f"{feature.name}: {comparison.kind} was not checked: with so few values, any distance could occur by chance"
        )
    if measured.distance <= max(constraint.limit, measured.null_quantile):
        return None
    fix = SchemaChange(path=("features", feature.name, comparison.kind, "limit"), value=limit_above(measured.distance))
    return Anomaly(
        kind=comparison.kind,
        span=comparison.label,
        column=feature.name,
        severity=feature.lowered_severity(constraint.severity),
        observed=f"{measured.measure} {measured.distance:.3f}",
        expected=f"at most {number_text(constraint.limit)}",
        message=f"{measured.message}: {measured.measure} {measured.distance:.3f} (allowed: at most {number_text(constraint.limit)}; expected by chance at "
        f"p=0.001: {measured.null_quantile:.3f}).",
        examples=(measured.changed_value,) if measured.changed_value else (),
        fix=fix,
        proposal=fix.describe(),
    )


def _unmeasured_anomaly(problem: str, feature: Feature, constraint: Drift, comparison: Comparison) -> Anomaly:
    return Anomaly(
        kind=f"{comparison.kind}_unmeasured",
        span=comparison.label,
        column=feature.name,
        severity=feature.lowered_severity(constraint.severity),
        observed=problem,
        expected="values on both sides",
        message=f"{feature.name}: {comparison.current_name} cannot be compared with {comparison.reference_name}: {problem}.",
    )
