"""Recognizes files of a source that are predictions of a model, by the `_batch.json` beside them."""

from collections.abc import Iterable

from pydantic import ValidationError

from taxiway.data.engine.storage_errors import file_system, storage_errors
from taxiway.errors import TaxiwayError
from taxiway.records.batch import BATCH_FILE, Batch


def batches_beside(files: Iterable[str]) -> tuple[Batch, ...]:
    """The batches whose folders some files are in, in the order of the files; it costs one request for each folder.

    Args:
        files: The paths or URLs of the files.
    """
    folders = dict.fromkeys(file.rpartition("/")[0] for file in files)
    found = (_batch_in(folder) for folder in folders if folder)
    return tuple(batch for batch in found if batch is not None)


def _batch_in(folder: str) -> Batch | None:
    """The batch of a folder; None if it has none that can be read, because no run fails for its lineage."""
    try:
        with storage_errors(folder):
            fs, path = file_system(f"{folder}/{BATCH_FILE}")
            return Batch.model_validate_json(fs.cat_file(path))
    except (OSError, ValidationError, TaxiwayError):
        return None
