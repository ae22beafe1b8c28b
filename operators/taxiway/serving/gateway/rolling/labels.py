"""The rows of a Parquet file of labels."""

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def label_rows(labels: Sequence[sqlite3.Row]) -> "pa.Table":
    """The labels of one model, with the label as text and, if it is a number, as a number."""
    import pyarrow as pa

    values = [json.loads(label["label"]) for label in labels]
    texts = [value if isinstance(value, str) else label["label"] for value, label in zip(values, labels, strict=True)]
    numbers = [float(value) if isinstance(value, int | float) else None for value in values]
    return pa.table(
        {
            "seq": pa.array([label["seq"] for label in labels], pa.int64()),
            "request_id": pa.array([label["request_id"] for label in labels], pa.string()),
            "row": pa.array([label["row"] for label in labels], pa.int64()),
            "labelled_at": pa.array([round(label["at"] * 1e6) for label in labels], pa.timestamp("us", tz="UTC")),
            "caller": pa.array([label["caller"] for label in labels], pa.string()),
            "label": pa.array(texts, pa.string()),
            "label_value": pa.array(numbers, pa.float64()),
        }
    )
