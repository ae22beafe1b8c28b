"""Drift (the newest span against earlier ones) and skew (serving data against training data): distributions are compared.

A distance is an anomaly if it is above its limit and above the critical value, which sampling alone rarely exceeds.
"""

from dataclasses import dataclass

from taxiway.data.profiling.distance import (
    SIGNIFICANCE,
    jensen_shannon,
    jensen_shannon_critical_value,
    l_infinity,
    l_infinity_critical_value,
    normalized_difference,
    normalized_difference_critical_value,
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
class ComparedData:
    """Which rows are compared with which, and how messages name them.

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
        """The feature's constraint: its drift limit or its skew limit."""
        return feature.drift if self.kind == "drift" else feature.skew


@dataclass(frozen=True)
class MeasuredDistance:
    """The distance between two columns.

    Attributes:
        measure: The measure, such as `L-infinity distance`.
        distance: Its value, from 0 to 1.
        critical_value: The distance that two samples of the same distribution, with these numbers of values, exceed with a
            probability of about 0.001 or less. 1 or more if the columns have so few values that any distance is that likely.
        values: The numbers of values of both columns.
        message: What changed, for messages.
        changed_value: The categorical value that changed most; empty for numbers.
    """

    measure: str
    distance: float
    critical_value: float
    values: tuple[int, int]
    message: str
    changed_value: str = ""

    @property
    def is_measurable(self) -> bool:
        """Whether there are enough values to tell any distance from that of two samples of the same distribution."""
        return self.critical_value < 1

    @property
    def critical_value_text(self) -> str:
        """The critical value in words."""
        sizes = "with {:,} and {:,} values".format(*self.values)
        if not self.is_measurable:
            return f"{sizes}, sampling alone can cause any distance"
        return f"{sizes}, sampling alone exceeds {self.critical_value:.3f} about once in {1 / SIGNIFICANCE:,.0f} comparisons or less often"


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Compare each feature with a drift limit with earlier rows, and each feature with a skew limit with serving data."""
    schema, newest = check_input.schema, check_input.newest
    if check_input.baseline is not None:
        _check(
            check_input.baseline.profile,
            newest.profile,
            ComparedData("drift", newest.name, newest.title, check_input.baseline.name),
            schema,
            results,
        )
        if not any(feature.drift for feature in schema.features):
            results.add_note(
                f"drift from {check_input.baseline.name} was not checked: no feature in the schema has a drift limit"
            )
    if check_input.serving is not None:
        _check(
            newest.profile, check_input.serving.profile, ComparedData("skew", "serving", "serving", "training"), schema, results
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


def _check(reference: Profile, current: Profile, compared: ComparedData, schema: Schema, results: CheckResults) -> None:
    for feature in schema.features:
        column, constraint = current.column(feature.name), compared.constraint(feature)
        if constraint is None or (compared.kind == "skew" and not feature.expected_in(SERVING)):
            continue
        if column is None or not fits(feature, column):
            # Other checks report this for the rows that are checked; serving data is only compared.
            if compared.kind == "skew":
                problem = "there is no such column in serving" if column is None else f"it is {column.storage} in serving"
                results.add(_unmeasured_anomaly(problem, feature, constraint, compared))
            continue
        reference_column = reference.column(feature.name)
        if reference_column is None or reference_column.present or column.present or not fits(feature, reference_column):
            results.add(_compare_column(reference_column, column, feature, constraint, compared, results))


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
    critical_value = normalized_difference_critical_value if by_row_counts else l_infinity_critical_value
    change_text = (
        f"the number of rows with {quoted(change.value)} changed from {change.before:,.0f} in {reference_name} to {change.after:,.0f}"
        if by_row_counts
        else f"the share of {quoted(change.value)} changed from {percent(change.before)} in {reference_name} to {percent(change.after)}"
    )
    name = "normalized difference" if by_row_counts else "L-infinity distance"
    return MeasuredDistance(
        name,
        change.distance,
        critical_value(reference, current),
        (reference.present, current.present),
        f"{feature.name}: {change_text} in {current_name}",
        quoted(change.value),
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
        "Jensen-Shannon divergence",
        jensen_shannon(reference, current),
        jensen_shannon_critical_value(reference, current),
        (reference.present, current.present),
        message,
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
    compared: ComparedData,
    results: CheckResults,
) -> Anomaly | None:
    if reference is None or not fits(feature, reference):
        found = "there is no such column" if reference is None else f"it is {reference.storage}"
        return _unmeasured_anomaly(f"{found} in {compared.reference_name}", feature, constraint, compared)
    if not reference.present or not current.present:
        side = compared.reference_name if current.present else compared.current_name
        return _unmeasured_anomaly(f"there are no values in {side}", feature, constraint, compared)
    measured = measure(reference, current, feature, constraint, compared.reference_name, compared.current_name)
    if not measured.is_measurable:
        results.add_note(f"{feature.name}: {compared.kind} was not checked: {measured.critical_value_text}")
    if measured.distance <= max(constraint.limit, measured.critical_value):
        return None
    fix = SchemaChange(path=("features", feature.name, compared.kind, "limit"), value=limit_above(measured.distance))
    return Anomaly(
        kind=compared.kind,
        span=compared.label,
        column=feature.name,
        severity=feature.lowered_severity(constraint.severity),
        observed=f"{measured.measure} {measured.distance:.3f}",
        expected=f"at most {number_text(constraint.limit)}",
        message=f"{measured.message}: {measured.measure} {measured.distance:.3f} (allowed: at most {number_text(constraint.limit)}; "
        f"{measured.critical_value_text}).",
        examples=(measured.changed_value,) if measured.changed_value else (),
        fix=fix,
        proposal=fix.describe(),
    )


def _unmeasured_anomaly(problem: str, feature: Feature, constraint: Drift, compared: ComparedData) -> Anomaly:
    return Anomaly(
        kind=f"{compared.kind}_unmeasured",
        span=compared.label,
        column=feature.name,
        severity=feature.lowered_severity(constraint.severity),
        observed=problem,
        expected="values on both sides",
        message=f"{feature.name}: {compared.current_name} cannot be compared with {compared.reference_name}: {problem}.",
    )
