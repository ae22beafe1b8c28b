"""Monitors the champion of a pipeline, and records what was found as an MLflow run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from taxiway.errors import ConfigError
from taxiway.messages import counted, names_text
from taxiway.spec.monitor import Monitor
from taxiway.stages.batch.version import Version, find_version
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.described import described, input_messages, interval_text, served_performance
from taxiway.stages.monitor.monitor import Asked, Monitored, MonitoredWindow, monitor
from taxiway.stages.monitor.windows import Every
from taxiway.tracking import tags

FILE = "monitor.json"
"""The artifact of such a run, as `taxiway monitor --json` prints it."""


@dataclass(frozen=True)
class Alert:
    """What is wrong with the newest window of the champion.

    Attributes:
        version: The champion.
        first: The first day of the window.
        kind: `realised` or `estimated` if this performance is worse than on the evaluation rows; `data` if inputs have anomalies.
        messages: The evidence.
    """

    version: int
    first: date
    kind: str
    messages: tuple[str, ...]

    def described(self) -> dict[str, Any]:
        """The alert as content for JSON."""
        return {**asdict(self), "first": str(self.first), "messages": list(self.messages)}


def monitor_champion(context: StageContext) -> Monitored:
    """Compare the newest windows of the champion with its evaluation rows, and record them.

    Args:
        context: The run; its pipeline has a section `monitor`.

    Raises:
        ConfigError: The pipeline has no champion, or the log is not a folder.
        NoRequestsError: The champion has answered no requests in these windows.
        TerminalError: Its records cannot be read, or its scores are withheld.
    """
    from taxiway.registry.load import load_trusted

    asked = context.pipeline.monitor
    if asked is None:
        raise ConfigError(f"{context.pipeline.name} has no section monitor; add it to the pipeline file")
    version = find_version(context.ledger, context.pipeline.name)
    log = Path(context.services.filled(asked.log))
    loaded = load_trusted(context.registry.tracking_uri, version.model, version.version, code=context.code, files=version.files)
    since = first_day(context.clock().date(), asked)
    of = Asked(asked.window, asked.metric, since, schema=context.schema())
    found = monitor(context.registry, version, loaded, log, of, store=context.store, show=context.log.info)
    _record(context, version, found)
    for window in found.windows:
        context.log.info("%s", _line(found, window))
    return found


def first_day(today: date, asked: Monitor) -> date:
    """The first day of the oldest window that a run compares."""
    first = today
    for _ in range(asked.windows - 1):
        first = _begin(first, asked.window) - timedelta(days=1)
    return _begin(first, asked.window)


@contextmanager
def new_alert(context: StageContext, found: Monitored) -> Iterator[Alert | None]:
    """The alert of the newest window with enough rows, if it has one that has not been told yet.

    A worse performance is an alert, and so are anomalies of the inputs by the schema. It counts as told when the block ends without an error. The same window is told again if labels confirm an estimate, or if another
    version answers.

    Args:
        context: The run.
        found: What was found.
    """
    ref, newest = f"monitored/{context.pipeline.name}", found.newest
    if newest is None or not (newest.performance.alert or newest.anomalies):
        yield None
        return
    performance = newest.performance
    alert = Alert(found.version.version, performance.first, performance.alert or "data", tuple(_evidence(found, newest)))
    key = json.dumps([alert.version, str(alert.first), alert.kind])
    if context.store.get_ref(ref) == key:
        yield None
        return
    for message in alert.messages:
        context.log.warning("%s", message)
    yield alert
    context.store.set_ref(ref, key)


def _begin(day: date, every: Every) -> date:
    """The first day of the window of a day."""
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday() if every == "week" else 0)


def _record(context: StageContext, version: Version, found: Monitored) -> None:
    """Record the windows in MLflow, with the first day of each as the step of its metrics, such as 20130603."""
    values: dict[str, dict[int, float]] = {}
    for window in found.windows:
        of, step = window.performance, int(f"{window.performance.first:%Y%m%d}")
        known = {f"estimated_{found.reference.metric}": of.estimated, f"realised_{found.reference.metric}": of.realised}
        numbers = {name: interval.value for name, interval in known.items() if interval is not None}
        for name, value in {
            **numbers,
            "rows": of.rows,
            "labelled": of.labelled,
            "drifted": len(window.drift.columns),
            "anomalies": len(window.anomalies),
        }.items():
            values.setdefault(name, {})[step] = value
    newest = found.newest
    context.recorder.history(values)
    record = served_performance(found, context.clock())
    context.store.put(record)
    context.recorder.record(
        record,
        tags={
            tags.MONITORED_VERSION: str(version.version),
            tags.ALERT: newest.performance.alert or "none" if newest is not None else "none",
            tags.NOTE: "\n".join(f"* {_line(found, window)}" for window in found.windows),
        },
    )
    content: dict[str, Any] = described(found)
    context.recorder.files("monitor", {FILE: json.dumps(content, indent=2, allow_nan=False).encode()})


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
    if found.causes is not None and window is found.windows[-1]:
        yield found.causes.message
    yield from input_messages(window)
