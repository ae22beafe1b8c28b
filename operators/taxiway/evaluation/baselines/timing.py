"""How long models take to predict."""

import logging
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from taxiway.features.encoding import predict_rows
from taxiway.messages import error_line

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
_ROWS = 2_000
_CALLS = 3


def predict_times(models: "Mapping[str, Callable[[pd.DataFrame], Any]]", frame: "pd.DataFrame") -> dict[str, float]:
    """The milliseconds that models take to predict a row: the median of three calls with the first 2,000 rows.

    Args:
        models: The predict function of each model, by the name of its time.
        frame: The raw columns, which are the same for all.

    Returns:
        The times by name; without those of models that fail, because nothing is decided by times.
    """
    rows, found = frame.head(_ROWS), {}
    for name, predict in models.items():
        try:
            found[name] = 1_000 * median(_seconds(predict, rows) for _ in range(_CALLS)) / len(rows)
        except Exception as error:  # of any library
            _log.warning("%s could not be measured: %s", name, error_line(error))
    return found


def _seconds(predict: "Callable[[pd.DataFrame], Any]", rows: "pd.DataFrame") -> float:
    started = time.perf_counter()
    predict_rows(predict, rows)
    return time.perf_counter() - started
