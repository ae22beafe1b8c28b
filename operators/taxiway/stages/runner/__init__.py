"""The local runner: all stages of a pipeline in one process, without Airflow."""

from taxiway.stages.runner.whole_run import STAGES, Watcher, run, run_in

__all__ = ["STAGES", "Watcher", "run", "run_in"]
