"""Write derived rows as Parquet files whose bytes depend on the rows alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1 << 16
"""The number of rows of a batch, and of a row group of a written file."""


def rechunked(batches: Iterator[Any], schema: "pa.Schema") -> "Iterator[pa.Table]":
    """The same rows in tables of `BATCH_ROWS` rows; the sizes of a reader's batches may depend on its threads."""
    import pyarrow as pa

    buffer = pa.Table.from_batches([], schema)
    for batch in batches:
        buffer = pa.concat_tables([buffer, pa.Table.from_batches([batch], schema)])
        while buffer.num_rows >= BATCH_ROWS:
            yield buffer.slice(0, BATCH_ROWS)
            buffer = buffer.slice(BATCH_ROWS)
    if buffer.num_rows:
        yield buffer


class RowWriter:
    """A Parquet file with row groups of equal size, each in one chunk, so that its bytes depend only on its rows."""

    def __init__(self, path: Path, schema: "pa.Schema") -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        self.rows = 0
        self._file = pq.ParquetWriter(path, schema)
        self._buffer = pa.Table.from_batches([], schema)

    def __enter__(self) -> "RowWriter":
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        complete = False
        try:
            if exc_type is None and self._buffer.num_rows:
                self._file.write_table(self._buffer.combine_chunks(), BATCH_ROWS)
            complete = exc_type is None
        finally:
            self._file.close()  # which makes a truncated file look complete
            if not complete:
                self.path.unlink()

    def add(self, rows: "pa.Table") -> None:
        """Append rows."""
        import pyarrow as pa

        self.rows += rows.num_rows
        self._buffer = pa.concat_tables([self._buffer, rows])
        while self._buffer.num_rows >= BATCH_ROWS:
            self._file.write_table(self._buffer.slice(0, BATCH_ROWS).combine_chunks(), BATCH_ROWS)
            self._buffer = self._buffer.slice(BATCH_ROWS)
