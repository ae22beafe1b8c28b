"""What a folder of predictions is of: `_batch.json` beside its Parquet files. It is not a record of the store."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from taxiway.records.base import FrozenModel
from taxiway.records.digests import digest_of_bytes

BATCH_FILE = "_batch.json"
"""Readers of a folder of Parquet files ignore names that begin with `_` or `.`."""
_NOT_OF_THE_PREDICTIONS = frozenset({"data", "validation", "report", "run", "finished_at"})


class Batch(FrozenModel):
    """What was scored, and where its lineage is.

    Attributes:
        model: The registered model.
        version: The version that predicts.
        files: The digest of the version's files, by the ledger or the registry; None if neither has it.
        data: The data, as it was given.
        data_digest: The digest of the files that were scored.
        keys: The columns that identify a row.
        rows: The number of rows.
        rows_per_file: How many rows a file of predictions has.
        validation: Whether the data met the schema, PASS or FAIL; None if it was not checked.
        report: The digest of the DataReport; None if the data was not checked.
        run: The id of the MLflow run of the batch; None if it is not recorded.
        finished_at: When all predictions were written; None if they are not.
    """

    model: str
    version: int
    files: str | None
    data: str
    data_digest: str
    keys: tuple[str, ...]
    rows: int
    rows_per_file: int
    validation: str | None = None
    report: str | None = None
    run: str | None = None
    finished_at: datetime | None = None

    def of_the_predictions(self) -> dict[str, object]:
        """The fields in which two batches differ if their predictions do. The same data may have another path."""
        return self.model_dump(exclude=set(_NOT_OF_THE_PREDICTIONS))

    def key(self, folder: str) -> str:
        """The digest by which a repetition finds the MLflow run of this batch in a folder."""
        fields = {**self.of_the_predictions(), "folder": folder}
        return digest_of_bytes(json.dumps(fields, sort_keys=True).encode())


def read_batch(folder: Path) -> Batch | None:
    """The batch of a folder; None if it has none that can be read."""
    try:
        return Batch.model_validate_json((folder / BATCH_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
