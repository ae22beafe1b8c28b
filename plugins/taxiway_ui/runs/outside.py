"""Runs of a pipeline that Airflow does not have: those of `taxiway run`, and those that Airflow has deleted."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from taxiway.lineage.run_records import RunRecords
from taxiway.records import Record, RecordRef, Status, Verdict
from taxiway.tracking.run import MlflowRun, refs_of
from taxiway_ui.airflow_db import APPROVAL, Decided, RunState
from taxiway_ui.clients import query_mlflow
from taxiway_ui.runs.marks import SWEEP

if TYPE_CHECKING:
    from mlflow import MlflowClient

_RUN_ID = re.compile(r"[0-9a-f]{32}")


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


def verdicts_outside(dag: str, runs: Mapping[str, str]) -> dict[str, Decided]:
    """The Verdict of each of these runs that has one, by their MLflow runs; of none, if MLflow does not answer. Takes two requests.

    Args:
        dag: The id of the DAG.
        runs: The ids of the runs, by those of their MLflow runs.
    """
    wanted = [f"'{mlflow_run}'" for mlflow_run in runs if _RUN_ID.fullmatch(mlflow_run)]

    def read(client: "MlflowClient") -> dict[str, Decided]:
        experiment = client.get_experiment_by_name(dag.replace(".", "/", 1))
        if experiment is None:
            return {}
        found = client.search_runs(
            [experiment.experiment_id], f"attributes.run_id IN ({', '.join(wanted)})", max_results=len(wanted)
        )
        refs = {run.info.run_id: _verdict(refs_of(run.data.tags)) for run in found}
        times = {run.info.run_id: datetime.fromtimestamp(run.info.start_time / 1000, UTC) for run in found}
        return {runs[seen]: Decided(ref, times[seen]) for seen, ref in refs.items() if ref is not None}

    nothing: dict[str, Decided] = {}
    return query_mlflow(read, nothing)[0] if wanted else nothing


def _verdict(refs: tuple[RecordRef, ...]) -> RecordRef | None:
    return next((ref for ref in refs if ref.record == Verdict.__name__), None)


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
