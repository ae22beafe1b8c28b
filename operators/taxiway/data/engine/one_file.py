"""Write several Parquet files as one."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.connection import connect, locking, run, stream
from taxiway.data.engine.parquet_source import parquet_source

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS = 1 << 16


def write_as_one(files: Sequence[Path], copy: Path, what: str, shown: Mapping[Path, str]) -> None:
    """Write the rows of Parquet files to one file, whose bytes depend only on the rows.

    Args:
        files: The files, which are one table; see `parquet_source`.
        copy: The file to write.
        what: The name of the table in errors.
        shown: The name of each file in errors.

    Raises:
        DataError: A file cannot be read, or the columns of the files do not fit together.
    """
    import pyarrow.parquet as pq

    with connect() as connection:
        source = parquet_source(connection, files, what, shown)
        for setting in ("preserve_insertion_order = true", *locking(files)):
            run(connection, f"SET {setting}", what)
        schema, batches = stream(connection, f"SELECT * FROM {source.sql()}", what, _GROUP_ROWS)
        for at, name in enumerate(source.names):
            schema = schema.set(at, schema.field(at).with_name(name))
        with pq.ParquetWriter(copy, schema) as writer:
            for rows in _groups(batches, schema):
                writer.write_table(rows, _GROUP_ROWS)


def _groups(batches: "Iterator[pa.RecordBatch]", schema: "pa.Schema") -> "Iterator[pa.Table]":
    """The rows in tables of one size, because the sizes of batches may depend on its threads."""
    import pyarrow as pa

    waiting = pa.Table.from_batches([], schema)
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_arrays(batch.columns, schema=schema)])
        while waiting.num_rows >= _GROUP_ROWS:
            yield waiting.slice(0, _GROUP_ROWS).combine_chunks()
            waiting = waiting.slice(_GROUP_ROWS)
    if waiting.num_rows:
        yield waiting.combine_chunks()
