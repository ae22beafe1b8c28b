"""A run of monitoring in this process, without Airflow."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from taxiway.monitoring.retraining import RetrainingDecision
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.monitor.champion import Alert, monitor_champion, new_alerts
from taxiway.stages.monitor.monitor import Monitored
from taxiway.stages.monitor.retraining import retraining


@dataclass(frozen=True)
class MonitoringResult:
    """What a run of monitoring has found.

    Attributes:
        found: The windows of the champion.
        alerts: The alerts that no earlier run has told.
        decision: Whether to train again; None if the pipeline file does not ask, or if no window has enough rows.
    """

    found: Monitored
    alerts: tuple[Alert, ...]
    decision: RetrainingDecision | None


def monitor_in(installation: Installation, pipeline: Pipeline, *, clock: Callable[[], datetime]) -> MonitoringResult:
    """Monitor the champion of a pipeline in an open installation, as its monitoring DAG does.

    Args:
        installation: The store and MLflow.
        pipeline: The pipeline; it has a section `monitor`.
        clock: Returns the current time in UTC.

    Raises:
        ConfigError: The pipeline has no section `monitor`, or the log is not a folder.
        NoRequestsError: There is no champion yet, or it has answered no requests in these windows.
        TerminalError: Its records cannot be read, or its scores are withheld.
    """
    from taxiway.lineage.monitoring import EXPERIMENT
    from taxiway.tracking import tags
    from taxiway.tracking.run import MlflowRun

    run = f"{pipeline.name}.monitor/local__{clock().isoformat(timespec='microseconds')}"
    recorder = MlflowRun.find_or_make(installation.client, EXPERIMENT, run, {tags.PIPELINE: pipeline.name}, clock)
    context = StageContext(
        pipeline=pipeline,
        store=installation.store,
        recorder=recorder,
        registry=installation.client,
        run=run,
        services=installation.services,
        clock=clock,
    )
    try:
        found = monitor_champion(context)
        decision = retraining(context, found)
        with new_alerts(context, found) as alerts:
            pass
    except BaseException:
        recorder.end("FAILED")
        raise
    recorder.end("FINISHED")
    return MonitoringResult(found, alerts, decision)
