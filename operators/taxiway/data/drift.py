"""The newest span's distributions against those of the training spans together: drift, where the schema sets a limit.

A distance counts where it is above its limit and above what sampling alone would give at these numbers of rows.
"""

from taxiway.data.checks import fits
from taxiway.data.distance import jensen_shannon, jensen_shannon_noise, l_infinity, l_infinity_noise
from taxiway.data.features import CATEGORICAL_TYPES, Drift, Feature, Schema
from taxiway.data.findings import Findings
from taxiway.data.profile import ColumnProfile, Profile
from taxiway.data.words import percent, quoted
from taxiway.records import Anomaly
from taxiway.yaml_file import spelled


def check_drift(training: Profile, newest: Profile, span: str, schema: Schema, findings: Findings) -> None:
    """Compare each feature that has a drift limit; a column that is not there, or of another type, is other checks' business."""
    for feature in schema.features:
        column = newest.column(feature.name)
        if feature.drift is None or column is None or not fits(feature, column):
            continue
        findings.add(_drift(training.column(feature.name), column, span, feature, feature.drift))


def _drift(before: ColumnProfile | None, now: ColumnProfile, span: str, feature: Feature, drift: Drift) -> Anomaly | None:
    if before is None or not fits(feature, before):
        return _unmeasured(
            "the training spans have no such column" if before is None else f"it is {before.storage} in the training spans",
            span,
            feature,
            drift,
        )
    if not before.present or not now.present:
        if before.present == now.present:
            return None
        return _unmeasured(f"{'the training spans have' if now.present else 'it has'} no values", span, feature, drift)
    if feature.type in CATEGORICAL_TYPES:
        return _l_infinity(before, now, span, feature, drift)
    return _jensen_shannon(before, now, span, feature, drift)


def _l_infinity(before: ColumnProfile, now: ColumnProfile, span: str, feature: Feature, drift: Drift) -> Anomaly | None:
    change = l_infinity(before, now)
    if change.distance <= max(drift.limit, l_infinity_noise(before, now)):
        return None
    sentence = (
        f"{feature.name}: the share of {quoted(change.value)} went from {percent(change.share_a)} in the training spans "
        f"to {percent(change.share_b)} in {span}"
    )
    return _anomaly("L-infinity distance", change.distance, sentence, (quoted(change.value),), span, feature, drift)


def _jensen_shannon(before: ColumnProfile, now: ColumnProfile, span: str, feature: Feature, drift: Drift) -> Anomaly | None:
    distance = jensen_shannon(before, now)
    if distance <= max(drift.limit, jensen_shannon_noise(before, now)):
        return None
    unit = f" {feature.unit}" if feature.unit else ""
    medians = [profile.quantiles[len(profile.quantiles) // 2] for profile in (before, now) if profile.quantiles]
    went = (
        f"the median went from {medians[0]:g} to {medians[1]:g}{unit}" if len(medians) == 2 else "one side has no finite values"
    )
    sentence = f"{feature.name}: {span} is unlike the training spans ({went})"
    return _anomaly("Jensen-Shannon divergence", distance, sentence, (), span, feature, drift)


def _anomaly(
    name: str, distance: float, sentence: str, examples: tuple[str, ...], span: str, feature: Feature, drift: Drift
) -> Anomaly:
    # Rounded up, so that the proposed limit lets this distance pass.
    proposed = min(1.0, (int(distance * 1000) + 1) / 1000)
    return Anomaly(
        kind="drift",
        span=span,
        column=feature.name,
        severity=drift.severity,
        observed=f"{name} {distance:.3f}",
        expected=f"at most {drift.limit:g}",
        sentence=f"{sentence}: {name} {distance:.3f}, at most {drift.limit:g} allowed.",
        examples=examples,
        proposal=f"{spelled(('features', feature.name))}.drift.limit: {proposed:g}",
    )


def _unmeasured(why: str, span: str, feature: Feature, drift: Drift) -> Anomaly:
    return Anomaly(
        kind="drift_unmeasured",
        span=span,
        column=feature.name,
        severity=drift.severity,
        observed=why,
        expected="values on both sides",
        sentence=f"{feature.name}: {span} cannot be compared with the training spans: {why}.",
    )
