"""What monitoring has found: its newest run by MLflow, and the newest record of each pipeline by a ref of the store."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.records.served import ServedPerformance
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway.tracking.run import refs_of, run_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "taxiway/monitoring"
"""The MLflow experiment with the runs of all monitored models."""
_FOLDER = "served_performance"


@dataclass(frozen=True)
class MonitoringRun:
    """A run of monitoring.

    Attributes:
        found: The digest of its record, a `ServedPerformance`.
        retraining: Whether to train again, in a sentence; empty if the pipeline file does not ask.
        rollback: Whether the version before became champion again, in a sentence; empty if the pipeline file does not ask.
        url: The page of its MLflow run.
    """

    found: str
    retraining: str
    rollback: str
    url: str


def newest_monitoring(client: "MlflowClient", pipeline: str) -> MonitoringRun | None:
    """The newest run of monitoring of a pipeline that has ended well; None if there is none. It takes two requests.

    Args:
        client: The MLflow client.
        pipeline: The name of the pipeline.
    """
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is None:
        return None
    wanted = f"tags.`{tags.PIPELINE}` = '{pipeline}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([known.experiment_id], wanted, order_by=["attributes.start_time DESC"], max_results=1)
    for run in runs:
        found = [ref.digest for ref in refs_of(run.data.tags) if ref.record == ServedPerformance.__name__]
        if found:
            url = run_url(client.tracking_uri, known.experiment_id, run.info.run_id)
            retraining, rollback = (run.data.tags.get(tag, "") for tag in (tags.RETRAINING, tags.ROLLBACK))
            return MonitoringRun(found[0], retraining, rollback, url)
    return None


def record_served(store: Store, pipeline: str, found: ServedPerformance) -> None:
    """Store what a run of monitoring has found, as the newest of its pipeline."""
    store.set_ref(f"{_FOLDER}/{pipeline}", store.put(found).digest)


def newest_served(store: Store, pipeline: str) -> str | None:
    """The digest of what the newest run of monitoring of a pipeline has found; None if there is none. One request."""
    return store.get_ref(f"{_FOLDER}/{pipeline}")


def monitored_pipelines(store: Store) -> tuple[str, ...]:
    """The pipelines that have been monitored. One request."""
    return store.list_refs(_FOLDER)
