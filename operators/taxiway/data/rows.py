"""Reading the rows of spans back from the store."""

from typing import TYPE_CHECKING

from taxiway.records import Span
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd


def read_rows(spans: tuple[Span, ...], store: Store, columns: list[str] | None = None) -> "pd.DataFrame":
    """The rows of `spans`, in their order; only `columns` where given. A column that a span lacks is missing values there."""
    import pandas as pd

    parts = []
    for span in spans:
        with store.local_file(span.content) as path:
            parts.append(_read(path, columns))
    return pd.concat(parts, ignore_index=True)


def _read(path: "object", columns: list[str] | None) -> "pd.DataFrame":
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    present = [c for c in columns if c in file.schema_arrow.names] if columns is not None else None
    rows: pd.DataFrame = file.read(columns=present).to_pandas()
    return rows.reindex(columns=columns) if columns is not None else rows
