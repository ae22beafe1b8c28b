"""A gateway writes its log to Parquet files by itself, and says why it cannot."""

import re
from pathlib import Path

import duckdb
from mlflow import MlflowClient
from running import register, start_gateway

from helping import until


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
