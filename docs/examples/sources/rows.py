"""Reads orders: one file of JSON lines for each shop, with all months."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd

SHOPS = Path(__file__).with_name("shops")


def read(begin: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    """The orders from `begin` up to, but not including, `end`; one shop at a time, so that only that one is in memory."""
    for path in sorted(SHOPS.glob("*.jsonl")):
        orders = pd.read_json(path, lines=True, convert_dates=["ordered_at"])
        yield orders[(orders.ordered_at >= begin) & (orders.ordered_at < end)].drop(columns="ordered_at")
