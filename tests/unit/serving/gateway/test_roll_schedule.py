"""A gateway writes its log to Parquet files by itself, says why it cannot, and does not keep a damaged log."""

import asyncio
import re
from pathlib import Path

import duckdb
from mlflow import MlflowClient
from running import register, start_gateway

from helping import until
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.serving.gateway.rolling.schedule import RollSchedule
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.request_log import RequestLog


def test_a_gateway_rolls_its_log(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    model, log = register(registry, "Healthy"), tmp_path / "log"
    log.write_text("not a folder")
    gateway = start_gateway(mlflow_url, tmp_path / "state", models=[model], log_folder=str(log), roll_every_s=0.2)
    try:
        until(lambda: gateway.ask(model, 0.5).status_code == 200, "the champion answers")
        until(lambda: "is not written to Parquet files" in gateway.admin.status(model).problem, "the problem is told")
        log.unlink()
        until(lambda: gateway.admin.status(model).problem == "", "the problem is over")
        sent = gateway.ask(model, 0.25).headers["X-Taxiway-Request-Id"]
        files = f"{log}/requests/*/*/*.parquet"
        until(lambda: (sent,) in duckdb.sql(f"SELECT request_id FROM '{files}'").fetchall(), "the request is in a file")
    finally:
        gateway.stop()
    assert re.search(r"\d+ requests? and 0 labels written to 1 Parquet file in", (tmp_path / "state/output").read_text())


def test_a_log_that_is_damaged_where_only_the_roll_reads_it_is_renamed(tmp_path: Path) -> None:
    def request(number: int) -> LoggedRequest:
        body = f'{{"dataframe_records": [{{"x": "{"x" * 3000}{number}"}}]}}'
        return LoggedRequest(f"r{number}", 0.0, "m", body, "c", 1, 200, "[1]", "", 1.0, None, None, None)

    async def scenario() -> None:
        store_settings(tmp_path, RollSettings(folder=tmp_path / "log"))
        log = RequestLog(tmp_path, keep_rows=1000, keep_bytes=1 << 30)
        await log.add([request(number) for number in range(200)])
        log.close()
        with (tmp_path / "requests.sqlite").open("r+b") as file:
            file.seek(100_000)
            file.write(b"\xff" * 100_000)
        log = RequestLog(tmp_path, keep_rows=1000, keep_bytes=1 << 30)
        schedule = RollSchedule(tmp_path, 3600, log.read_all)
        await schedule.roll()
        assert "malformed" in schedule.problem
        assert list(tmp_path.glob("requests.sqlite.unreadable-*"))
        await log.add([request(1000)])
        await schedule.roll()
        assert schedule.problem == ""
        log.close()

    asyncio.run(scenario())
    assert roll(tmp_path).requests == 0
    rows = duckdb.sql(f"SELECT DISTINCT request_id FROM '{tmp_path}/log/requests/*/*/*.parquet'").fetchall()
    assert ("r1000",) in rows
