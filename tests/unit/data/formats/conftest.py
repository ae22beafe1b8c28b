"""Reads some bytes as a file of rows."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data.formats.tables import Read, parquet


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The table that some bytes are, as a file of this name."""

    def reading(content: str | bytes, name: str = "rows.csv") -> pa.Table:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return pq.read_table(parquet(path, tmp_path))

    return reading
