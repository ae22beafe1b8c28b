"""Monitors the champion of a pipeline, and records what was found as an MLflow run."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from taxiway.errors import ConfigError, NoRequestsError
from taxiway.messages import counted, names_text
from taxiway.spec.monitor import Monitor
from taxiway.stages.batch.version import Version, find_version
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.described import described, input_messages, interval_text, served_performance
from taxiway.stages.monitor.monitor import Asked, Monitored, MonitoredWindow, monitor
from taxiway.stages.monitor.windows.label_audits import champion_audit, command_text
from taxiway.stages.monitor.windows.log_windows import oldest_day
from taxiway.stages.monitor.windows.performance import MIN_ROWS
from taxiway.tracking import tags

FILE = "monitor.json"
"""The artifact of such a run, as `taxiway monitor --json` prints it."""


@dataclass(frozen=True)
class Alert:
    """What is wrong with a window of the champion, or what is to be done about it.

    Attributes:
        version: The champion.
        first: The first day of the window; of an audit, the day of the last one; of a rollback, its day.
        kind: `realised` or `estimated` if this performance is worse than on the evaluation rows; `data` if inputs have anomalies; `check` if
            a check of the team's own has found something; `audit` if labels are needed; `rollback` if the policy has replaced the version by
            the one before it.
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


def monitor_champion(context: StageContext) -> Monitored:
    """Compare the newest windows of the champion with its evaluation rows, and record them.

    Args:
        context: The run; its pipeline has a section `monitor`.

    Raises:
        ConfigError: The pipeline has no section `monitor`, or the log is not a folder.
        NoRequestsError: There is no champion yet, or it has answered no requests in these windows.
        TerminalError: Its records cannot be read, or its scores are withheld.
    """
    from taxiway.registry.alias_moves import champion_now, settled
    from taxiway.registry.load import load_trusted
    from taxiway.stages.monitor.previous import PreviousAsked, previous_performance
    from taxiway.stages.monitor.slices import worse_slices
    from taxiway.stages.monitor.windows.labelled_rows import period_of

    asked = context.pipeline.monitor
    if asked is None:
        raise ConfigError(f"{context.pipeline.name} has no section monitor; add it to the pipeline file")
    # A run that was killed may have decided a rollback, and not have moved the aliases.
    known = settled(context.ledger, context.pipeline.name) if asked.rollback is not None else None
    if champion_now(context.ledger, context.pipeline.name, known) is None:
        raise NoRequestsError(f"{context.pipeline.name} has no champion yet, so there is nothing to monitor")
    version = find_version(context.ledger, context.pipeline.name)
    log = log_folder(context, asked)
    loaded = load_trusted(context.registry.tracking_uri, version.model, version.version, code=context.code, files=version.files)
    since = oldest_day(context.clock().date(), asked.window, asked.windows)
    of = Asked(asked.window, asked.metric, since, schema=context.schema(), checks=asked.checks)
    found = monitor(context.registry, version, loaded, log, of, store=context.store, show=context.log.info)
    windows = [window.performance for window in found.windows]
    found = replace(found, audit=champion_audit(context, asked, version, found.reference, windows))
    period = period_of(log, since, None)
    found = replace(found, slices=worse_slices(context.registry, found, loaded, period, asked.window, context.store))
    if asked.previous or asked.rollback is not None:
        compare = PreviousAsked(context.ledger, context.store, period, context.code)
        found = replace(found, previous=previous_performance(compare, found, loaded))
    found = replace(found, record=_record(context, version, found))
    for window in found.windows:
        context.log.info("%s", _line(found, window))
    return found


def log_folder(context: StageContext, asked: Monitor) -> Path:
    """The folder of the request log.

    Raises:
        ConfigError: The installation has no folder of data, or it is not on a file system.
    """
    path = context.services.filled(asked.log).removeprefix("file://")
    if "://" in path:
        raise ConfigError(f"monitor.log is {path}; allowed: a folder that the Airflow workers mount, which is read by its path")
    return Path(path)


@contextmanager
def new_alerts(context: StageContext, found: Monitored, others: Sequence[Alert] = ()) -> Iterator[tuple[Alert, ...]]:
    """The alerts of windows with enough rows that no other run has told, oldest window first, and other alerts that none has told.

    A worse performance is an alert, and so are anomalies of the inputs by the schema, and labels that are needed. They count as told by this run when the block ends
    without an error. A retry has them again, because Airflow drops what a failed task has told its assets. A window is told again if
    labels confirm an estimate, or if another version answers.

    Args:
        context: The run.
        found: What was found.
        others: Alerts that are not of a window.
    """
    ref = f"monitored/{context.pipeline.name}"
    told: dict[str, str] = json.loads(context.store.get_ref(ref) or "{}")
    alerts = {_key(alert): alert for alert in (*_audit_alerts(context, found), *_window_alerts(found), *others)}
    new = tuple(alert for key, alert in alerts.items() if told.get(key, context.run) == context.run)
    for message in (message for alert in new for message in alert.messages):
        context.log.warning("%s", message)
    yield tuple(replace(alert, is_repeated=_key(alert) in told) for alert in new)
    now = {key: told.get(key, context.run) for key in alerts}
    if now != told:
        context.store.set_ref(ref, json.dumps(now))


def _window_alerts(found: Monitored) -> Iterator[Alert]:
    for window in found.windows:
        of = window.performance
        kind = of.alert or ("data" if window.anomalies else "check" if window.findings else "")
        if kind and of.rows >= MIN_ROWS:
            yield Alert(found.version.version, of.first, kind, tuple(_evidence(found, window)))


def _audit_alerts(context: StageContext, found: Monitored) -> Iterator[Alert]:
    asked, audit = context.pipeline.monitor, found.audit
    if asked is not None and audit is not None and audit.is_due:
        command = command_text(found.version, log_folder(context, asked), audit.plan.policy, asked.window)
        messages = (*audit.messages, f"to write the rows that are to be labelled: {command}")
        yield Alert(found.version.version, audit.plan.last.at, "audit", messages)


def _key(alert: Alert) -> str:
    return f"{alert.version} {alert.first} {alert.kind}"


def _record(context: StageContext, version: Version, found: Monitored) -> str:
    """Record the windows in MLflow, with the first day of each as the step of its metrics, such as 20130603; returns the digest."""
    values: dict[str, dict[int, float]] = {}
    for window in found.windows:
        of, step = window.performance, int(f"{window.performance.first:%Y%m%d}")
        known = {f"estimated_{found.reference.metric}": of.estimated, f"realised_{found.reference.metric}": of.realised}
        numbers = {name: interval.value for name, interval in known.items() if interval is not None}
        for name, value in {
            **numbers,
            "rows": of.rows,
            "labelled": of.labelled,
            "drifted": len(window.drift.columns) + (window.drift.joint is not None),
            "anomalies": len(window.anomalies),
            "findings": len(window.findings),
        }.items():
            values.setdefault(name, {})[step] = value
    context.recorder.history(values)
    record = served_performance(found, context.clock())
    context.store.put(record)
    context.recorder.record(
        record,
        tags={
            tags.MONITORED_VERSION: str(version.version),
            tags.ALERT: found.alert or "none",
            tags.NOTE: "\n".join(f"* {_line(found, window)}" for window in found.windows),
        },
    )
    content: dict[str, Any] = described(found)
    context.recorder.files("monitor", {FILE: json.dumps(content, indent=2, allow_nan=False).encode()})
    return record.digest


def _line(found: Monitored, window: MonitoredWindow) -> str:
    """A window in a sentence."""
    of = window.performance
    known = [
        f"{name} {found.reference.metric} {interval_text(interval)}"
        for name, interval in (("estimated", of.estimated), ("realised", of.realised))
        if interval is not None
    ]
    parts = [f"{of.rows:,} rows, {of.labelled:,} with a label", *known]
    if window.drift.columns:
        parts.append(f"drifted inputs: {names_text([each.column for each in window.drift.columns])}")
    if window.drift.joint is not None:
        parts.append("inputs drifted together")
    if window.anomalies:
        parts.append(counted(len(window.anomalies), "anomaly", "anomalies"))
    worse = f"worse ({of.alert}): " if of.alert else ""
    return f"from {of.first}: {worse}{'; '.join(parts)}"


def _evidence(found: Monitored, window: MonitoredWindow) -> Iterator[str]:
    of, reference = window.performance, found.reference
    interval = of.realised if of.alert == "realised" else of.estimated
    if of.alert and interval is not None:
        yield (
            f"the {of.alert} {reference.metric} of version {found.version.version} is {interval_text(interval)} in the window from {of.first}, and "
            f"{interval_text(reference.performance)} on its evaluation rows"
        )
    if found.causes is not None and window is found.newest:
        yield found.causes.message
    yield from input_messages(window)
