"""Batch prediction: scores the rows of files with a registered version, in bounded memory.

The predictions are Parquet files of a fixed number of rows each, in the order of the rows. A file is written under another name and then
renamed, and `_batch.json` says what is scored with which version, so that a process that is killed continues where it stopped.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.credentials import without_credentials
from taxiway.errors import ConfigError, DataError
from taxiway.lineage.batches import RUN_METADATA
from taxiway.messages import listed
from taxiway.records.batch import Batch
from taxiway.stages.batch.folder import begun, beside, only_process, prepare, save, written_whole
from taxiway.stages.batch.recorder import BatchRecorder
from taxiway.stages.batch.version import Version

if TYPE_CHECKING:
    import pyarrow as pa

    from taxiway.data.engine.duckdb_table import Table
    from taxiway.models.row_model import RowModel

ROWS_PER_FILE = 100_000
_ROWS_READ = 1 << 16
_PART = "part-{:05d}.parquet"
_OWN_COLUMNS = ("model", "version")


def predict_batch(
    model: "RowModel",
    version: Version,
    table: "Table",
    data: str,
    out: Path,
    *,
    recorder: BatchRecorder | None = None,
    keys: Sequence[str] = (),
    rows_per_file: int = ROWS_PER_FILE,
    overwrite: bool = False,
    whole: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Batch:
    """Score the rows of a table, and write the predictions to a folder.

    If the folder has the predictions of an interrupted batch of the same data and version, only the missing files are written.

    Args:
        model: The loaded version; see `row_model`.
        version: The version that it is.
        table: The rows.
        data: The name of the data, for `Batch`.
        out: The folder of the predictions; created if needed.
        recorder: Records the batch in MLflow; None to record it only in the folder.
        keys: The columns that are copied to the predictions.
        rows_per_file: How many rows a file of predictions has.
        overwrite: Whether to replace the predictions of other data or another version in the folder.
        whole: Whether to write beside the folder, which then appears, or is replaced, when the predictions are complete.
        progress: Called after each file with the rows that are scored and all rows.

    Returns:
        The finished batch.

    Raises:
        ConfigError: A key is not a column, the folder has something else, or predictions that are not to be replaced.
        DataError: The rows do not match the inputs of the model.
        TransientError: Another process writes predictions into the folder.
    """
    _require_columns(table, keys)
    batch = Batch(
        model=version.model,
        version=version.version,
        files=version.files,
        data=without_credentials(data),
        data_digest=table.digest,
        keys=tuple(keys),
        rows=table.row_count,
        rows_per_file=rows_per_file,
    )

    def write(folder: Path) -> Batch:
        finished = prepare(folder, batch, overwrite=overwrite or (whole and not begun(folder, batch)))
        if finished is None:
            with recorder.recorded(batch, table) if recorder is not None else nullcontext(batch) as recorded:
                save(folder, recorded)
                _write_missing(model, recorded, table, folder, progress)
            finished = recorded.model_copy(update={"finished_at": datetime.now(UTC)})
            save(folder, finished)
        return finished

    if whole:
        return written_whole(out, batch, write)
    with only_process(out):
        return write(out)


def _write_missing(model: "RowModel", batch: Batch, table: "Table", out: Path, progress: Callable[[int, int], None]) -> None:
    """Write the files of predictions that the folder does not have."""
    kinds = _key_types(table, batch.keys)
    done = 0
    for number, part in enumerate(_parts(table, batch.rows_per_file)):
        path = out / _PART.format(number)
        if not path.exists():
            _write(path, _predictions(model, batch, part, kinds, done))
        done += part.num_rows
        progress(done, batch.rows)


def _require_columns(table: "Table", keys: Sequence[str]) -> None:
    names = [column.name for column in table.columns]
    unknown = [key for key in keys if key not in names]
    if unknown:
        raise ConfigError(f"the data has no column {listed(unknown)} for --key; allowed: {listed(names)}", allowed=names)
    reserved = [key for key in keys if key in (*_OWN_COLUMNS, "prediction") or key.startswith("probability_")]
    if reserved:
        raise ConfigError(
            f"{listed(reserved)} is the name of a column of the predictions; rename it in the data to use it as a key"
        )


def _key_types(table: "Table", keys: Sequence[str]) -> "pa.Schema":
    """One type for each key, which holds its values of all files: the predictions are one table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = [pq.read_schema(path).remove_metadata() for path in table.paths]
    try:
        return pa.unify_schemas(
            [pa.schema([schema.field(key) for key in keys]) for schema in schemas], promote_options="permissive"
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"a key has types in different files that are not compatible: {error}; name other keys: --key"
        ) from error


def _parts(table: "Table", rows: int) -> Iterator["pa.Table"]:
    """The rows of files in order, as tables of `rows` rows each but the last."""
    import pyarrow as pa

    from taxiway.data.engine.connection import streamed_file

    waiting: list[pa.Table] = []
    size = 0
    for path in table.paths:
        for read in streamed_file(path).iter_batches(batch_size=min(rows, _ROWS_READ)):
            waiting.append(pa.Table.from_batches([read]).replace_schema_metadata(None))
            size += read.num_rows
            while size >= rows:
                whole = pa.concat_tables(waiting, promote_options="permissive")
                yield whole.slice(0, rows)
                waiting, size = [whole.slice(rows)], size - rows
    if size:
        yield pa.concat_tables(waiting, promote_options="permissive")


def _predictions(model: "RowModel", batch: Batch, part: "pa.Table", keys: "pa.Schema", first: int) -> "pa.Table":
    """The keys, the predictions and the version of some rows."""
    import pyarrow as pa

    from taxiway.data.engine.read_rows import rows_of_table

    try:
        predicted = model.predict(rows_of_table(part))
    except DataError as error:
        end = first + part.num_rows - 1
        raise DataError(
            f"rows {first:,} to {end:,} cannot be scored, counted from 0; among them {error}", key=error.key
        ) from error
    columns = {key.name: part.column(key.name).cast(key.type) for key in keys}
    columns |= {name: pa.array(predicted[name], from_pandas=False) for name in predicted.columns}
    columns["model"] = pa.array([batch.model] * part.num_rows, pa.string())
    columns["version"] = pa.array([batch.version] * part.num_rows, pa.int32())
    return pa.table(columns).replace_schema_metadata(_metadata(batch))


def _metadata(batch: Batch) -> dict[bytes | str, bytes | str]:
    """The metadata of a file of predictions: its model, version, data and MLflow run."""
    found = {"model": batch.model, "version": str(batch.version), "data_digest": batch.data_digest}
    return {**{f"taxiway.{name}": text for name, text in found.items()}, **({RUN_METADATA: batch.run} if batch.run else {})}


def _write(path: Path, predictions: "pa.Table") -> None:
    import pyarrow.parquet as pq

    temporary = path.with_name(beside(path.name))
    pq.write_table(predictions, temporary, compression="zstd")
    temporary.replace(path)
