"""Which rows were drawn at random to be labelled: a random order of the rows, and how far it was exported.

The order is that of a hash of the key: it has nothing to do with what models predict, and it stays the same, so a draw has the first
rows without a label, and the next one goes on behind them. All rows up to the last one of a draw are drawn, also those that have a label
already. The ref `label_draws/PIPELINE/SPAN/PLACE` names the place of the last row in the order.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.duckdb_table import Column, open_table
from taxiway.data.engine.keys_sql import row_hash_sql
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.uint64]

_log = logging.getLogger(__name__)
_SALT = "labels"


def place_sql(key: Sequence[Column], view: str) -> str:
    """SQL for the place of a row in the random order, from 0 to 2**64 - 1.

    Args:
        key: The key columns.
        view: Their view.
    """
    return row_hash_sql(key, view, _SALT)


def places_of(file: Path, key: Sequence[str], data_name: str) -> "Places":
    """The place of each row of a Parquet file in the random order.

    Args:
        file: The file.
        key: The names of the key columns.
        data_name: The name of the file in errors.

    Returns:
        Numbers of 64 bits (rows).
    """
    with open_table(file, data_name) as table:
        place = place_sql([table.column(name) for name in key], "numbered")
        return table.arrays(f"SELECT {place} AS place FROM numbered ORDER BY row_number")["place"]


def add_draw(store: Store, pipeline: str, spans: Iterable[str], key: Sequence[str], last: int, at: datetime) -> None:
    """Record that the rows of spans were drawn up to a place in the random order.

    Args:
        store: The store.
        pipeline: The name of the pipeline.
        spans: The names of the spans.
        key: The key columns.
        last: The place of the last row.
        at: When, with a time zone.
    """
    for span in spans:
        store.set_ref(f"label_draws/{pipeline}/{span}/{last:016x}", json.dumps({"at": at.isoformat(), "key": list(key)}))


def drawn_to(store: Store, pipeline: str, span: str, key: Sequence[str]) -> int | None:
    """The last place up to which rows of a span were drawn by these key columns; None if none were."""
    folder = f"label_draws/{pipeline}/{span}"
    for name in sorted(store.list_refs(folder), reverse=True):
        try:
            if json.loads(store.get_ref(f"{folder}/{name}") or "")["key"] == list(key):
                return int(name, 16)
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("%s is not the ref of a draw, and is ignored: %s", name, error)
    return None
