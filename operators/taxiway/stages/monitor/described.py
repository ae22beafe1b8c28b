"""What was found about a version in production, as a record and as content for JSON."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from taxiway.monitoring.retraining import expected_gain
from taxiway.records.served import MAX_EARLIER, AlertKind, EarlierWindow, ServedAlert, ServedPerformance, ServedWindow

if TYPE_CHECKING:
    from taxiway.records import Interval
    from taxiway.stages.monitor.monitored import Monitored, MonitoredWindow


def described(found: "Monitored") -> dict[str, Any]:
    """The model, the metric, its value on the evaluation rows, and all windows, oldest first."""
    return {
        "model": found.version.model,
        "version": found.version.version,
        "metric": found.reference.metric,
        "evaluation": _interval(found.reference.performance),
        "windows": [_window(window) for window in found.windows],
        "causes": found.causes and found.causes.model_dump(mode="json"),
        "audit": found.audit and found.audit.described(),
        "slices": [each.model_dump(mode="json") for each in found.slices],
        "changes": [each.model_dump(mode="json") for each in found.changes],
        "previous": found.previous and found.previous.model_dump(mode="json"),
    }


def served_performance(
    found: "Monitored", at: datetime, before: ServedPerformance | None = None, alerts: Collection[str] = tuple(AlertKind)
) -> ServedPerformance:
    """The record of what was found.

    Args:
        found: What was found.
        at: When.
        before: The record of the run before, whose windows it keeps; None if there is none.
        alerts: The kinds of alerts that are recorded.
    """
    windows = [
        ServedWindow(
            first=window.performance.first,
            rows=window.performance.rows,
            labelled=window.performance.labelled,
            estimated=window.performance.estimated,
            realised=window.performance.realised,
            worse=window.performance.alert,
            drifted=tuple(each.column for each in window.drift.columns),
            distances=tuple(each.distance for each in window.drift.columns),
            messages=tuple(input_messages(window)),
            anomalies=len(window.anomalies),
            findings=len(window.findings),
            band=found.audit.bands.get(window.performance.first) if found.audit is not None else None,
            operation=window.operation,
            repeated=len(window.performance.repeated),
            alike=window.performance.alike,
            calibration=window.performance.calibration,
            concept_drift=window.performance.concept_drift,
            labels_due=window.labels.due if window.labels is not None else None,
            labels_late=window.labels.late if window.labels is not None else "",
            before=window.since.first if window.since is not None else None,
            outliers=window.outliers.record if window.outliers is not None else None,
            drifted_since=tuple(each.column for each in window.since.drift.columns) if window.since is not None else (),
        )
        for window in found.windows
    ]
    return ServedPerformance(
        model=found.version.model,
        version=found.version.version,
        metric=found.reference.metric,
        evaluation=found.reference.performance,
        windows=tuple(windows),
        cause=found.causes.message if found.causes is not None else "",
        causes=found.causes,
        audit=found.audit.record() if found.audit is not None else None,
        slices=found.slices,
        previous=found.previous,
        alerts=tuple(alert for alert in _alerts(found) if alert.kind in alerts),
        earlier=_earlier(found, before) if before is not None else (),
        silent_since=found.silent_since,
        at=at,
        changes=found.changes,
    )


def _earlier(found: "Monitored", before: ServedPerformance) -> tuple[EarlierWindow, ...]:
    """The windows of the run before and those that it kept, but for those that were compared again."""
    if before.metric != found.reference.metric:
        return ()
    compared = {(found.version.version, window.performance.first) for window in found.windows}
    own = (
        EarlierWindow(
            version=before.version,
            evaluation=before.evaluation,
            window=window.model_copy(update={"messages": (), "band": None, "outliers": None}),
        )
        for window in before.windows
    )
    kept = {(each.version, each.window.first): each for each in (*before.earlier, *own)}
    left = [each for key, each in kept.items() if key not in compared]
    return tuple(sorted(left, key=lambda each: (each.window.first, each.version))[-MAX_EARLIER:])


def _alerts(found: "Monitored") -> Iterator[ServedAlert]:
    """The alerts that stand, the most urgent first."""
    newest, labelled = found.newest, found.newest_labelled
    for kind, window in ((AlertKind.REALISED, labelled), (AlertKind.ESTIMATED, newest)):
        if window is not None and window.performance.alert == kind:
            yield _alert(found, window.performance.first, kind)
    if newest is not None and newest.anomalies:
        yield _alert(found, newest.performance.first, AlertKind.DATA)
    if newest is not None and newest.findings:
        yield _alert(found, newest.performance.first, AlertKind.CHECK)
    if newest is not None and newest.outliers is not None and newest.outliers.record.too_many:
        yield _alert(found, newest.performance.first, AlertKind.OUTLIERS)
    if found.audit is not None and found.audit.misses_target:
        yield _alert(found, found.audit.plan.last.at, AlertKind.TARGET)
    late = next((each for each in reversed(found.windows) if each.labels is not None and each.labels.late), None)
    if late is not None:
        yield _alert(found, late.performance.first, AlertKind.LABELS)
    if found.audit is not None and found.audit.is_due:
        yield _alert(found, found.audit.plan.last.at, AlertKind.AUDIT)
    if newest is not None and newest.has_new_drift:
        yield _alert(found, newest.performance.first, AlertKind.DRIFT)


def _alert(found: "Monitored", first: date, kind: AlertKind) -> ServedAlert:
    return ServedAlert(model=found.version.model, version=found.version.version, first=first, kind=kind)


def input_messages(window: "MonitoredWindow") -> Iterator[str]:
    """What is known about the rows of a window: anomalies by the schema, findings of checks, too many outliers, drift, then what is to be known of them."""
    yield from (each.message for each in window.anomalies)
    yield from window.findings
    if window.outliers is not None and window.outliers.record.too_many:
        yield window.outliers.record.describe()
    yield from (each.message for each in window.drift.columns)
    if window.drift.joint is not None:
        yield window.drift.joint.message
    if window.since is not None:
        yield from window.since.messages
    yield from window.performance.messages
    if window.labels is not None and window.labels.late:
        yield window.labels.late


def interval_text(found: "Interval") -> str:
    """A value of a metric with its interval, such as `0.648 (0.638 to 0.657)`."""
    return expected_gain.interval_text(found.value, found.low, found.high)


def _window(window: "MonitoredWindow") -> dict[str, Any]:
    of = window.performance
    return {
        **asdict(of),
        "repeated": len(of.repeated),
        "calibration": of.calibration and of.calibration.model_dump(mode="json"),
        "first": str(of.first),
        "estimated": _interval(of.estimated),
        "estimated_of_labelled": _interval(of.estimated_of_labelled),
        "realised": _interval(of.realised),
        "drift": [asdict(drift) for drift in window.drift.columns],
        "anomalies": [each.message for each in window.anomalies],
        "findings": list(window.findings),
        "outliers": window.outliers and window.outliers.record.model_dump(mode="json"),
        "operation": window.operation and window.operation.model_dump(mode="json"),
        "labels_due": window.labels and str(window.labels.due),
        "labels_late": window.labels.late if window.labels is not None else "",
        "joint_drift": window.drift.joint and asdict(window.drift.joint),
        "drift_since_before": window.since and {**asdict(window.since), "first": str(window.since.first)},
    }


def _interval(found: "Interval | None") -> dict[str, Any] | None:
    return None if found is None else found.model_dump(mode="json")
