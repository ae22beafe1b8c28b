"""The table that a file of rows becomes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxiway.data.formats.convert import RawFile, ReadOptions, as_parquet, format_of

Read = Callable[..., pa.Table]


def parquet(path: Path, folder: Path) -> Path:
    """The Parquet file of one file of rows."""
    (made,) = as_parquet([RawFile(path, folder, format_of(path.name), path.name)], ReadOptions()).files
    return made


def columns(table: pa.Table) -> dict[str, list[Any]]:
    return {name: table.column(name).to_pylist() for name in table.column_names}


def types(table: pa.Table) -> dict[str, str]:
    return {field.name: str(field.type) for field in table.schema}
