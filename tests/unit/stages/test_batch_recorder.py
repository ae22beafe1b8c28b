"""A batch of predictions as an MLflow run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlflow import MlflowClient

from taxiway.records.batch import Batch
from taxiway.stages.batch.recorder import BatchRecorder
from taxiway.stages.batch.version import Version


def test_data_with_a_long_name_is_recorded(mlflow_url: str) -> None:
    """MLflow's database may refuse a name of a run of more than 250 characters."""
    client, path = MlflowClient(mlflow_url), f"/{'folder/' * 40}rows.parquet"
    batch = Batch(
        model="team.m", version=1, files=None, data=path, data_digest="d", keys=(), rows=1, rows_per_file=1, finished_at=None
    )
    table: Any = SimpleNamespace(paths=(), file_digests=(), file_names=None)
    with BatchRecorder(client, Version("team.m", 1, None), Path("/predictions")).recorded(batch, table) as recorded:
        assert recorded.run is not None
    found = client.get_run(recorded.run)
    assert (found.info.status, found.data.tags["taxiway.batch.data"]) == ("FINISHED", path)
    assert len(found.info.run_name) == 250
