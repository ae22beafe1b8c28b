"""The alerts of monitoring, each of which is told once."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from taxiway.stages.context import StageContext
from taxiway.stages.monitor.described import input_messages, interval_text
from taxiway.stages.monitor.monitored import Monitored, MonitoredWindow
from taxiway.stages.monitor.windows.labels.audits import command_text
from taxiway.stages.monitor.windows.log_windows import log_folder
from taxiway.stages.monitor.windows.performance import MIN_ROWS


@dataclass(frozen=True)
class Alert:
    """What is wrong with a window of the champion, or what is to be done about it.

    Attributes:
        version: The champion.
        first: The first day of the window; of an audit, the day of the last one; of a rollback, its day.
        kind: `realised` or `estimated` if this performance is worse than on the evaluation rows; `data` if inputs have anomalies; `check`
            if a check of the team's own has found something; `outliers` if more rows than usual are outliers; `drift` if inputs have drifted that had not before; `labels` if labels are
            late; `target` if an audit has shown that the metric misses its target; `audit` if labels are needed; `rollback` if the policy
            has replaced the version by the one before it.
        messages: The evidence.
        is_repeated: Whether an earlier try of this run has told it.
    """

    version: int
    first: date
    kind: str
    messages: tuple[str, ...]
    is_repeated: bool = False

    def described(self) -> dict[str, Any]:
        """The alert as content for JSON."""
        return {"version": self.version, "first": str(self.first), "kind": self.kind, "messages": list(self.messages)}


@contextmanager
def new_alerts(context: StageContext, found: Monitored, others: Sequence[Alert] = ()) -> Iterator[tuple[Alert, ...]]:
    """The alerts of windows with enough rows that no other run has told, oldest window first, and other alerts that none has told.

    Only those of the kinds in `monitor.alerts` are told, of a window the most urgent one, and late labels besides. They count as told by this run when the block ends
    without an error. A retry has them again, because Airflow drops what a failed task has told its assets. A window is told again if
    labels confirm an estimate, or if another version answers.

    Args:
        context: The run.
        found: What was found.
        others: Alerts that are not of a window.
    """
    told = _told(context)
    asked = context.pipeline.monitor
    kinds = asked.alerts if asked is not None else ()
    own = (alert for alert in (*_audit_alerts(context, found), *_window_alerts(found, kinds)) if alert.kind in kinds)
    alerts = {_key(alert): alert for alert in (*own, *others)}
    new = tuple(alert for key, alert in alerts.items() if told.get(key, context.run) == context.run)
    for message in (message for alert in new for message in alert.messages):
        context.log.warning("%s", message)
    yield tuple(replace(alert, is_repeated=_key(alert) in told) for alert in new)
    now = {key: told.get(key, context.run) for key in alerts}
    if now != told:
        context.store.set_ref(_ref(context), json.dumps(now))


def is_told_by_another_run(context: StageContext, alert: Alert) -> bool:
    """Whether another run than this one has told an alert."""
    return _told(context).get(_key(alert), context.run) != context.run


def _told(context: StageContext) -> dict[str, str]:
    """The run that has told each alert, by its key."""
    told: dict[str, str] = json.loads(context.store.get_ref(_ref(context)) or "{}")
    return told


def _ref(context: StageContext) -> str:
    return f"monitored/{context.pipeline.name}"


def _window_alerts(found: Monitored, kinds: Collection[str]) -> Iterator[Alert]:
    for window in found.windows:
        of, version = window.performance, found.version.version
        known = {
            of.alert: True,
            "data": window.anomalies,
            "check": window.findings,
            "outliers": window.outliers is not None and window.outliers.record.too_many,
            "drift": window.has_new_drift,
        }
        kind = next((name for name, is_so in known.items() if is_so and name in kinds), "")
        if kind and of.rows >= MIN_ROWS:
            yield Alert(version, of.first, kind, tuple(_evidence(found, window)))
        if window.labels is not None and window.labels.late:
            yield Alert(version, of.first, "labels", (window.labels.late,))


def _audit_alerts(context: StageContext, found: Monitored) -> Iterator[Alert]:
    asked, audit = context.pipeline.monitor, found.audit
    if audit is not None and audit.misses_target:
        yield Alert(found.version.version, audit.plan.last.at, "target", audit.plan.messages)
    if asked is not None and audit is not None and audit.is_due:
        command = command_text(found.version, log_folder(context, asked), audit.plan.policy, asked.window, asked.windows)
        messages = (*audit.messages, f"to write the rows that are to be labelled: {command}")
        yield Alert(found.version.version, audit.plan.last.at, "audit", messages)


def _key(alert: Alert) -> str:
    return f"{alert.version} {alert.first} {alert.kind}"


def _evidence(found: Monitored, window: MonitoredWindow) -> Iterator[str]:
    of, reference = window.performance, found.reference
    interval = of.realised if of.alert == "realised" else of.estimated
    if of.alert and interval is not None:
        yield (
            f"the {of.alert} {reference.metric} of version {found.version.version} is {interval_text(interval)} in the window from {of.first}, and "
            f"{interval_text(reference.performance)} on its evaluation rows"
        )
    if found.causes is not None and found.causes.first == of.first:
        yield found.causes.message
    yield from input_messages(window)
