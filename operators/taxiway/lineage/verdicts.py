"""The newest verdict on a model version, by the tags of MLflow runs, read from the store."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.lineage.run_records import RunRecords, run_records
from taxiway.records import Verdict
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway.tracking.run import refs_of

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class JudgedVersion:
    """A model version with the verdict on it.

    Attributes:
        verdict: The newest verdict.
        records: The records of the run that made it.
        mlflow_run: The id of that run.
    """

    verdict: Verdict
    records: RunRecords
    mlflow_run: str


def judged_version(client: "MlflowClient", store: Store, model: str, version: int) -> JudgedVersion:
    """Find the newest verdict on a model version.

    Args:
        client: The MLflow client.
        store: The store of the installation, which alone is believed: whoever can write to MLflow could put a verdict there.
        model: The registered model.
        version: Its version.

    Raises:
        TerminalError: There is no verdict on it, or it is not in the store.
    """
    experiment = client.get_registered_model(model) and client.get_experiment_by_name(model.replace(".", "/", 1))
    runs = (
        client.search_runs(
            [experiment.experiment_id], f"tags.`{tags.VERSION}` = '{version}'", order_by=["attributes.start_time DESC"]
        )
        if experiment
        else []
    )
    kind = f"{tags.RECORD_PREFIX}{Verdict.__name__}"
    run = next((run for run in runs if kind in run.data.tags), None)
    if run is None:
        raise TerminalError(f"{model} version {version} has no verdict; the model gate has not decided about it")
    found = run_records(store, refs_of(run.data.tags))
    verdict = found.verdict
    if verdict is None or (verdict.model, verdict.version) != (model, version):
        why = "; ".join(found.unread) or "it is about another version"
        raise TerminalError(f"the verdict on {model} version {version} cannot be used: {why}. The store read is {store.url}")
    return JudgedVersion(verdict, found, run.info.run_id)
