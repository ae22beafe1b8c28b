"""Monitors the champion of a pipeline, and records what was found as an MLflow run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from taxiway.errors import ConfigError, NoRequestsError
from taxiway.ledger.entry import Entry
from taxiway.lineage.monitoring import newest_monitoring, record_served
from taxiway.messages import counted, names_text, percent
from taxiway.records.served import ServedPerformance
from taxiway.stages.batch.version import Version, find_version, load_version
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.described import described, interval_text, served_performance
from taxiway.stages.monitor.monitor import monitor
from taxiway.stages.monitor.monitored import Asked, Monitored, MonitoredWindow
from taxiway.stages.monitor.outliers.found import outlier_file
from taxiway.stages.monitor.windows.labels.audits import champion_audit
from taxiway.stages.monitor.windows.log_windows import log_folder, oldest_day
from taxiway.store import LOST
from taxiway.tracking import tags

FILE = "monitor.json"
"""The artifact of such a run, as `taxiway monitor --json` prints it."""
OUTLIERS = "outliers.parquet"
"""The artifact with the outliers of all windows; absent if rows are not scored."""


def monitor_champion(context: StageContext, known: Sequence[Entry], replaced: int | None = None) -> Monitored:
    """Compare the newest windows of the champion with its evaluation rows, and record them.

    Args:
        context: The run; its pipeline has a section `monitor`.
        known: The promotions of the pipeline, newest first.
        replaced: The version to monitor instead, which was champion until it was rolled back; None for the champion.

    Raises:
        ConfigError: The pipeline has no section `monitor`, or the log is not a folder.
        NoRequestsError: There is no champion yet, or it has answered no requests in these windows.
        TerminalError: Its records cannot be read, or its scores are withheld.
    """
    from taxiway.registry.alias_moves import champion_now
    from taxiway.stages.monitor.causes import root_causes
    from taxiway.stages.monitor.previous import PreviousAsked, previous_performance
    from taxiway.stages.monitor.slices import worse_slices
    from taxiway.stages.monitor.windows.labels.rows import period_of

    before = _recorded(context)
    asked = context.pipeline.monitor
    if asked is None:
        raise ConfigError(f"{context.pipeline.name} has no section monitor; add it to the pipeline file")
    if replaced is None and champion_now(context.ledger, context.pipeline.name, known) is None:
        raise NoRequestsError(f"{context.pipeline.name} has no champion yet, so there is nothing to monitor")
    name = context.pipeline.name if replaced is None else f"{context.pipeline.name}/{replaced}"
    version = find_version(context.ledger, name, known)
    log = log_folder(context, asked)
    loaded = load_version(context.registry, version, context.code)
    since = oldest_day(context.clock().date(), asked.window, asked.windows)
    of = Asked(
        asked.window,
        asked.metric,
        since,
        schema=context.schema(),
        checks=asked.checks,
        labels_after=asked.labels_after,
        outliers=asked.outliers,
    )
    found = monitor(context.registry, version, loaded, log, of, store=context.store, show=context.log.info)
    windows = [window.performance for window in found.windows]
    found = replace(found, audit=champion_audit(context, asked, version, found.reference, windows, before))
    period = period_of(log, since, None)
    found = replace(found, slices=worse_slices(found, loaded, period, asked.window, context.store))
    found = replace(found, causes=root_causes(found, asked.window, context.ledger, context.store, before))
    if asked.previous or asked.rollback is not None:
        compare = PreviousAsked(context.ledger, known, context.store, period, context.code)
        found = replace(found, previous=previous_performance(compare, found, loaded))
    found = replace(found, record=_record(context, version, found, before))
    for line in _lines(found):
        context.log.info("%s", line)
    return found


def _recorded(context: StageContext) -> ServedPerformance | None:
    """What the newest run before has recorded; None if there is none, or if its record is lost."""
    run = newest_monitoring(context.registry, context.pipeline.name)
    try:
        return context.store.get(ServedPerformance, run.found) if run is not None else None
    except LOST:
        return None


def _record(context: StageContext, version: Version, found: Monitored, before: ServedPerformance | None) -> str:
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
            **({"outliers": window.outliers.record.share.value} if window.outliers is not None else {}),
        }.items():
            values.setdefault(name, {})[step] = value
    context.recorder.history(values)
    asked = context.pipeline.monitor
    record = served_performance(found, context.clock(), before, asked.alerts if asked is not None else ())
    record_served(context.store, context.pipeline.name, record)
    context.recorder.record(
        record,
        tags={
            tags.MONITORED_VERSION: str(version.version),
            tags.ALERT: found.alert or "none",
            tags.NOTE: "\n".join(f"* {line}" for line in _lines(found)),
        },
    )
    content: dict[str, Any] = described(found)
    files = {FILE: json.dumps(content, indent=2, allow_nan=False).encode()}
    outliers = outlier_file({window.performance.first: window.outliers for window in found.windows})
    context.recorder.files("monitor", files if outliers is None else {**files, OUTLIERS: outliers})
    return record.digest


def _lines(found: Monitored) -> Iterator[str]:
    """The windows and the changes, a sentence each."""
    yield from (_line(found, window) for window in found.windows)
    yield from (change.describe(found.version.version) for change in found.changes)


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
    if window.outliers is not None:
        parts.append(f"{percent(window.outliers.record.share.value)} outliers")
    if window.anomalies:
        parts.append(counted(len(window.anomalies), "anomaly", "anomalies"))
    worse = f"worse ({of.alert}): " if of.alert else ""
    return f"from {of.first}: {worse}{'; '.join(parts)}"
