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
    value_divergence,
    value_divergence_critical_value,
)
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.schema.constraints import Drift
from taxiway.data.schema.feature import CATEGORICAL_TYPES, Feature
from taxiway.data.schema.model import SERVING, Schema
from taxiway.data.validation.checks.columns import fits
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults, limit_above
from taxiway.messages import number_text, number_texts, percent, quoted
from taxiway.records import Anomaly, SchemaChange

_MIN_SHARE_CHANGE = 0.1
_OF_VALUES = {
    "l_infinity": ("L-infinity distance", l_infinity, l_infinity_critical_value),
    "normalized_difference": ("normalized difference", normalized_difference, normalized_difference_critical_value),
    "jensen_shannon": ("Jensen-Shannon divergence", value_divergence, value_divergence_critical_value),
}
"""The measures of strings and booleans: the name, the distance and its critical value."""


@dataclass(frozen=True)
class ComparisonNames:
    """The kind of a comparison, and how anomalies and messages name the rows that are compared.

    Attributes:
        kind: The kind of anomaly: `drift` or `skew`.
        reported_as: What anomalies name as their span: the name of the newest span, or `serving`.
        current_name: How messages name the rows that are checked.
        reference_name: How messages name the rows that they are compared with.
    """

    kind: str
    reported_as: str
    current_name: str
    reference_name: str

    def constraint(self, feature: Feature) -> Drift | None:
        """The feature's constraint: its drift limit or its skew limit."""
        return feature.drift if self.kind == "drift" else feature.skew


@dataclass(frozen=True)
class MeasuredDistance:
    """The distance between two columns.

    Attributes:
        measure_name: The name of the measure, such as `L-infinity distance`.
        value: The distance by this measure, from 0 to 1.
        critical_value: The distance that two samples of the same distribution, with these numbers of values, exceed with a
            probability of about 0.001 or less. At least 1 if there are so few values that no distance would be significant.
        sizes: The numbers of values: of the reference column, then of the current one.
        message: What changed, for messages.
        most_changed_category: The category whose frequency changed most, in quotes; empty for numbers.
    """

    measure_name: str
    value: float
    critical_value: float
    sizes: tuple[int, int]
    message: str
    most_changed_category: str = ""

    @property
    def has_enough_values(self) -> bool:
        """Whether there are enough values for a distance to be significant."""
        return self.critical_value < 1

    @property
    def critical_value_text(self) -> str:
        """The critical value in words."""
        sizes = "with {:,} and {:,} values".format(*self.sizes)
        if not self.has_enough_values:
            return f"{sizes}, sampling alone can cause any distance"
        return f"{sizes}, sampling alone exceeds {self.critical_value:.3f} about once in {1 / SIGNIFICANCE:,.0f} comparisons or less often"


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Compare each feature with a drift limit with earlier rows, and each feature with a skew limit with serving data."""
    schema, newest = check_input.schema, check_input.newest
    if check_input.baseline is not None:
        _check(
            check_input.baseline.profile,
            newest.profile,
            ComparisonNames("drift", newest.name, newest.title, check_input.baseline.name),
            schema,
            results,
        )
        if not any(feature.drift for feature in schema.features):
            results.add_note(
                f"drift from {check_input.baseline.name} was not checked: no feature in the schema has a drift limit"
            )
    if check_input.serving is not None:
        check_skew(newest.profile, check_input.serving.profile, schema, results)
    if check_input.requests is not None:
        check_skew(newest.profile, check_input.requests.profile, check_input.request_schema, results)
    _note_skew(check_input, results)


def check_skew(training: Profile, serving: Profile, schema: Schema, results: CheckResults) -> None:
    """Compare each feature with a skew limit with training data.

    Args:
        training: The profile of the training data.
        serving: The profile of the serving data.
        schema: The schema.
        results: Where anomalies are added.
    """
    _check(training, serving, ComparisonNames("skew", "serving", "the serving data", "the training data"), schema, results)


def _note_skew(check_input: CheckInput, results: CheckResults) -> None:
    limited = check_input.schema.feature_skew is not None or any(feature.skew for feature in check_input.schema.features)
    if check_input.serving is None and check_input.requests is None and limited:
        results.add_note(
            "skew was not checked: there is no serving data; pass it with taxiway validate --serving. A pipeline takes it from the request "
            "log that monitor.log names, if that has requests of the newest span"
        )
    if check_input.serving is not None and not limited:
        results.add_note(
            "serving data was not compared: the schema has no skew limit on any feature, and no feature_skew section"
        )


def _check(reference: Profile, current: Profile, names: ComparisonNames, schema: Schema, results: CheckResults) -> None:
    for feature in schema.features:
        column, constraint = current.column(feature.name), names.constraint(feature)
        if constraint is None or (names.kind == "skew" and not feature.expected_in(SERVING)):
            continue
        if column is None or not fits(feature, column):
            # Other checks report this for the rows that are checked; serving data is only compared.
            if names.kind == "skew":
                problem = (
                    "there is no such column in the serving data"
                    if column is None
                    else f"it is {column.storage} in the serving data"
                )
                results.add(_unmeasured_anomaly(problem, feature, constraint, names))
            continue
        reference_column = reference.column(feature.name)
        if reference_column is None or reference_column.present or column.present or not fits(feature, reference_column):
            results.add(_compare_column(reference_column, column, feature, constraint, names, results))


def measure(
    reference: ColumnProfile,
    current: ColumnProfile,
    feature: Feature,
    constraint: Drift,
    reference_name: str,
    current_name: str,
) -> MeasuredDistance:
    """The distance of two columns that both have values.

    The measure of strings and booleans is `constraint.distance`, by default the L-infinity distance. That of all other features is
    the Jensen-Shannon divergence; `constraint.distance` is not used.
    """
    if feature.type not in CATEGORICAL_TYPES:
        return _jensen_shannon(reference, current, feature, reference_name, current_name)
    by_row_counts = constraint.distance == "normalized_difference"
    name, distance, critical_value = _OF_VALUES[constraint.distance or "l_infinity"]
    change = distance(reference, current)
    change_text = (
        f"the number of rows with {quoted(change.value)} changed from {change.before:,.0f} in {reference_name} to {change.after:,.0f}"
        if by_row_counts
        else f"the share of {quoted(change.value)} changed from {percent(change.before)} in {reference_name} to {percent(change.after)}"
    )
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
    """The integer whose share changed most, if by at least 10 percentage points: for example a new sentinel for missing values."""
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
    names: ComparisonNames,
    results: CheckResults,
) -> Anomaly | None:
    if reference is None or not fits(feature, reference):
        found = "there is no such column" if reference is None else f"it is {reference.storage}"
        return _unmeasured_anomaly(f"{found} in {names.reference_name}", feature, constraint, names)
    if not reference.present or not current.present:
        side = names.reference_name if current.present else names.current_name
        return _unmeasured_anomaly(f"there are no values in {side}", feature, constraint, names)
    measured = measure(reference, current, feature, constraint, names.reference_name, names.current_name)
    if not measured.has_enough_values:
        results.add_note(f"{feature.name}: {names.kind} was not checked: {measured.critical_value_text}")
    if measured.value <= max(constraint.limit, measured.critical_value):
        return None
    fix = SchemaChange(path=("features", feature.name, names.kind, "limit"), value=limit_above(measured.value))
    return Anomaly(
        kind=names.kind,
        span=names.reported_as,
        column=feature.name,
        severity=feature.lowered_severity(constraint.severity),
        observed=f"{measured.measure_name} {measured.value:.3f}",
        expected=f"at most {number_text(constraint.limit)}",
        message=f"{measured.message}: {measured.measure_name} {measured.value:.3f} (allowed: at most {number_text(constraint.limit)}; "
        f"{measured.critical_value_text}).",
        examples=(measured.most_changed_category,) if measured.most_changed_category else (),
        fix=fix,
        proposal=fix.describe(),
    )


def _unmeasured_anomaly(problem: str, feature: Feature, constraint: Drift, names: ComparisonNames) -> Anomaly:
    return Anomaly(
        kind=f"{names.kind}_unmeasured",
        span=names.reported_as,
        column=feature.name,
        severity=feature.lowered_severity(constraint.severity),
        observed=problem,
        expected=f"a column of type {feature.type} with values, in {names.reference_name} and in {names.current_name}",
        message=f"{feature.name}: {names.current_name} cannot be compared with {names.reference_name}: {problem}.",
    )
