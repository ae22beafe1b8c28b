"""A run of monitoring in this process, without Airflow."""

from collections.abc import Callable
from datetime import datetime

from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.monitor.alerts import Alert, new_alerts
from taxiway.stages.monitor.rollback import rollback_alerts
from taxiway.stages.monitor.run import MonitoringResult, run_monitoring


def monitor_in(
    installation: Installation, pipeline: Pipeline, *, clock: Callable[[], datetime]
) -> tuple[MonitoringResult, tuple[Alert, ...]]:
    """Monitor the champion of a pipeline in an open installation, as its monitoring DAG does.

    Args:
        installation: The store and MLflow.
        pipeline: The pipeline; it has a section `monitor`.
        clock: Returns the current time in UTC.

    Returns:
        What was found and decided, and the alerts that no earlier run has told.

    Raises:
        TaxiwayError: See `run_monitoring`.
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
        made = run_monitoring(context)
        with new_alerts(context, made.found, rollback_alerts(context)) as alerts:
            pass
    except BaseException:
        recorder.end("FAILED")
        raise
    recorder.end("FINISHED")
    return made, alerts
