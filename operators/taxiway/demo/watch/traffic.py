"""Requests as a gateway logs them, and their labels, at the times of the flights instead of now."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.demo.watch.weeks import COLUMNS, Week
from taxiway.evaluation.predictions import positive_class, predictions_of
from taxiway.features.signature import raw_model
from taxiway.monitoring.realised import realised
from taxiway.records import Interval
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.stages.monitor.windows.performance import CONFIDENCE

if TYPE_CHECKING:
    import pandas as pd

CALLER = "demonstration"
_KEPT_ROWS, _KEPT_BYTES = 1_000_000, 4 << 30


class Traffic:
    """The request log of a gateway. Each hour's flights are one request; the answers are those of the model that is given.

    Args:
        state: The state folder of the log.
        folder: The folder of its Parquet files.
        model: The registered model.
    """

    def __init__(self, state: Path, folder: Path, model: str) -> None:
        self.state, self.folder, self.model = state, folder, model

    def serve(self, week: Week, version: int, loaded: Any) -> Interval:
        """Answer the flights of a week by a version, and log them.

        Returns:
            The area under the ROC curve, by the labels that will come.
        """
        raw = raw_model(loaded)
        answers = raw.predict_proba(_cells(week.flights)).tolist()  # at once, because small batches cost as much as large ones
        requests = []
        for request, at, rows in _hours(week):
            body = json.dumps({"dataframe_split": _split(rows)})
            answer = json.dumps([answers[row] for row in rows.index])
            requests.append(
                LoggedRequest(request, at, self.model, body, "", version, 200, answer, "", 1.0, None, None, None, CALLER)
            )
        logged = LoggedVersion(raw.columns, tuple(raw.classes), raw.threshold)

        async def add(log: RequestLog) -> None:
            log.versions.note(self.model, version, logged)
            await log.add(requests)

        self._write(add)
        return _realised(answers, week.late.tolist(), tuple(raw.classes))

    def label(self, week: Week, at: datetime) -> None:
        """Log the labels of a week's flights, which come at a time."""
        labels = [
            (request, row, self.model, sent, json.dumps(str(bool(late))), at.timestamp(), CALLER)
            for request, sent, rows in _hours(week)
            for row, late in enumerate(week.late.loc[rows.index])
        ]

        async def add(log: RequestLog) -> None:
            await log.add_labels(labels)

        self._write(add)

    def _write(self, add: Any) -> None:
        with closing(RequestLog(self.state, keep_rows=_KEPT_ROWS, keep_bytes=_KEPT_BYTES)) as log:
            store_settings(self.state, RollSettings(folder=self.folder.absolute()))
            asyncio.run(add(log))
        roll(self.state)


def _hours(week: Week) -> "Iterator[tuple[str, float, pd.DataFrame]]":
    """The requests of a week: id, time in seconds, and flights."""
    for day, of_day in week.flights.groupby("day"):
        for hour, rows in of_day.groupby("hour"):
            at = datetime.fromisoformat(f"{day}T{hour:02d}:00:00+00:00")
            yield f"{day}-{hour:02d}", at.timestamp(), rows


def _split(rows: "pd.DataFrame") -> dict[str, Any]:
    """Flights as a request has them."""
    found: dict[str, Any] = json.loads(rows[list(COLUMNS)].to_json(orient="split", index=False))
    return found


def _cells(rows: "pd.DataFrame") -> dict[str, list[Any]]:
    """Flights by column, as a gateway reads them from a request."""
    split = _split(rows)
    return dict(zip(split["columns"], map(list, zip(*split["data"], strict=True)), strict=True))


def _realised(answers: Sequence[Sequence[float]], labels: Sequence[bool], classes: tuple[str, ...]) -> Interval:
    import numpy as np

    values = np.asarray(answers)
    found = predictions_of(values, classes, classes, positive_class(classes), None)
    return realised("roc_auc", found, np.asarray(labels, float), classes, CONFIDENCE)
