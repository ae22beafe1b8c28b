"""Write several Parquet files as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from taxiway.data.engine.connection import connect, restricting_settings, run, stream
from taxiway.data.engine.parquet_source import parquet_source
from taxiway.data.engine.writing import BATCH_ROWS, RowWriter


def write_as_one(files: Sequence[Path], target: Path, data_name: str, file_names: Mapping[Path, str]) -> None:
    """Write the rows of Parquet files to one file, whose bytes depend only on the rows.

    Args:
        files: The files, which are one table; see `parquet_source`.
        target: The file to write.
        data_name: The name of the table, for error messages.
        file_names: The name of each file, for error messages.

    Raises:
        DataError: A file cannot be read, or the columns of the files do not fit together.
    """
    import pyarrow as pa

    with connect() as connection:
        source = parquet_source(connection, files, data_name, file_names)
        for setting in ("preserve_insertion_order = true", *restricting_settings(files)):
            run(connection, f"SET {setting}", data_name)
        schema, batches = stream(connection, f"SELECT * FROM {source.sql()}", data_name, BATCH_ROWS)
        for index, column in enumerate(source.names):
            schema = schema.set(index, schema.field(index).with_name(column))
        with RowWriter(target, schema) as writer:
            for batch in batches:
                writer.add(pa.Table.from_arrays(batch.columns, schema=schema))
