"""Runs of a pipeline that Airflow does not have: those of `taxiway run`, and those that Airflow has deleted."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from taxiway.lineage.run_records import RunRecords
from taxiway.records import Record, Status
from taxiway.tracking.run import MlflowRun, refs_of
from taxiway_ui.airflow_db import APPROVAL, RunState
from taxiway_ui.clients import query_mlflow
from taxiway_ui.runs.marks import SWEEP

if TYPE_CHECKING:
    from mlflow import MlflowClient


def find_outside(dag: str, run: str) -> RunState | None:
    """A run by its MLflow run, which names its records; None if there is none, or MLflow does not answer. Takes three requests.

    Args:
        dag: The id of the DAG.
        run: The id of the run.
    """
    if "'" in run or not run.isprintable():  # it could end the text in MLflow's filter
        return None

    def read(client: "MlflowClient") -> RunState | None:
        found = MlflowRun.find(client, dag.replace(".", "/", 1), f"{dag}/{run}")
        if found is None:
            return None
        seen = client.get_run(found.run_id)
        began = datetime.fromtimestamp(seen.info.start_time / 1000, UTC)
        return RunState(dag, run, seen.info.status.lower(), began, {}, refs_of(seen.data.tags), found.url, in_airflow=False)

    return query_mlflow(read, None)[0]


def states_of(records: RunRecords) -> dict[str, str]:
    """The states of the stages that have made these records, in the words of Airflow."""
    made: dict[str, Record | None] = {
        "ingest": records.snapshot,
        "validate_data": records.report if records.features is None else None,
        "transform": records.features,
        SWEEP: records.sweep,
        "train": records.candidate,
        "validate_model": records.verdict,
        "shadow": records.shadow,
        APPROVAL: records.approval,
        "push": records.promotion,
    }
    stopped = (Status.FAIL, Status.UNDECIDED)
    states = {
        name: "failed" if getattr(record, "status", None) in stopped else "success" for name, record in made.items() if record
    }
    return states | ({"validate_data": "success"} if records.report is not None and records.features is not None else {})
