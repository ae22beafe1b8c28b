"""Request logs that are written without a gateway, and the Parquet files that they are rolled into."""

import asyncio
from pathlib import Path
from typing import Any

import duckdb

from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog

VERSION = LoggedVersion(ModelColumns(("x",), ("z", "card", "name"), renamed={"old": "z"}))


def request(number: int, at: float, mirror: str | None = None, model: str = "a/b") -> LoggedRequest:
    body = f'{{"dataframe_records": [{{"x": {number}}}, {{"x": "y", "z": null}}]}}'
    challenger = (2, "run-1", mirror) if mirror else (None, None, None)
    return LoggedRequest(f"r{number}", at, model, body, "c", 1, 200, "[0.5, [0.25, 0.75]]", "", 1.0, *challenger, "me", 2.0)


def logged(folder: Path, *requests: LoggedRequest, keep_rows: int = 10_000, **settings: Any) -> None:
    store_settings(folder, RollSettings(folder=folder / "log", **{"settle_s": 60, **settings}))
    log = RequestLog(folder, keep_rows=keep_rows, keep_bytes=1 << 30)
    for each in requests:
        log.versions.note(each.model, each.champion_version, VERSION)

    async def add() -> None:
        for each in requests:
            await log.add([each])

    asyncio.run(add())
    log.close()


def read(folder: Path, what: str) -> list[Any]:
    files = f"{folder}/requests/*/*/*.parquet"
    return duckdb.sql(f"SELECT {what} FROM read_parquet('{files}', union_by_name = true, hive_partitioning = true)").fetchall()
