"""What was found about a version in production, as a record and as content for JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from taxiway.monitoring import expected_gain
from taxiway.records.served import MOST_EARLIER, AlertKind, EarlierWindow, ServedAlert, ServedPerformance, ServedWindow

if TYPE_CHECKING:
    from taxiway.records import Interval
    from taxiway.stages.monitor.monitor import Monitored, MonitoredWindow


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


def served_performance(found: "Monitored", at: datetime, before: ServedPerformance | None = None) -> ServedPerformance:
    """The record of what was found.

    Args:
        found: What was found.
        at: When.
        before: The record of the run before, whose windows it keeps; None if there is none.
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
        alerts=tuple(_alerts(found)),
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
            window=window.model_copy(update={"messages": (), "band": None}),
        )
        for window in before.windows
    )
    kept = {(each.version, each.window.first): each for each in (*before.earlier, *own)}
    left = [each for key, each in kept.items() if key not in compared]
    return tuple(sorted(left, key=lambda each: (each.window.first, each.version))[-MOST_EARLIER:])


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
    if found.audit is not None and found.audit.misses_target:
        yield _alert(found, found.audit.plan.last.at, AlertKind.TARGET)
    if found.audit is not None and found.audit.is_due:
        yield _alert(found, found.audit.plan.last.at, AlertKind.AUDIT)


def _alert(found: "Monitored", first: date, kind: AlertKind) -> ServedAlert:
    return ServedAlert(model=found.version.model, version=found.version.version, first=first, kind=kind)


def input_messages(window: "MonitoredWindow") -> Iterator[str]:
    """What is known about the rows of a window: anomalies by the schema, findings of checks, then drift."""
    yield from (each.message for each in window.anomalies)
    yield from window.findings
    yield from (each.message for each in window.drift.columns)
    if window.drift.joint is not None:
        yield window.drift.joint.message


def interval_text(found: "Interval") -> str:
    """A value of a metric with its interval, such as `0.648 (0.638 to 0.657)`."""
    return expected_gain.interval_text(found.value, found.low, found.high)


def _window(window: "MonitoredWindow") -> dict[str, Any]:
    of = window.performance
    return {
        **asdict(of),
        "first": str(of.first),
        "estimated": _interval(of.estimated),
        "estimated_of_labelled": _interval(of.estimated_of_labelled),
        "realised": _interval(of.realised),
        "drift": [asdict(drift) for drift in window.drift.columns],
        "anomalies": [each.message for each in window.anomalies],
        "findings": list(window.findings),
        "operation": window.operation and window.operation.model_dump(mode="json"),
        "joint_drift": window.drift.joint and asdict(window.drift.joint),
    }


def _interval(found: "Interval | None") -> dict[str, Any] | None:
    return None if found is None else found.model_dump(mode="json")
