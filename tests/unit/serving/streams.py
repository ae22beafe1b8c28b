"""Bodies of requests that are not JSON, for tests."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa


def arrow_stream(table: pa.Table, **options: Any) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def csv_body(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> bytes:
    """A CSV with quotes around each cell; a missing value is an empty cell."""
    quoted = [[f'"{(cell or "").replace(chr(34), 2 * chr(34))}"' for cell in row] for row in [columns, *rows]]
    return "\n".join(map(",".join, quoted)).encode()
