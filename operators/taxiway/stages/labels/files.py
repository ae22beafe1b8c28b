"""Write rows for people to label to a CSV or Parquet file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".csv", ".parquet")


def write_rows(rows: "pa.Table", file: Path) -> None:
    """Write rows as CSV or Parquet, by the ending of the file.

    Raises:
        ConfigError: The ending is another one.
    """
    import pyarrow.csv
    import pyarrow.parquet as pq

    if file.suffix == ".parquet":
        pq.write_table(rows, file)
    elif file.suffix == ".csv":
        pyarrow.csv.write_csv(_as_text(rows), file)
    else:
        raise ConfigError(
            f"{file} ends in {file.suffix or 'nothing'}; allowed: {' or '.join(FORMATS)}", got=file, allowed=FORMATS
        )


def _as_text(rows: "pa.Table") -> "pa.Table":
    """Rows with only such types as CSV has: lists and the like as JSON."""
    import pyarrow as pa
    from pyarrow import types

    for at, field in enumerate(rows.schema):
        column = rows.column(at)
        if types.is_dictionary(field.type):
            rows = rows.set_column(at, field.name, column.cast(field.type.value_type))
        elif types.is_nested(field.type):
            texts = [
                None if value is None else json.dumps(value, default=str, ensure_ascii=False) for value in column.to_pylist()
            ]
            rows = rows.set_column(at, field.name, pa.array(texts, pa.string()))
        elif types.is_decimal(field.type):
            rows = rows.set_column(at, field.name, column.cast(pa.string()))
    return rows
