"""Scores the rows of a window by how unlike the evaluation rows they are, and keeps the outliers among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.schema.feature import DATE_TYPES
from taxiway.features.signature import ModelColumns
from taxiway.monitoring.outliers.detectors import Method
from taxiway.monitoring.outliers.scores import FEWEST_ROWS, OutlierScores
from taxiway.records.served import Outlier, WindowOutliers
from taxiway.serving.request_log.rows import REQUEST_ID, ROW
from taxiway.stages.monitor.outliers.described import input_text
from taxiway.stages.monitor.windows.inputs import WindowFile
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import pandas as pd

MAX_SCORED = 100_000
"""So many rows of a window are scored, at random."""
_MAX_KEPT = 1_000
_MAX_NAMED = 10


@dataclass(frozen=True)
class FoundOutliers:
    """The outliers of a window.

    Attributes:
        record: How many there are, and the most outlying requests.
        requests: The ids of the requests of at most 1,000 outliers, the most outlying first.
        rows: The number of each row in its request.
        scores: The score of each row.
        tails: The share of evaluation rows whose score is at least as large.
    """

    record: WindowOutliers
    requests: Sequence[str]
    rows: Sequence[int]
    scores: Sequence[float]
    tails: Sequence[float]


def outlier_scores(before: "pd.DataFrame", columns: ModelColumns, method: Method | None) -> OutlierScores | None:
    """What scores the rows of windows.

    Dates and times are left out: those of a window are always later than those of the evaluation rows.

    Args:
        before: The evaluation rows, from `evaluation_inputs`.
        columns: The columns, from `compared_columns`.
        method: How they are to be scored; None if they are not.

    Returns:
        None without a method, with too few evaluation rows, or if there is no column to score them by.
    """
    names = [name for name in columns.names if columns.types.get(name) not in DATE_TYPES]
    if method is None or len(before) < FEWEST_ROWS or not names:
        return None
    return OutlierScores(before[names], method)


def found_outliers(of: OutlierScores | None, before: "pd.DataFrame", path: Path, columns: ModelColumns) -> FoundOutliers | None:
    """The outliers of a window; None if its rows are not to be scored.

    Args:
        of: What scores them, from `outlier_scores`.
        before: The evaluation rows, for what is said about the inputs.
        path: The rows of the window, from `window_rows`, with their ids.
        columns: The columns, from `compared_columns`.
    """
    import numpy as np
    import pandas as pd

    if of is None:
        return None
    file = WindowFile(path, columns)
    positions = np.sort(np.random.default_rng(SEED).permutation(len(file))[:MAX_SCORED])
    rows = pd.DataFrame({name: file.values(name, positions) for name in of.names})
    scores = of.scores(rows)
    order = np.argsort(-scores, kind="stable")[:_MAX_KEPT]
    ids: list[str] = file.own(REQUEST_ID, positions[order])
    numbers: list[int] = file.own(ROW, positions[order])
    tails = [of.tail(score) for score in scores[order]]
    firsts = _first_of_each(ids)[:_MAX_NAMED]
    named = rows.iloc[order[firsts]]
    most = [
        Outlier(
            request=ids[at],
            row=numbers[at],
            score=float(scores[order[at]]),
            tail=tails[at],
            inputs=tuple(input_text(name, named[name].iloc[place], before[name]) for name in reasons),
        )
        for place, (at, reasons) in enumerate(zip(firsts, of.reasons(named), strict=True))
    ]
    share = of.share(scores)
    record = WindowOutliers(
        method=of.method,
        share=share.share,
        usual=share.usual,
        by_chance=share.by_chance,
        too_many=share.too_many,
        most=tuple(most),
    )
    kept = int((scores[order] > of.threshold).sum())
    return FoundOutliers(record, ids[:kept], numbers[:kept], [float(each) for each in scores[order[:kept]]], tails[:kept])


def outlier_file(windows: Mapping[date, FoundOutliers | None]) -> bytes | None:
    """A Parquet file with the outliers of windows; None if the rows of none were scored.

    Args:
        windows: The outliers by the first day of their window.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {"window": pa.date32(), "request_id": pa.string(), "row": pa.int64(), "score": pa.float64(), "tail": pa.float64()}
    )
    scored = {first: found for first, found in windows.items() if found is not None}
    if not scored:
        return None
    tables = [
        pa.table([[first] * len(each.requests), each.requests, each.rows, each.scores, each.tails], schema=schema)
        for first, each in scored.items()
    ]
    out = pa.BufferOutputStream()
    pq.write_table(pa.concat_tables(tables), out)
    written: bytes = out.getvalue().to_pybytes()
    return written


def _first_of_each(ids: Sequence[str]) -> list[int]:
    """The first position of each request."""
    found: dict[str, int] = {}
    for position, request in enumerate(ids):
        found.setdefault(request, position)
    return list(found.values())
