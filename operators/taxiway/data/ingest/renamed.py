"""Give columns that the source has renamed their present name, in spans from before."""

from collections.abc import Mapping
from pathlib import Path

from taxiway.data.engine.connection import read_batches, streamed_file
from taxiway.data.engine.writing import BATCH_ROWS, RowWriter, rechunked


def rename_columns(file: Path, names: Mapping[str, str], folder: Path, data_name: str) -> Path:
    """Write the rows of a Parquet file with the present names of its columns.

    A column is renamed if the file has its former name and not the present one.

    Args:
        file: The file.
        names: The present name of each column, by its former name.
        folder: Where to write.
        data_name: The name of the file in errors.

    Returns:
        The new file; the file itself if it has no former name.

    Raises:
        DataError: The file cannot be read.
    """
    import pyarrow as pa

    with streamed_file(file) as original:
        found = original.schema_arrow
        former = {old: new for old, new in names.items() if old in found.names and new not in found.names}
        if not former:
            return file
        present = [former.get(name, name) for name in found.names]
        schema = pa.schema([field.with_name(name) for field, name in zip(found, present, strict=True)], metadata=found.metadata)
        path = folder / "renamed.parquet"
        with RowWriter(path, schema) as writer:
            for table in rechunked(read_batches(original.iter_batches(BATCH_ROWS), data_name), found):
                writer.add(table.rename_columns(present))
    return path
