"""Batches of predictions, answered by MLflow: which batches a version has scored, and what a file of predictions is of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.records.batch import BATCH_FILE, read_batch
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "taxiway/batches"
RUN_METADATA = b"taxiway.run"
"""The key in a Parquet file's metadata with the id of the MLflow run."""
NEWEST = 10


@dataclass(frozen=True)
class BatchRun:
    """A batch of predictions, by its MLflow run.

    Attributes:
        model: The registered model.
        version: The version that predicted.
        files: The digest of the version's files; empty if it was not known.
        training_run: The id of the MLflow run that trained the version; empty if there is none.
        data: The data, as it was given.
        data_digest: The digest of its files.
        keys: The columns that identify a row.
        rows: The number of rows; None if the batch has not finished.
        folder: The folder of the predictions.
        host: The machine that wrote them.
        span: The span that was scored, with its version; None for data without spans.
        scoring: The scoring file's DAG; None without one.
        validation: Whether the data met the schema, PASS or FAIL; None if it was not checked.
        status: The status of the MLflow run: FINISHED, RUNNING or FAILED.
        started_at: When the batch began.
        airflow_url: The DAG run's page; empty for a batch from the command line.
        mlflow_run: The id of the MLflow run.
    """

    model: str
    version: int
    files: str
    training_run: str
    data: str
    data_digest: str
    keys: tuple[str, ...]
    rows: int | None
    folder: str
    host: str
    span: str | None
    scoring: str | None
    validation: str | None
    status: str
    started_at: datetime
    airflow_url: str
    mlflow_run: str


def batches_of(client: "MlflowClient", model: str, version: int | None = None, newest: int = NEWEST) -> tuple[BatchRun, ...]:
    """The newest batches of a model, newest first; they cost one request.

    Args:
        client: The MLflow client.
        model: The registered model.
        version: Only batches of this version; None for all versions.
        newest: At most so many.
    """
    wanted = {tags.BATCH_MODEL: model} | ({} if version is None else {tags.BATCH_VERSION: str(version)})
    return tuple(map(_read, runs_with(client, wanted, newest)))


def runs_with(client: "MlflowClient", wanted: Mapping[str, str], newest: int) -> "list[Run]":
    """The newest MLflow runs of batches with some tags, newest first, at most so many."""
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is None:
        return []
    condition = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in wanted.items())
    newest_first = ["attributes.start_time DESC"]
    return list(client.search_runs([known.experiment_id], condition, order_by=newest_first, max_results=newest))


def batch_behind(client: "MlflowClient", predictions: Path) -> BatchRun:
    """The batch that wrote a folder of predictions, or one of its Parquet files, which may have been moved.

    Raises:
        TerminalError: The file or the folder does not name an MLflow run, or the server does not have it.
    """
    from mlflow.exceptions import MlflowException

    run_id = _run_of_folder(predictions) if predictions.is_dir() else _run_of_file(predictions)
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise TerminalError(
            f"{predictions} is of the MLflow run {run_id}, which this server does not have; give the server that the batch was recorded "
            "on: --tracking-uri URL"
        ) from None
    if tags.BATCH_MODEL not in run.data.tags:
        raise TerminalError(f"{predictions} names the MLflow run {run_id}, which is not of a batch of predictions")
    return _read(run)


def _run_of_folder(folder: Path) -> str:
    batch = read_batch(folder)
    if batch is None:
        raise TerminalError(f"{folder} has no readable {BATCH_FILE}; allowed: a folder that taxiway predict wrote")
    if batch.run is None:
        raise TerminalError(f"the batch in {folder} was not recorded in MLflow")
    return batch.run


def _run_of_file(path: Path) -> str:
    import pyarrow
    import pyarrow.parquet as pq

    try:
        metadata: Mapping[bytes, bytes] = pq.read_schema(path).metadata or {}
    except (pyarrow.ArrowException, OSError):
        metadata = {}
    if RUN_METADATA not in metadata:
        raise TerminalError(
            f"{path} does not name the MLflow run of a batch; allowed: a Parquet file, or a folder, that taxiway predict wrote"
        )
    return metadata[RUN_METADATA].decode()


def _read(run: "Run") -> BatchRun:
    values, rows = run.data.tags, run.data.metrics.get(tags.BATCH_ROWS)
    return BatchRun(
        model=values[tags.BATCH_MODEL],
        version=int(values[tags.BATCH_VERSION]),
        files=values.get(tags.BATCH_FILES, ""),
        training_run=values.get(tags.BATCH_TRAINING_RUN, ""),
        data=values.get(tags.BATCH_DATA, ""),
        data_digest=values.get(tags.BATCH_DATA_DIGEST, ""),
        keys=tuple(json.loads(values.get(tags.BATCH_KEYS, "[]"))),
        rows=None if rows is None else int(rows),
        folder=values.get(tags.BATCH_FOLDER, ""),
        host=values.get(tags.BATCH_HOST, ""),
        span=values.get(tags.BATCH_SPAN),
        scoring=values.get(tags.BATCH_SCORING),
        validation=values.get(tags.BATCH_VALIDATION),
        status=run.info.status,
        started_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        airflow_url=values.get(tags.AIRFLOW_URL, ""),
        mlflow_run=run.info.run_id,
    )
