"""What monitoring has found last about the champion of a pipeline."""

from dataclasses import dataclass

from taxiway.hooks.mlflow import MlflowHook
from taxiway.lineage.monitoring import MonitoringRun
from taxiway.records.served import ServedPerformance
from taxiway.store import Store
from taxiway_ui.clients import cached_record


@dataclass(frozen=True)
class Served:
    """What monitoring has found last.

    Attributes:
        found: The performance of the champion in production.
        retraining: Whether to train again, in a sentence; empty if the pipeline file does not ask.
        rollback: Whether the version before became champion again, in a sentence; empty if the pipeline file does not ask.
        url: The page of the MLflow run.
    """

    found: ServedPerformance
    retraining: str
    rollback: str
    url: str


def served(store: Store | None, run: MonitoringRun | None) -> Served | None:
    """What a run of monitoring has found; None if there is no run, or if its record cannot be read."""
    if store is None or run is None:
        return None
    found = cached_record(store, ServedPerformance, run.found)
    return Served(found, run.retraining, run.rollback, MlflowHook().public_url(run.url)) if found is not None else None
