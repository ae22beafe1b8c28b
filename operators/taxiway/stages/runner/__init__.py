"""The local runner: all stages of a pipeline, and its monitoring, in one process without Airflow."""

from taxiway.stages.runner.monitoring_run import monitor_in
from taxiway.stages.runner.watcher import Watcher
from taxiway.stages.runner.whole_run import STAGES, run, run_in

__all__ = ["STAGES", "Watcher", "monitor_in", "run", "run_in"]
