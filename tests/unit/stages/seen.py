"""What the tests of the runner share."""

from taxiway.spec.pipeline import Pipeline
from taxiway.stages.installation import Installation
from taxiway.stages.runner import Watcher

SOURCE = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y"}


class Seen(Watcher):
    """Remembers the progress of a run."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.failures: list[str] = []
        self.reasons: list[str] = []

    def ended(self, stage: str, seconds: float, failure: str | None) -> None:
        self.stages.append(stage)
        self.failures += [] if failure is None else [failure]

    def stopped(self, reason: str) -> None:
        self.reasons.append(reason)


def mlflow_status(installation: Installation, pipeline: Pipeline) -> list[str]:
    """How the runs of a pipeline ended, the newest first."""
    experiment = installation.client.get_experiment_by_name(pipeline.experiment)
    assert experiment is not None
    return [run.info.status for run in installation.client.search_runs([experiment.experiment_id])]
