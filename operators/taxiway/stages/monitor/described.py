"""What was found about a version in production, as content for JSON."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

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
        "causes": found.causes and asdict(found.causes),
    }


def interval_text(found: "Interval") -> str:
    """A value of a metric with its interval, such as `0.648 (0.638 to 0.657)`."""
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _window(window: "MonitoredWindow") -> dict[str, Any]:
    of = window.performance
    return {
        **asdict(of),
        "first": str(of.first),
        "estimated": _interval(of.estimated),
        "estimated_of_labelled": _interval(of.estimated_of_labelled),
        "realised": _interval(of.realised),
        "drift": [asdict(drift) for drift in window.drift.columns],
        "anomalies": list(window.anomalies),
        "joint_drift": window.drift.joint and asdict(window.drift.joint),
    }


def _interval(found: "Interval | None") -> dict[str, Any] | None:
    return None if found is None else found.model_dump(mode="json")
