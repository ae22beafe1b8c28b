"""Where the orders are kept: a file of JSON lines for each shop, all months in one."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd

SHOPS = Path(__file__).with_name("shops")


def read(begin: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    """The orders from `begin` on, up to and without `end`, shop by shop, so that one shop at a time is in memory."""
    for path in sorted(SHOPS.glob("*.jsonl")):
        orders = pd.read_json(path, lines=True, convert_dates=["ordered_at"])
        yield orders[(orders.ordered_at >= begin) & (orders.ordered_at < end)].drop(columns="ordered_at")
