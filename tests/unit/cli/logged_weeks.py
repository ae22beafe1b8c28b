"""Requests of a champion by week, in the Parquet files of a request log in the working directory."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from cli.local_runs import NAME
from mlflow import MlflowClient

from taxiway.features.signature import raw_model
from taxiway.registry.load import load_trusted
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.stages.installation import DEFAULT_HOME
from taxiway.tracking import tags
from taxiway.tracking.local import database_uri

_MODELS: dict[str, Any] = {}
"""Models by the digest of their files, which are the same in all copies of a folder."""
Cells = Mapping[str, list[Any]]
WEEK = 7 * 86_400
START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
"""A Monday."""


def log_week(
    week: int,
    rows: int,
    *,
    spread: float = 1.0,
    flipped: bool = False,
    labelled: int = 0,
    labelled_at: float | None = None,
    version: int = 1,
    at: float | None = None,
    change: Callable[[Cells], Mapping[str, list[Any]]] = lambda _: {},
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Log predictions of a version for a week, or for the time `at`; labels follow from `a` as in the training rows, or are the others."""
    rng = np.random.default_rng(week)
    a, noise = rng.normal(size=rows) * spread, rng.normal(size=rows)
    cells = {"id": list(range(rows)), "a": a.tolist(), "b": rng.choice(list("xyz"), rows).tolist()}
    cells |= change(cells)
    raw = _model(version)
    answers = raw.predict_proba(cells).tolist() if raw.classes else raw.predict(cells)["prediction"].tolist()
    truth = [str(bool(label)) for label in (a + noise > 0) ^ flipped] if raw.classes else (a + noise + flipped * 9).tolist()
    log = RequestLog(Path("state"), keep_rows=10_000, keep_bytes=1 << 30)
    store_settings(Path("state"), RollSettings(folder=Path("log").absolute(), **settings))
    log.versions.note(NAME, version, LoggedVersion(raw.columns, tuple(raw.classes), raw.threshold))
    at, request = START + week * WEEK if at is None else at, f"week-{week}"
    body = json.dumps({"dataframe_split": {"columns": list(cells), "data": list(map(list, zip(*cells.values(), strict=True)))}})

    async def add() -> None:
        answer = json.dumps(answers)
        await log.add([LoggedRequest(request, at, NAME, body, "c", version, 200, answer, "", 1.0, None, None, None)])
        labels = [
            (request, row, NAME, at, json.dumps(label), labelled_at or at, "me") for row, label in enumerate(truth[:labelled])
        ]
        await log.add_labels(labels)

    asyncio.run(add())
    log.close()
    roll(Path("state"))


def _model(version: int) -> Any:
    """The model of a version, which is loaded once in a process."""
    uri = database_uri(DEFAULT_HOME)
    files = MlflowClient(uri).get_model_version(NAME, str(version)).tags[tags.FILES]
    if files not in _MODELS:
        _MODELS[files] = raw_model(load_trusted(uri, NAME, version))
    return _MODELS[files]


def log_single_rows(count: int, again: int, *, day: int = 0, labelled: int = 0) -> None:
    """Log requests of one row each, all over a day, of which the first ones are sent again after 20 seconds; labels are for these."""
    rng = np.random.default_rng(day)
    values = rng.normal(size=count)
    raw = _model(1)
    answers = raw.predict_proba({"a": values.tolist(), "b": ["x"] * count}).tolist()
    log = RequestLog(Path("state"), keep_rows=10_000, keep_bytes=1 << 30)
    store_settings(Path("state"), RollSettings(folder=Path("log").absolute()))
    log.versions.note(NAME, 1, LoggedVersion(raw.columns, tuple(raw.classes), raw.threshold))
    start = START + day * 86_400
    sent = [(start + row * 80_000 / count, row, f"day-{day}-{row}") for row in range(count)]
    sent += [(at + 20, row, f"{request}-again") for at, row, request in sent[:again]]

    async def add() -> None:
        for at, row, request in sorted(sent):
            body = json.dumps({"dataframe_records": [{"id": row, "a": values[row], "b": "x"}]})
            answer = json.dumps([answers[row]])
            await log.add([LoggedRequest(request, at, NAME, body, "c", 1, 200, answer, "", 1.0, None, None, None)])
        of = sent[-labelled:] if labelled else []
        await log.add_labels(
            [(request, 0, NAME, at, json.dumps(str(bool(values[row] > 0))), at, "me") for at, row, request in of]
        )

    asyncio.run(add())
    log.close()
    roll(Path("state"))


def log_labels(request: str, labels: Sequence[tuple[int, str]], at: float) -> None:
    """Send other labels for rows of a logged request, which was received at the time `at`."""
    log = RequestLog(Path("state"), keep_rows=10_000, keep_bytes=1 << 30)

    async def add() -> None:
        await log.add_labels([(request, row, NAME, at, json.dumps(label), at, "me") for row, label in labels])

    asyncio.run(add())
    log.close()
    roll(Path("state"))


def log_regression() -> None:
    """Predictions of the regression whose labels are far away."""
    log = RequestLog(Path("state"), keep_rows=10_000, keep_bytes=1 << 30)
    store_settings(Path("state"), RollSettings(folder=Path("log").absolute()))

    async def add() -> None:
        body = json.dumps({"dataframe_records": [{"id": row} for row in range(200)]})
        answer = json.dumps([0.0] * 200)
        await log.add([LoggedRequest("r", START, NAME, body, "c", 1, 200, answer, "", 1.0, None, None, None)])
        await log.add_labels([("r", row, NAME, START, "9.0", START, "me") for row in range(200)])

    asyncio.run(add())
    log.close()
    roll(Path("state"))
